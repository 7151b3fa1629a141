//! The page in a real browser: it sorts, filters and leads from a number to its images, nothing fails or is loaded from outside, and
//! it follows dark schemes and narrow screens.
//!
//! A copy of the page with a self-test in it is opened by a headless Chromium, which prints the page as it then stands. A machine
//! without such a browser skips the test, unless it is a CI machine (variable `CI`), where it fails.

#![expect(clippy::expect_used, reason = "a test that cannot go on should stop where it is")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{Runs, good_counts, read, record};
use segbench_report::{Format, build};
use serde_json::{Value, json};

const BROWSERS: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];

/// Collects every error from the first moment on.
const WATCH: &str = "<script>window.failures = [];
addEventListener('error', e => failures.push(String(e.message || e.target.src || e.target.href)), true);
addEventListener('securitypolicyviolation', e => failures.push('blocked ' + e.blockedURI));</script>";

/// Uses the page as a reader would and writes down what it sees.
const SELF_TEST: &str = include_str!("browser/selftest.js");

/// The first browser that starts.
fn browser() -> Option<&'static str> {
    BROWSERS.into_iter().find(|name| {
        let started =
            Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        started.is_ok_and(|status| status.success())
    })
}

/// How the page is looked at.
#[derive(Debug, Clone, Copy)]
struct View {
    is_dark: bool,
    width: u32,
}

/// Opens `page` and returns what its self-test wrote down.
fn look(browser: &str, page: &Path, profile: &Path, view: View) -> Value {
    // 0 is dark and 1 is light.
    let scheme = if view.is_dark { 0 } else { 1 };
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--virtual-time-budget=4000", "--dump-dom"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--window-size={},900", view.width))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null())
        .output()
        .expect("the browser starts");
    let dom = String::from_utf8_lossy(&output.stdout);
    let seen = dom.split("<pre id=\"selftest\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    serde_json::from_str(seen.expect("the self-test ran to its end")).expect("the self-test writes JSON")
}

/// The browser, or `None` where a test may be skipped.
#[expect(clippy::print_stderr, reason = "a skipped test has to say so")]
fn browser_or_skip() -> Option<&'static str> {
    let browser = browser();
    if browser.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "no browser on this CI machine, expected one of {BROWSERS:?}"
        );
        eprintln!("skipped: no browser found, expected one of {BROWSERS:?}");
    }
    browser
}

/// A page of four networks with the self-test in it.
fn page(runs: &Runs) -> PathBuf {
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
        .replacen("</body>", &format!("<script>{SELF_TEST}</script></body>"), 1);
    let path = runs.dir.path().join("instrumented.html");
    segbench_storage::write(&path, page.as_bytes()).expect("written");
    path
}

#[test]
fn a_reader_can_sort_filter_and_drill_down_without_any_error_or_request() {
    let Some(browser) = browser_or_skip() else { return };
    let runs = Runs::with_two_networks();
    let view = View { is_dark: false, width: 1280 };
    let seen = look(browser, &page(&runs), &runs.dir.path().join("profile"), view);

    let best_first = json!(["good-net", "net-9", "net-10", "bad-net"]);
    let expected = [
        ("failures", json!([])),
        ("loaded", json!([])),
        ("before", best_first.clone()),
        ("sorted", json!("ascending")),
        ("byScore", json!([best_first, "descending"])),
        ("byScoreAgain", json!([["bad-net", "net-10", "net-9", "good-net"], "ascending"])),
        ("byLatency", json!([["bad-net", "good-net", "net-10", "net-9"], "ascending"])),
        ("byLatencyAgain", json!([["good-net", "bad-net", "net-10", "net-9"], "descending"])),
        ("byName", json!([["bad-net", "good-net", "net-9", "net-10"], "ascending"])),
        ("marked", json!(1)),
        ("said", json!("Sorted by Network, ascending.")),
        ("focus", json!(true)),
        ("images", json!(true)),
        // The filter looks at every word, and the loss is in a family of columns that is folded away at first.
        ("filtered", json!([["net-9", "net-10"], "2 of 4 runs"])),
        ("unfiltered", json!(4)),
        ("lossHidden", json!([true, false])),
        // Hardest image first: image 5 of the network that has lost nothing is the best one.
        ("imageColumns", json!(["Image", "Mean", "Spread", "good-net", "net-9", "net-10", "bad-net"])),
        ("hardest", json!("street_1")),
        ("found", json!([["street_3"], "1 of 1 images found"])),
        // A confusion's cell leads to images, and an image to the viewer.
        ("places", json!(["street_5", "street_4", "street_3", "street_1"])),
        ("arrow", json!(true)),
        ("viewer", json!([true, "street_1 (streets val)", "Errors good-net, f32 · 72.0 %"])),
        ("runs", json!(["good-net", "bad-net"])),
        ("swapped", json!("Errors bad-net, f32 · 37.5 %")),
        ("prediction", json!("Prediction bad-net, f32 · 37.5 %")),
        ("blinking", json!([true, true, false])),
        ("closed", json!(false)),
        ("unfolded", json!(true)),
        ("dark", json!(false)),
    ];
    for (name, value) in expected {
        assert_eq!(seen[name], value, "{name}");
    }
}

#[test]
fn the_page_follows_a_dark_scheme_and_a_narrow_screen() {
    let Some(browser) = browser_or_skip() else { return };
    let runs = Runs::with_two_networks();
    let path = page(&runs);
    let light = look(browser, &path, &runs.dir.path().join("light"), View { is_dark: false, width: 1280 });
    let dark = look(browser, &path, &runs.dir.path().join("dark"), View { is_dark: true, width: 400 });
    for seen in [&light, &dark] {
        assert_eq!((&seen["failures"], &seen["loaded"]), (&json!([]), &json!([])));
        assert_eq!(seen["sideways"], json!([]), "wider than the window of {}", seen["width"]);
    }
    assert_eq!((&light["dark"], &dark["dark"]), (&json!(false), &json!(true)));
    let brightness = |seen: &Value, name: &str| seen[name].as_f64().expect("a brightness");
    assert!(brightness(&light, "page") > 0.9 && brightness(&light, "ink") < 0.2, "{light}");
    assert!(brightness(&dark, "page") < 0.2 && brightness(&dark, "ink") > 0.8, "{dark}");
    assert!(dark["width"].as_u64().expect("a width") <= 500, "{dark}");
}
