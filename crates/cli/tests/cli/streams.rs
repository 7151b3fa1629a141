//! stdout carries data, stderr the rest.

use crate::support::{ACCURACY, DRAW, Place, ended};

#[test]
fn json_on_stdout_parses_while_notes_go_to_stderr() {
    let place = Place::trained();
    for arguments in [
        &["list", "datasets", "--json"][..],
        &["list", "models", "segformer-b*", "--json"],
        &["list", "losses", "--json"],
        &["list", "metrics", "--json"],
        &["list", "protocols", "--json"],
        &["list", "weights", "--json"],
        &["weights", "inspect", "segformer-tiny.sample", "--json"],
        &["class-weights", "sample", "--json"],
    ] {
        let rows = place.run(arguments).is(0, &[]).json();
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "{arguments:?}: {rows}");
    }
    let bench = place.run_drawn(&[&ACCURACY[..], &["--json"]].concat());
    assert_eq!(bench.is(0, &["using the CPU", "reports/runs/"]).json()[0]["model"], "segformer-tiny");
}

#[test]
fn commands_without_data_leave_stdout_empty() {
    let place = Place::new();
    let prepare = place.run_drawn(&["prepare", "sample"]);
    assert_eq!((prepare.is(0, &["8 images"]).stdout.as_str(), prepare.code), ("", Some(0)));
    let failed = place.run(&["prepare", "cityscapes"]);
    assert_eq!(failed.is(4, &["error", "help"]).stdout, "");
}

#[test]
fn quiet_leaves_only_errors_on_stderr() {
    let place = Place::trained();
    let bench = place.run_drawn(&[&ACCURACY[..], &["--quiet"]].concat());
    assert_eq!(bench.is(0, &[]).stderr, "");
    assert!(bench.stdout.contains("segformer-tiny"));
    place.run(&["prepare", "cityscapes", "-q"]).is(4, &["error: "]);
}

#[test]
fn nothing_is_colored_or_drawn_where_no_terminal_is() {
    let place = Place::new();
    for no_color in [None, Some("1")] {
        let mut command = place.command(&["prepare", "sample"]);
        if let Some(value) = no_color {
            command.env("NO_COLOR", value);
        }
        let prepare = ended(command.args(DRAW));
        let failed = place.run(&["prepare", "citscapes"]);
        for text in [&prepare.stderr, &prepare.stdout, &failed.stderr] {
            assert!(!text.contains('\u{1b}') && !text.contains('\r'), "{text:?}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn no_color_is_honored_on_a_terminal() {
    use std::process::Command;

    // `script` of util-linux gives the command a terminal, where it is installed and the system has one to give.
    let probe = Command::new("script").args(["-qec", "true", "/dev/null"]).output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        return;
    }
    let place = Place::new();
    let on_terminal = |environment: &str| {
        let line = format!(
            "{environment} {} prepare citscapes",
            assert_cmd::cargo::cargo_bin!("segbench").display()
        );
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env_remove("NO_COLOR").current_dir(place.path());
        String::from_utf8_lossy(&script.output().expect("run").stdout).into_owned()
    };
    let (colored, plain) = (on_terminal("TERM=xterm"), on_terminal("NO_COLOR=1 TERM=xterm"));
    assert!(colored.contains("\u{1b}[1;31merror"), "{colored:?}");
    assert!(plain.contains("error: ") && !plain.contains("\u{1b}[1;31m"), "{plain:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::Stdio;

    let place = Place::new();
    let mut child =
        place.command(&["list", "metrics", "--json"]).stdout(Stdio::piped()).spawn().expect("started");
    drop(child.stdout.take());
    assert!(child.wait().expect("a status").success());
}
