//! What a file must be to whoever finds it: the same bytes every time, and a clear error when it is not what it should be.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;

use segbench_tables::{
    CountRow, Error, LatencyRow, Table, read_counts, read_manifest, write_counts, write_latency,
    write_manifest,
};
use segbench_types::{ErrorKind, Explain, ImageRecord};

/// Where the helper process below writes.
const OUTPUT: &str = "SEGBENCH_TABLES_TEST_OUTPUT";
const FILES: [&str; 4] = ["manifest.parquet", "counts.parquet", "latency.parquet", "table.parquet"];

fn record(index: u64) -> ImageRecord {
    ImageRecord {
        id: format!("image_{index:05}"),
        split: if index.is_multiple_of(5) { "val" } else { "train" }.into(),
        image: format!("images/train/image_{index:05}.png"),
        label: (!index.is_multiple_of(7)).then(|| format!("labels/train/image_{index:05}.png")),
        width: 53,
        height: 37,
        image_sha256: format!("{:064x}", index.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        label_sha256: None,
        class_pixels: (0..19).map(|class| index * 31 % (class + 3)).collect(),
        ignored_pixels: index % 11,
    }
}

fn write_all(dir: &Path) {
    let records: Vec<ImageRecord> = (0..3000).map(record).collect();
    write_manifest(&dir.join(FILES[0]), &records).expect("written");
    let counts: Vec<CountRow> = (0..40_000_u64)
        .map(|cell| CountRow {
            image_id: format!("image_{:05}", cell / 80),
            ground_truth: (cell / 9 % 19) as u8,
            predicted: if cell % 9 == 0 { 255 } else { (cell % 19) as u8 },
            count: cell * cell % 65_537,
        })
        .collect();
    write_counts(&dir.join(FILES[1]), &counts).expect("written");
    let latencies: Vec<LatencyRow> = (0..700)
        .map(|query| LatencyRow {
            stage: "network".into(),
            height: 37,
            width: 53,
            batch: 1,
            query,
            milliseconds: f64::from(query).sqrt(),
        })
        .collect();
    write_latency(&dir.join(FILES[2]), &latencies).expect("written");
    Table::new()
        .text("name", vec![Some("road".into()), None, Some(String::new())])
        .integer("pixels", vec![Some(1), None, Some(u64::MAX)])
        .float("weight", Some(2), vec![Some(1.0 / 3.0), None, Some(-0.0)])
        .write_parquet(&dir.join(FILES[3]))
        .expect("written");
}

#[test]
#[ignore = "the helper process of the next test"]
fn write_where_told() {
    if let Some(dir) = std::env::var_os(OUTPUT) {
        write_all(Path::new(&dir));
    }
}

#[test]
fn the_same_rows_give_the_same_bytes_with_any_number_of_threads() {
    let dir = tempfile::tempdir().expect("a folder");
    let written_with = |threads: &str| {
        let output = dir.path().join(threads);
        let status = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "write_where_told", "--ignored"])
            .env(OUTPUT, &output)
            .env("POLARS_MAX_THREADS", threads)
            .output()
            .expect("started")
            .status;
        assert!(status.success());
        FILES.map(|file| fs::read(output.join(file)).expect("written"))
    };
    let here = dir.path().join("here");
    write_all(&here);
    let here = FILES.map(|file| fs::read(here.join(file)).expect("written"));
    for threads in ["1", "7"] {
        assert!(written_with(threads) == here, "the bytes change with {threads} threads");
    }
}

#[test]
fn a_file_that_is_not_there_is_missing_input() {
    let err = read_manifest(Path::new("data/prepared/nothing/manifest.parquet")).expect_err("not there");
    assert_eq!(err.kind(), ErrorKind::MissingInput);
    assert_eq!(err.to_string(), "`data/prepared/nothing/manifest.parquet` does not exist");
}

#[test]
fn a_file_of_another_kind_is_refused_wherever_it_was_cut() {
    let dir = tempfile::tempdir().expect("a folder");
    write_all(dir.path());
    let path = dir.path().join(FILES[1]);
    let whole = fs::read(&path).expect("written");
    let mut without_middle = whole[..whole.len() / 2].to_vec();
    without_middle.extend_from_slice(&whole[whole.len() - 200..]);
    let cases =
        [b"image_id,ground_truth\n".to_vec(), Vec::new(), whole[..whole.len() / 2].to_vec(), without_middle];
    for (case, bytes) in cases.iter().enumerate() {
        fs::write(&path, bytes).expect("written");
        let err = read_counts(&path).expect_err("damaged");
        assert!(matches!(err, Error::Malformed { .. }), "case {case}: {err:?}");
        assert_eq!(err.kind(), ErrorKind::InvalidData);
        assert!(err.to_string().contains("counts.parquet"));
        assert!(err.help().is_some_and(|help| help.contains("segbench bench")));
    }
}

#[test]
fn a_missing_column_is_named_with_those_that_are_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("manifest.parquet");
    Table::new().text("id", vec![None]).text("split", vec![None]).write_parquet(&path).expect("written");
    let err = read_manifest(&path).expect_err("columns are missing");
    assert!(err.to_string().ends_with("has no column `image`, it has `id`, `split`"), "{err}");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.help().is_some_and(|help| help.contains("segbench prepare")));
}

#[test]
fn a_column_of_another_type_and_an_empty_cell_are_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("counts.parquet");
    let wrong = |image_id: Option<&str>| {
        Table::new()
            .text("image_id", vec![image_id.map(str::to_owned)])
            .integer("ground_truth", vec![Some(1)])
            .integer("predicted", vec![Some(1)])
            .integer("count", vec![Some(1)])
    };
    wrong(Some("a")).write_parquet(&path).expect("written");
    let err = read_counts(&path).expect_err("u64 classes").to_string();
    assert!(
        err.starts_with("column `ground_truth` of `") && err.ends_with("` holds `u64`, expected `u8`"),
        "{err}"
    );

    let path = dir.path().join("manifest.parquet");
    let one = [record(1)];
    write_manifest(&path, &one).expect("written");
    assert_eq!(read_manifest(&path).expect("read"), one);
    let latency = dir.path().join("latency.parquet");
    let none = || vec![Some(1)];
    Table::new()
        .text("stage", vec![None])
        .integer("height", none())
        .integer("width", none())
        .integer("batch", none())
        .integer("query", none())
        .float("milliseconds", None, vec![None])
        .write_parquet(&latency)
        .expect("written");
    let err = segbench_tables::read_latency(&latency).expect_err("u64 sizes");
    assert!(matches!(err, Error::WrongType { .. }), "{err:?}");
}
