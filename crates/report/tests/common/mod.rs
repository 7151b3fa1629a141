//! Run folders with known counts.
//!
//! Five images, three classes of which one (`train`) never occurs. Image k = 1..=5 has 37k + 5 pixels of `road` and 13 + k of
//! `sky`. The good network finds 37k and 11 of them and leaves 2 pixels of `sky` without a class; the bad one calls all of it
//! `road`. Pooled over the images:
//!
//! | | road -> road | road -> sky | sky -> sky | sky -> road | sky -> none | IoU road | IoU sky | mIoU |
//! | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//! | good | 555 | 25 | 55 | 15 | 10 | 555/595 = 93.28 % | 55/105 = 52.38 % | 72.83 % |
//! | bad | 580 | 0 | 0 | 80 | 0 | 580/660 = 87.88 % | 0 | 43.94 % |

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use segbench_tables::{CountRow, LatencyRow, write_counts, write_latency};
use segbench_types::{
    Accuracy, Class, ClassCatalog, DatasetInfo, Environment, Protocol, RunRecord, Speed, SpeedPoint,
    SplitInfo, Timing, TrainingSummary,
};

/// A PNG file of one pixel.
pub(crate) const PIXEL: [u8; 69] = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44, 0x52, 0x00,
    0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x00, 0x00, 0x00, 0x90, 0x77, 0x53, 0xde, 0x00,
    0x00, 0x00, 0x0c, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x68, 0x70, 0x68, 0x00, 0x00, 0x02, 0x84,
    0x01, 0x41, 0x18, 0x9d, 0x95, 0x77, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60,
    0x82,
];

/// A folder for runs that goes away with the value.
pub(crate) struct Runs {
    pub(crate) dir: tempfile::TempDir,
}

impl Runs {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder") }
    }

    /// The folder with the runs.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("runs")
    }

    /// The folder for the report.
    pub(crate) fn output(&self) -> PathBuf {
        self.dir.path().join("reports")
    }

    /// Writes a run under its run id.
    pub(crate) fn add(&self, record: &RunRecord, counts: &[CountRow]) -> PathBuf {
        let folder = self.path().join(&record.run_id);
        segbench_storage::write_json(&folder.join("record.json"), record).expect("written");
        write_counts(&folder.join("counts.parquet"), counts).expect("written");
        folder
    }

    /// The good and the bad network, measured for speed, with one example picture.
    pub(crate) fn with_two_networks() -> Self {
        let runs = Self::new();
        let mut bad = record("0000000000bd", "bad-net");
        bad.parameters = 1_234_567;
        let mut good = record("0000000000gd", "good-net");
        good.published_miou = Some(72.8);
        good.training = Some(TrainingSummary {
            dataset: "streets".into(),
            loss: "cross-entropy=1".into(),
            class_weights: Some("enet".into()),
            steps: 4000,
            seed: 7,
        });
        for (record, counts, latency) in [(bad, bad_counts(), 9.0), (good, good_counts(), 30.5)] {
            let mut record = record;
            record.speed = Some(speed(latency));
            if let Some(accuracy) = &mut record.accuracy {
                accuracy.examples = vec!["street_1".into()];
            }
            let folder = runs.add(&record, &counts);
            for name in ["image.jpg", "truth.png", "prediction.png", "error.png"] {
                let path = folder.join(format!("examples/street_1.{name}"));
                segbench_storage::write(&path, &PIXEL).expect("written");
            }
            let rows: Vec<_> = (0..70)
                .map(|query| LatencyRow {
                    stage: "forward".into(),
                    height: 37,
                    width: 53,
                    batch: 1,
                    query,
                    milliseconds: latency - 1.0 + f64::from(query) / 35.0,
                })
                .collect();
            write_latency(&folder.join("latency.parquet"), &rows).expect("written");
        }
        runs
    }
}

pub(crate) fn good_counts() -> Vec<CountRow> {
    images(|k| vec![(0, 0, 37 * k), (0, 1, 5), (1, 1, 11), (1, 0, k), (1, 255, 2), (255, 0, 4)])
}

pub(crate) fn bad_counts() -> Vec<CountRow> {
    images(|k| vec![(0, 0, 37 * k + 5), (1, 0, 13 + k), (255, 1, 4)])
}

fn images(cells: impl Fn(u64) -> Vec<(u8, u8, u64)>) -> Vec<CountRow> {
    (1..=5)
        .flat_map(|k| {
            cells(k).into_iter().map(move |(ground_truth, predicted, count)| CountRow {
                image_id: format!("street_{k}"),
                ground_truth,
                predicted,
                count,
            })
        })
        .collect()
}

pub(crate) fn class(name: &str, color: [u8; 3]) -> Class {
    Class { name: name.into(), color, source_id: 0, has_instances: false }
}

pub(crate) fn speed(latency_p50_ms: f64) -> Speed {
    let point = SpeedPoint {
        input_size: [37, 53],
        batch: 1,
        gmacs: 7.918_4,
        queries: 70,
        latency_p50_ms: Some(latency_p50_ms),
        latency_p90_ms: Some(latency_p50_ms + 0.8),
        latency_p99_ms: None,
        images_per_second: Some(1000.0 / latency_p50_ms),
        peak_memory_mib: Some(1234.5),
    };
    Speed { points: vec![point], validity: "VALID".into() }
}

/// A run on the five images, with accuracy only.
pub(crate) fn record(run_id: &str, model: &str) -> RunRecord {
    RunRecord {
        schema: 1,
        run_id: run_id.into(),
        model: model.into(),
        weights: format!("{model}.streets"),
        weights_sha256: "ab".repeat(32),
        training: None,
        dataset: DatasetInfo {
            name: "streets".into(),
            converter_version: 1,
            source: "drawn for a test".into(),
            licence: "CC0".into(),
            ignore_value: 255,
            images: "original".into(),
            splits: BTreeMap::from([("val".into(), SplitInfo { images: 5, labelled: 5 })]),
            catalog: ClassCatalog {
                name: "streets-3".into(),
                classes: vec![
                    class("road", [128, 64, 128]),
                    class("sky", [70, 130, 180]),
                    class("train", [0, 80, 100]),
                ],
                ignored_source_ids: vec![],
            },
        },
        manifest_sha256: "cd".repeat(32),
        split: "val".into(),
        protocol: Protocol::mmseg_whole(),
        parameters: 3_719_027,
        accuracy: Some(Accuracy { images: 5, available: 5, ignored_pixels: 20, examples: vec![] }),
        speed: None,
        published_miou: None,
        device: "cpu".into(),
        dtype: "f32".into(),
        environment: Environment {
            hardware: "Test CPU".into(),
            threads: 2,
            segbench: "0.1.0".into(),
            system: "linux x86_64".into(),
        },
        timing: Timing { accuracy_seconds: 1.5, speed_seconds: 2.5 },
    }
}

/// The text of a report file.
pub(crate) fn read(dir: &Path, name: &str) -> String {
    segbench_storage::read_to_string(&dir.join(name)).expect("the report has this file")
}
