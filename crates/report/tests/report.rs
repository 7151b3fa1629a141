//! From run folders to files, as a caller sees it.

#![expect(clippy::expect_used, reason = "a test that cannot go on should stop where it is")]

mod common;

use std::fs;

use common::{Runs, bad_counts, class, good_counts, read, record, speed};
use segbench_report::{Format, Report, build, diff};
use segbench_tables::{CurveRow, write_curve};
use segbench_types::{ErrorKind, Explain as _};

fn report(runs: &Runs) -> Report {
    build(&runs.path(), &runs.output(), &Format::ALL).expect("a report")
}

fn html(runs: &Runs) -> String {
    report(runs);
    read(&runs.output(), "leaderboard.html")
}

#[test]
fn the_leaderboard_has_the_scores_worked_out_by_hand() {
    let runs = Runs::with_two_networks();
    let report = report(&runs);
    assert_eq!(report.notes, [""; 0]);
    let names: Vec<_> = report.rows.iter().map(|row| (row.rank, row.model.as_str())).collect();
    assert_eq!(names, [(Some(1), "good-net"), (Some(2), "bad-net")]);

    let csv = read(&runs.output(), "leaderboard.csv");
    let mut lines = csv.lines();
    let header: Vec<_> = lines.next().expect("a header").split(',').collect();
    let first: Vec<_> = lines.next().expect("a row").split(',').collect();
    let cell = |name: &str| first[header.iter().position(|column| *column == name).expect("a column")];
    // pixel accuracy (555 + 55) / 660; recall (555/580 + 55/80) / 2; precision (555/570 + 55/80) / 2 over the two classes that
    // are predicted; Dice (2*555/(580+570) + 2*55/(80+80)) / 2; weighted IoU (580 * 555/595 + 80 * 55/105) / 660.
    let expected = [
        ("miou", "72.83"),
        ("pixel_accuracy", "92.42"),
        ("mean_recall", "82.22"),
        ("mean_precision", "83.06"),
        ("mean_dice", "82.64"),
        ("fw_iou", "88.32"),
        ("published_miou", "72.80"),
        ("delta", "0.03"),
        ("verdict", "match"),
        ("group", "a"),
        ("boundary_iou", ""),
        ("latency_p50_ms", "30.500"),
        ("latency_p99_ms", ""),
        ("input_size", "37x53"),
        ("train_steps", "4000"),
    ];
    for (name, value) in expected {
        assert_eq!(cell(name), value, "{name}");
    }
    let number = |name| cell(name).parse::<f64>().expect("a number");
    assert!(number("miou_low") < 72.83 && number("miou_high") > 72.83 && number("miou_low") > 60.0);
}

#[test]
fn the_tables_beside_the_leaderboard_hold_every_class_and_count() {
    let runs = Runs::with_two_networks();
    report(&runs);
    let classes = read(&runs.output(), "classes.csv");
    let classes: Vec<_> =
        classes.lines().take(4).map(|line| line.split(",f32,").last().unwrap_or(line)).collect();
    // precision of road 555/570, of sky 55/80; the absent class has no score at all.
    assert_eq!(
        classes[1..],
        ["0,road,580,93.28,95.69,97.37,96.52", "1,sky,80,52.38,68.75,68.75,68.75", "2,train,0,,,,"]
    );

    let confusion = read(&runs.output(), "confusion.csv");
    let cells: Vec<_> = confusion.lines().filter(|line| line.contains("good-net,")).collect();
    let cells: Vec<_> = cells.iter().map(|line| line.split(",f32,").last().unwrap_or(line)).collect();
    assert_eq!(
        cells,
        ["0,0,road,road,555", "0,1,road,sky,25", "1,0,sky,road,15", "1,1,sky,sky,55", "1,255,sky,,10"]
    );

    let speed = read(&runs.output(), "speed.csv");
    let rows: Vec<_> = speed.lines().filter(|line| line.contains("good-net,")).collect();
    let rows: Vec<_> = rows.iter().map(|line| line.split(",f32,").last().unwrap_or(line)).collect();
    // 70 latencies 29.5 + q/35: mean 29.5 + 34.5/35, rank 35 is q = 34, rank 63 is q = 62; 662 would earn a p99.
    assert_eq!(
        rows,
        [
            "37x53,1,,70,,30.500,31.300,,32.79,1234.5,7.918,VALID",
            "37x53,1,forward,70,30.486,30.471,31.271,,,,,VALID",
        ]
    );
}

#[test]
fn ranks_restart_where_rows_do_not_compare() {
    let runs = Runs::with_two_networks();
    for (run_id, change) in [
        ("1", "dtype"),
        ("2", "device"),
        ("3", "hardware"),
        ("4", "split"),
        ("5", "dataset"),
        ("6", "protocol"),
    ] {
        let mut other = record(run_id, "bad-net");
        match change {
            "dtype" => other.dtype = "f16".into(),
            "device" => other.device = "cuda".into(),
            "hardware" => other.environment.hardware = "Another CPU".into(),
            "split" => other.split = "test".into(),
            "dataset" => other.dataset.name = "avenues".into(),
            _ => other.protocol.name = "mmseg-slide@1".into(),
        }
        runs.add(&other, &bad_counts());
    }
    let rows = report(&runs).rows;
    let ranks: Vec<_> = rows.iter().map(|row| (row.run_id.as_str(), row.rank)).collect();
    let first = Some(1);
    // Sorted by data set, split, protocol, hardware, device, dtype.
    let expected = [
        ("5", first),
        ("4", first),
        ("6", first),
        ("3", first),
        ("1", first),
        ("0000000000gd", first),
        ("0000000000bd", Some(2)),
        ("2", first),
    ];
    assert_eq!(ranks, expected);
}

#[test]
fn equal_scores_share_a_rank() {
    let runs = Runs::new();
    for run_id in ["a", "b"] {
        runs.add(&record(run_id, "twin"), &good_counts());
    }
    runs.add(&record("c", "bad-net"), &bad_counts());
    let ranks: Vec<_> = report(&runs).rows.iter().map(|row| row.rank).collect();
    assert_eq!(ranks, [Some(1), Some(1), Some(3)]);
}

#[test]
fn a_run_over_fewer_images_has_a_score_but_no_rank_and_no_verdict_on_its_distance() {
    let runs = Runs::with_two_networks();
    let mut part = record("part", "good-net");
    part.published_miou = Some(72.8);
    if let Some(accuracy) = &mut part.accuracy {
        accuracy.images = 4;
    }
    runs.add(&part, &good_counts().into_iter().filter(|row| row.image_id != "street_5").collect::<Vec<_>>());
    let report = report(&runs);
    let row = report.rows.last().expect("rows");
    let verdict = Some("explained: 4 of 5 images");
    assert_eq!((row.run_id.as_str(), row.rank, row.verdict.as_deref()), ("part", None, verdict));
    assert!(row.miou.is_some());
    assert!(report.notes[0].contains("run part (good-net) has no rank"), "{:?}", report.notes);
}

#[test]
fn a_run_on_other_labels_of_the_same_images_has_no_rank() {
    let runs = Runs::with_two_networks();
    let mut counts = good_counts();
    counts[0].count += 1;
    runs.add(&record("redrawn", "good-net"), &counts);
    let rows = report(&runs).rows;
    assert_eq!(rows.last().map(|row| (row.run_id.as_str(), row.rank)), Some(("redrawn", None)));
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let (one, two) = (Runs::with_two_networks(), Runs::with_two_networks());
    let names: Vec<_> = report(&one)
        .files
        .iter()
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    report(&two);
    let expected = [
        "leaderboard.csv",
        "classes.csv",
        "confusion.csv",
        "speed.csv",
        "leaderboard.html",
        "leaderboard.json",
        "leaderboard.tex",
        "leaderboard.md",
        "leaderboard.parquet",
    ];
    assert_eq!(names, expected);
    for name in names {
        let bytes = |runs: &Runs| fs::read(runs.output().join(&name)).expect("the report has this file");
        assert_eq!(bytes(&one), bytes(&two), "{name}");
    }
}

#[test]
fn markdown_and_latex_name_the_protocol() {
    let runs = Runs::with_two_networks();
    report(&runs);
    insta::assert_snapshot!("markdown", read(&runs.output(), "leaderboard.md"));
    insta::assert_snapshot!("latex", read(&runs.output(), "leaderboard.tex"));
}

#[test]
fn the_page_loads_nothing_from_outside() {
    let page = html(&Runs::with_two_networks());
    for attribute in ["src=\"", "href=\""] {
        let targets: Vec<_> = page.split(attribute).skip(1).collect();
        assert!(!targets.is_empty());
        for target in targets {
            assert!(target.starts_with("data:image/") || target.starts_with('#'), "{}", &target[..40]);
        }
    }
    let lower = page.to_lowercase();
    for mark in ["http:", "https:", "url(", "@import", "<link", "<iframe", "fetch(", "srcset", "//cdn"] {
        assert!(!lower.contains(mark), "the page contains `{mark}`");
    }
}

#[test]
fn every_link_within_the_page_has_its_target() {
    let page = html(&Runs::with_two_networks());
    for target in page.split("href=\"#").skip(1) {
        let name = target.split('"').next().expect("a quote");
        assert_eq!(page.matches(&format!("id=\"{name}\"")).count(), 1, "{name}");
    }
}

#[test]
fn the_page_names_confusions_and_leaves_absent_classes_without_a_score() {
    let page = html(&Runs::with_two_networks());
    // 15 and 10 of 80 pixels of sky, 25 of 580 of road.
    for text in [
        "<b>18.8 %</b>of sky predicted as road",
        "<b>12.5 %</b>of sky predicted as no class",
        "<b>4.3 %</b>of road predicted as sky",
    ] {
        assert_eq!(page.matches(text).count(), 1, "{text}");
    }
    let train = page.split("</span>train</th>").nth(1).expect("a row for the absent class");
    let row = train.split("</tr>").next().expect("its end");
    assert_eq!(row.matches("<td class=\"none\" data-v=\"\">–</td>").count(), 2, "{row}");
    assert!(page.contains("<td class=\"v mid hi top\" data-v=\"0.9328\" style=\"--v:0.9328\">93.3</td>"));
}

#[test]
fn a_confusion_knows_the_images_it_comes_from() {
    let page = html(&Runs::with_two_networks());
    // Image k has k pixels of sky that the good network calls road, and five of road that it calls sky; only the first has pictures.
    assert_eq!(page.matches("data-i=\"4:5 3:4 2:3 0:1\"").count(), 1);
    assert_eq!(page.matches("data-i=\"0:5 1:5 2:5\"").count(), 1);
}

#[test]
fn scores_of_single_images_stand_in_the_page_as_data() {
    let page = html(&Runs::with_two_networks());
    let data = page.split("id=\"data\">").nth(1).and_then(|rest| rest.split("</script>").next());
    let data: serde_json::Value = serde_json::from_str(data.expect("the data")).expect("JSON");
    let ids: Vec<String> = (1..=5).map(|k| format!("street_{k}")).collect();
    assert_eq!(
        (&data[0]["ids"], &data[0]["examples"]),
        (&serde_json::json!(ids), &serde_json::json!([0, null, null, null, null]))
    );
    // Image 1 of the good network: road 37 of 37 + 5 + 1, sky 11 of 14 + 5; of the bad one: road 42 of 56, sky 0.
    let expected =
        [(37.0 / 43.0 + 11.0 / 19.0) / 2.0, 42.0 / 56.0 / 2.0].map(|score: f64| (score * 1000.0).round());
    assert_eq!(
        [&data[0]["scores"][0][0], &data[0]["scores"][1][0]],
        [&serde_json::json!(expected[0] as u64), &serde_json::json!(expected[1] as u64)]
    );
}

#[test]
fn trainings_have_their_recipe_and_their_curves() {
    let runs = Runs::with_two_networks();
    let rows: Vec<CurveRow> = (1..=20)
        .map(|step| CurveRow {
            step: step * 50,
            loss: Some(3.0 / step as f64),
            miou: (step % 5 == 0).then_some(step as f64 / 40.0),
        })
        .collect();
    write_curve(&runs.path().join("0000000000gd/curve.parquet"), &rows).expect("written");
    let page = html(&runs);
    let section =
        page.split("<section id=\"training\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let section = section.expect("trainings");
    for text in [
        "Trained on streets",
        "cross-entropy=1",
        "<td>enet</td>",
        "4\u{2009}000",
        "<td class=\"n\">50.00</td>",
    ] {
        assert_eq!(section.matches(text).count(), 1, "{text}");
    }
    assert_eq!(section.matches("class=\"line c0\"").count(), 3, "two plots and the key");
    assert!(html(&Runs::with_two_networks()).contains("Trained on streets"), "a recipe needs no curve");
}

#[test]
fn a_score_published_under_another_protocol_is_explained() {
    let runs = Runs::new();
    let weights = "segformer_mit-b0_8x1_1024x1024_160k_cityscapes_20211208_101857-e7f88502.pth";
    let mut whole = record("w", "segformer-b0");
    whole.weights = format!("checkpoints/{weights}");
    whole.dataset.name = "cityscapes".into();
    let mut slide = whole.clone();
    slide.run_id = "s".into();
    slide.protocol.name = "mmseg-slide@1".into();
    let mut tta = whole.clone();
    tta.run_id = "t".into();
    tta.protocol.name = "mmseg-tta@1".into();
    let mut own = whole.clone();
    (own.run_id, own.weights) = ("o".into(), "segformer-b0.streets".into());
    for record in [&whole, &slide, &tta, &own] {
        runs.add(record, &good_counts());
    }
    let rows = report(&runs).rows;
    let mut found: Vec<_> =
        rows.iter().map(|row| (row.run_id.as_str(), row.published_miou, row.verdict.as_deref())).collect();
    found.sort_by_key(|row| row.0);
    let expected = [
        ("o", None, Some("no match")),
        ("s", Some(76.54), Some("mismatch")),
        ("t", Some(78.22), Some("mismatch")),
        ("w", Some(76.54), Some("explained: published under mmseg-slide@1")),
    ];
    assert_eq!(found, expected);
    let page = read(&runs.output(), "leaderboard.html");
    assert!(page.contains("Nothing was published for the weights of 1 run."));
}

#[test]
fn two_runs_are_taken_apart_into_classes_and_images_that_add_up() {
    let runs = Runs::with_two_networks();
    let difference = diff(&runs.path(), "0000000000b", "0000000000gd").expect("comparable");
    assert!((difference.miou - (0.728_291 - 0.439_394)).abs() < 1e-6, "{}", difference.miou);
    let classes: f64 = difference.classes.iter().map(|class| class.contribution).sum();
    let images: f64 = difference.images.iter().map(|image| image.contribution).sum();
    assert!((classes - difference.miou).abs() < 1e-12 && (images - difference.miou).abs() < 1e-12);
    let back = diff(&runs.path(), "0000000000gd", "0000000000bd").expect("comparable");
    assert!((back.miou + difference.miou).abs() < 1e-15);
    let text = difference.text(2);
    for part in ["+28.89 points of mIoU under mmseg-whole@1", "| 3 images more |", "| sky   |"] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
}

#[test]
fn runs_that_do_not_compare_are_told_apart_by_name_and_reason() {
    let runs = Runs::with_two_networks();
    let mut counts = good_counts();
    counts[0].count += 1;
    runs.add(&record("redrawn", "good-net"), &counts);
    let mut fast = record("speed", "fast-net");
    fast.accuracy = None;
    segbench_storage::write_json(&runs.path().join("speed/record.json"), &fast).expect("written");
    let error = |first: &str, second: &str| diff(&runs.path(), first, second).expect_err("no comparison");
    let cases = [
        (error("0000000000gd", "redrawn"), ErrorKind::InvalidData, "other images or other labels"),
        (error("0000000000gd", "speed"), ErrorKind::InvalidData, "it has no mIoU"),
        (error("0000", "redrawn"), ErrorKind::Usage, "0000000000bd, 0000000000gd"),
        (error("redrwan", "speed"), ErrorKind::MissingInput, "no run `redrwan`"),
    ];
    for (err, kind, text) in cases {
        assert_eq!(err.kind(), kind, "{err}");
        assert!(err.to_string().contains(text), "{err}");
        assert!(err.help().is_some(), "{err}");
    }
    assert!(error("redrwan", "speed").help().expect("help").contains("redrawn"));
}

#[test]
fn hostile_names_stay_text_in_every_format() {
    let runs = Runs::new();
    let attack = "\"><script>alert('x')</script><img src=x onerror=alert(1)>";
    let mut hostile = record("h", attack);
    hostile.weights = attack.into();
    hostile.dataset.name = attack.into();
    hostile.dataset.source = attack.into();
    hostile.environment.hardware = attack.into();
    hostile.dataset.catalog.classes[0] = class(attack, [1, 2, 3]);
    hostile.speed = Some(speed(3.0));
    if let Some(speed) = &mut hostile.speed {
        speed.validity = attack.into();
    }
    if let Some(accuracy) = &mut hostile.accuracy {
        accuracy.examples = vec!["../../record".into(), attack.into()];
    }
    runs.add(&hostile, &good_counts());
    let page = html(&runs);
    assert_eq!(page.matches("<script").count(), 2, "only the page's own script and its data");
    assert!(!page.contains("<img src"), "no picture was there to show");
    assert!(!read(&runs.output(), "leaderboard.md").contains("<script"));
    let tex = read(&runs.output(), "leaderboard.tex");
    assert!(tex.contains("\\textless{}script\\textgreater{}"), "{tex}");
}

#[test]
fn what_was_not_measured_is_said() {
    let runs = Runs::new();
    runs.add(&record("a", "good-net"), &good_counts());
    let page = html(&runs);
    assert!(page.contains("No run measured speed."));
    assert!(page.contains("No run kept example pictures."));
    assert!(page.contains("No run of this group was measured for both accuracy and speed."));
    assert!(!page.contains("<svg") && !page.contains("Latency <small>"));
}

#[test]
fn a_run_with_speed_alone_is_listed_without_a_rank() {
    let runs = Runs::with_two_networks();
    let mut fast = record("s", "fast-net");
    fast.accuracy = None;
    fast.speed = Some(speed(1.0));
    segbench_storage::write_json(&runs.path().join("s/record.json"), &fast).expect("written");
    let report = report(&runs);
    let last = report.rows.last().expect("rows");
    assert_eq!(
        (last.model.as_str(), last.rank, last.miou, last.latency_p50_ms),
        ("fast-net", None, None, Some(1.0))
    );
    assert_eq!(report.notes, [""; 0]);
    assert!(read(&runs.output(), "leaderboard.html").contains("fast-net"));
}

#[test]
fn a_broken_run_is_skipped_and_named() {
    let runs = Runs::with_two_networks();
    let broken = |name: &str, text: &str| {
        segbench_storage::write(&runs.path().join(name).join("record.json"), text.as_bytes())
            .expect("written");
    };
    broken("cut", "{\"schema\": 1, \"run_id\":");
    fs::create_dir(runs.path().join("unfinished")).expect("created");
    segbench_storage::write_json(&runs.path().join("no-counts/record.json"), &record("n", "good-net"))
        .expect("written");
    let folder = runs.add(&record("cut-counts", "good-net"), &good_counts());
    fs::write(folder.join("counts.parquet"), b"PAR1 and no more").expect("written");
    let mut counts = good_counts();
    counts[3].ground_truth = 77;
    runs.add(&record("label", "good-net"), &counts);
    let folder = runs.add(&record("0000000000gd-copy", "good-net"), &good_counts());
    segbench_storage::write_json(&folder.join("record.json"), &record("0000000000gd", "good-net"))
        .expect("written");
    fs::write(runs.path().join("README.md"), "not a run").expect("written");

    let report = report(&runs);
    assert_eq!(report.rows.len(), 2);
    let names: Vec<_> = report.notes.iter().map(|note| note.split('`').nth(1).unwrap_or_default()).collect();
    assert_eq!(names, ["0000000000gd-copy", "cut", "cut-counts", "label", "no-counts", "unfinished"]);
    assert!(report.notes[3].contains("77") && report.notes[3].contains("street_1"), "{}", report.notes[3]);
    assert!(read(&runs.output(), "leaderboard.html").contains("skipped `unfinished`"));
}

#[test]
fn without_any_run_the_error_says_how_to_make_one() {
    let runs = Runs::new();
    for _ in 0..2 {
        let err = build(&runs.path(), &runs.output(), &Format::ALL).expect_err("nothing to report on");
        assert_eq!(err.kind(), ErrorKind::MissingInput);
        assert!(err.help().expect("help").contains("just bench segformer"));
        assert!(!runs.output().exists());
        fs::create_dir_all(runs.path()).expect("created");
    }
    fs::create_dir(runs.path().join("unfinished")).expect("created");
    let err = build(&runs.path(), &runs.output(), &Format::ALL).expect_err("nothing to report on");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.to_string().contains("unfinished"));
}

#[test]
fn a_picture_that_is_not_there_is_noted() {
    let runs = Runs::with_two_networks();
    fs::remove_file(runs.path().join("0000000000gd/examples/street_1.error.png")).expect("removed");
    let report = report(&runs);
    assert_eq!(report.notes.len(), 1);
    assert!(
        report.notes[0].contains("left `street_1` of run 0000000000gd out of the gallery"),
        "{:?}",
        report.notes
    );
    // Image, ground truth, prediction and error of the other run.
    assert_eq!(read(&runs.output(), "leaderboard.html").matches("<img src=").count(), 4);
}

#[test]
fn only_the_formats_asked_for_are_written() {
    let runs = Runs::with_two_networks();
    let report =
        build(&runs.path(), &runs.output(), &[Format::Markdown, Format::Markdown]).expect("a report");
    assert_eq!(report.files, [runs.output().join("leaderboard.md")]);
    assert_eq!(fs::read_dir(runs.output()).expect("listed").count(), 1);
}
