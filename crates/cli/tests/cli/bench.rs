//! `bench` from weights to leaderboard, counted again by other means.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{ACCURACY, Place};

/// DESIGN.md fixes the columns and their order.
const HEADER: &str = "rank,model,weights,train_dataset,loss,class_weights,train_steps,seed,dataset,split,protocol,\
images,miou,miou_low,miou_high,group,pixel_accuracy,mean_recall,mean_precision,mean_dice,fw_iou,boundary_iou,parameters,\
gmacs,device,hardware,threads,dtype,input_size,batch,latency_p50_ms,latency_p90_ms,latency_p99_ms,images_per_second,\
peak_memory_mib,validity,published_miou,delta,verdict,run_id";

/// The samples of a label PNG, by another reader than the program's own.
fn samples(path: &Path) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).expect("open")));
    reader.set_transformations(png::Transformations::IDENTITY);
    let mut reader = reader.read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut bytes).expect("pixels");
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Indexed, png::BitDepth::Eight));
    bytes.truncate(info.buffer_size());
    bytes
}

/// Rows are ground truth, columns predictions, the last one "no class".
fn confusion(place: &Place, run: &Path) -> (Vec<Vec<u64>>, u64) {
    let (mut rows, mut ignored) = (vec![vec![0; 20]; 19], 0);
    let labels = place.join("data/prepared/sample/labels/val");
    let mut images = 0;
    for entry in fs::read_dir(run.join("predictions")).expect("predictions") {
        let path = entry.expect("an entry").path();
        let (truth, prediction) = (samples(&labels.join(path.file_name().expect("a name"))), samples(&path));
        assert_eq!(truth.len(), prediction.len());
        images += 1;
        for (&truth, &prediction) in truth.iter().zip(&prediction) {
            match truth {
                255 => ignored += 1,
                _ => rows[usize::from(truth)][usize::from(prediction).min(19)] += 1,
            }
        }
    }
    assert_eq!(images, 3);
    (rows, ignored)
}

/// Mean over the classes that occur in truth or prediction.
fn miou(rows: &[Vec<u64>]) -> f64 {
    let ious: Vec<f64> = (0..19)
        .filter_map(|class| {
            let union = rows[class].iter().sum::<u64>() + rows.iter().map(|row| row[class]).sum::<u64>()
                - rows[class][class];
            (union > 0).then(|| rows[class][class] as f64 / union as f64)
        })
        .collect();
    ious.iter().sum::<f64>() / ious.len() as f64
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn the_leaderboard_the_predictions_and_an_independent_count_agree() {
    let place = Place::trained();
    let rows = place.run_drawn(&[&ACCURACY[..], &["--json"]].concat()).is(0, &["using the CPU"]).json();
    let run = place.only_run();
    let (counted, ignored) = confusion(&place, &run);

    let predictions = run.join("predictions").display().to_string();
    let evaluate = ["evaluate", "--dataset", "sample", "--json", "--predictions", &predictions];
    let scores = place.run(&evaluate).is(0, &[]).json();
    assert_eq!(scores["confusion"], serde_json::json!(counted));
    assert_eq!((&scores["ignored_pixels"], &scores["images"]), (&Value::from(ignored), &Value::from(3)));
    assert!((number(&scores["miou"]) - miou(&counted)).abs() < 1e-12);
    assert!((number(&rows[0]["miou"]) - 100.0 * miou(&counted)).abs() < 1e-9, "{}", rows[0]["miou"]);
    for name in ["pixel_accuracy", "mean_recall", "mean_precision", "mean_dice", "fw_iou"] {
        assert!((number(&rows[0][name]) - 100.0 * number(&scores[name])).abs() < 1e-9, "{name}");
    }
}

#[test]
fn the_leaderboard_has_the_documented_columns_and_ranks_by_miou() {
    let place = Place::trained();
    let other = ["--note", "longer", "--seed", "3"];
    let train =
        [&crate::support::TRAIN[..4], &["--crop", "32x64", "--batch", "1", "--steps", "6"], &other].concat();
    place.run_drawn(&train).is(0, &["segformer-tiny.sample.longer"]);
    let rows = place.run_drawn(&[&ACCURACY[..], &["--json"]].concat()).is(0, &[]).json();
    assert_eq!((&rows[0]["rank"], &rows[1]["rank"]), (&Value::from(1), &Value::from(2)));
    assert!(number(&rows[0]["miou"]) >= number(&rows[1]["miou"]));
    let csv = fs::read_to_string(place.join("reports/leaderboard.csv")).expect("a table");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), (HEADER, 3));
    // Scores have two decimals and what was not measured is empty.
    let (names, cells): (Vec<_>, Vec<_>) = (HEADER.split(',').collect(), lines[1].split(',').collect());
    let cell = |name| cells[names.iter().position(|other| *other == name).expect("a column")];
    assert_eq!(cell("miou"), format!("{:.2}", number(&rows[0]["miou"])));
    assert_eq!((cell("latency_p50_ms"), cell("train_dataset")), ("", "sample"));
    assert!(cell("boundary_iou").parse::<f64>().is_ok_and(|score| (0.0..=100.0).contains(&score)));
    for file in
        ["leaderboard.html", "leaderboard.md", "leaderboard.tex", "leaderboard.parquet", "classes.csv"]
    {
        assert!(place.join("reports").join(file).is_file(), "{file}");
    }
}

#[test]
fn a_second_run_measures_nothing_and_changes_nothing() {
    let place = Place::trained();
    place.run_drawn(&ACCURACY).is(0, &[]);
    let first = place.tree("");
    place.run_drawn(&ACCURACY).is(0, &["up to date"]);
    crate::support::same_trees(&place.tree(""), &first);
}

#[test]
fn a_limit_is_a_run_of_its_own_and_is_told() {
    let place = Place::trained();
    let rows = place.run_drawn(&[&ACCURACY[..], &["--limit", "2", "--json"]].concat()).is(0, &[]).json();
    assert_eq!(rows[0]["images"], 2);
    let record = fs::read_to_string(place.only_run().join("record.json")).expect("a record");
    let record: Value = serde_json::from_str(&record).expect("JSON");
    assert_eq!((&record["accuracy"]["images"], &record["accuracy"]["available"]), (&2.into(), &3.into()));
}

#[test]
fn speed_alone_has_latencies_and_no_score() {
    let place = Place::trained();
    let arguments = ["bench", "segformer-tiny", "--speed", "--size", "32x32", "--json"];
    let rows = place.run_drawn(&arguments).is(0, &[]).json();
    let row = &rows[0];
    assert!(row["miou"].is_null() && number(&row["latency_p50_ms"]) > 0.0 && number(&row["gmacs"]) > 0.0);
    assert_eq!((&row["input_size"], &row["batch"]), (&Value::from("32x32"), &Value::from(1)));
    assert!(place.only_run().join("latency.parquet").is_file());
}

#[test]
fn a_model_that_fails_does_not_keep_the_others_from_the_leaderboard() {
    let place = Place::trained();
    let weights = fs::read_dir(place.join("data/weights")).expect("weights");
    let mut paths = weights.map(|entry| entry.expect("an entry").path());
    let tiny = paths.find(|path| path.extension().is_some_and(|name| name == "safetensors"));
    let tiny = tiny.expect("the weights of segformer-tiny").display().to_string();
    let arguments = ["bench", "segformer-b0", "segformer-tiny", "--accuracy", "--weights", &tiny];
    let ended = place.run_drawn(&arguments);
    ended.is(8, &["the weights do not fit `segformer-b0`", "1 of 2 stages failed"]);
    assert!(ended.stdout.contains("segformer-tiny"), "{ended:#?}");
}
