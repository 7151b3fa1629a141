//! The page in a real browser: headers sort, the keyboard reaches them, and nothing fails or is loaded from outside.
//!
//! A copy of the page with a self-test in it is opened by a headless Chromium, which prints the page as it then stands. A machine
//! without such a browser skips the test, unless it is a CI machine (variable `CI`), where it fails.

#![expect(clippy::expect_used, reason = "a test that cannot go on should stop where it is")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use common::{Runs, good_counts, read, record};
use segbench_report::{Format, build};

const BROWSERS: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// Collects every error from the first moment on.
const WATCH: &str = "<script>window.failures = [];
addEventListener('error', e => failures.push(String(e.message || e.target.src || e.target.href)), true);
addEventListener('securitypolicyviolation', e => failures.push('blocked ' + e.blockedURI));</script>";

/// Clicks headers and writes down what it sees.
const SELF_TEST: &str = "<script>addEventListener('load', () => {
  const table = document.querySelector('table.board');
  const order = () => [...table.tBodies[0].rows].map(row => row.cells[1].firstChild.textContent.trim());
  const head = index => table.tHead.rows[0].cells[index];
  const click = index => { head(index).querySelector('button').click(); return [order(), head(index).getAttribute('aria-sort')]; };
  const seen = { before: order(), sorted: head(0).getAttribute('aria-sort') };
  seen.byScore = click(2);
  seen.byScoreAgain = click(2);
  const latency = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent.includes('Latency'));
  seen.byLatency = click(latency);
  seen.byLatencyAgain = click(latency);
  seen.byName = click(1);
  seen.marked = table.querySelectorAll('th[aria-sort]').length;
  seen.said = document.getElementById('status').textContent;
  head(3).querySelector('button').focus();
  seen.focus = document.activeElement === head(3).querySelector('button');
  seen.images = [...document.images].every(image => image.naturalWidth > 0);
  seen.loaded = performance.getEntriesByType('resource').map(entry => entry.name).filter(name => !name.startsWith('data:'));
  seen.failures = failures;
  const pre = document.createElement('pre');
  pre.id = 'selftest';
  pre.textContent = JSON.stringify(seen);
  document.body.append(pre);
});</script>";

/// The first browser that starts.
fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|name| {
        let started =
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        started.is_ok_and(|status| status.success())
    })
}

fn dump(browser: &str, page: &Path, profile: &Path) -> String {
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
        ])
        .args(["--disable-component-update", "--disable-sync", "--virtual-time-budget=3000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .output()
        .expect("the browser starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn headers_sort_the_leaderboard_without_any_error_or_request() {
    let Some(browser) = browser() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "no browser on this CI machine, expected one of {BROWSERS:?}"
        );
        eprintln!("skipped: no browser found, expected one of {BROWSERS:?}");
        return;
    };
    let runs = Runs::with_two_networks();
    // Without speed, so that they have to stay last when the latency sorts; as text, 30.50 would stand before 9.00 and net-10
    // before net-9.
    for (run_id, name, lost) in [("a", "net-9", 1), ("b", "net-10", 2)] {
        let mut counts = good_counts();
        counts
            .iter_mut()
            .filter(|row| (row.ground_truth, row.predicted) == (0, 0))
            .take(lost)
            .for_each(|row| row.predicted = 1);
        runs.add(&record(run_id, name), &counts);
    }
    build(&runs.path(), &runs.output(), &[Format::Html]).expect("a report");
    let page = read(&runs.output(), "leaderboard.html")
        .replacen("<head>", &format!("<head>{WATCH}"), 1)
        .replacen("</body>", &format!("{SELF_TEST}</body>"), 1);
    let path = runs.dir.path().join("instrumented.html");
    segbench_storage::write(&path, page.as_bytes()).expect("written");

    let dom = dump(browser, &path, &runs.dir.path().join("profile"));
    let seen = dom.split("<pre id=\"selftest\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let seen: serde_json::Value =
        serde_json::from_str(seen.expect("the self-test ran to its end")).expect("the self-test writes JSON");

    let best_first = serde_json::json!(["good-net", "net-9", "net-10", "bad-net"]);
    assert_eq!(seen["failures"], serde_json::json!([]));
    assert_eq!(seen["loaded"], serde_json::json!([]));
    assert_eq!((&seen["before"], &seen["sorted"]), (&best_first, &"ascending".into()));
    assert_eq!(seen["byScore"], serde_json::json!([best_first, "descending"]));
    assert_eq!(
        seen["byScoreAgain"],
        serde_json::json!([["bad-net", "net-10", "net-9", "good-net"], "ascending"])
    );
    assert_eq!(
        seen["byLatency"],
        serde_json::json!([["bad-net", "good-net", "net-10", "net-9"], "ascending"])
    );
    assert_eq!(
        seen["byLatencyAgain"],
        serde_json::json!([["good-net", "bad-net", "net-10", "net-9"], "descending"])
    );
    assert_eq!(seen["byName"], serde_json::json!([["bad-net", "good-net", "net-9", "net-10"], "ascending"]));
    assert_eq!(seen["marked"], 1);
    assert_eq!(seen["said"], "Sorted by Network, ascending.");
    assert_eq!((&seen["focus"], &seen["images"]), (&true.into(), &true.into()));
}
