//! A run cut into tasks: what its key depends on, what its tasks leave, and what `finish` refuses.

#![expect(clippy::expect_used, reason = "a test that cannot make its files has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{DType, Device};
use segbench_benchmark::{Error, Job, SpeedOptions, TaskResult, WeightsSource};
use segbench_datasets::{Conversion, ConversionOptions, PreparedDataset};
use segbench_models::{InputSpec, zoo};
use segbench_nn::weights::{Parameters, write_checkpoint};
use segbench_tables::read_counts;
use segbench_testkit::{HEIGHT, WIDTH, cityscapes, rgb8};
use segbench_types::{ErrorKind, Explain as _, IGNORE, Protocol, Silent, Task};
use tempfile::TempDir;

/// A prepared miniature Cityscapes with 70 more train images, and weights of `segformer-tiny`.
struct Bench {
    dir: TempDir,
    dataset: PreparedDataset,
    weights: WeightsSource,
}

#[derive(Default)]
struct Steps(AtomicU64);

impl Task for Steps {
    fn advance(&self, steps: u64) {
        self.0.fetch_add(steps, Ordering::Relaxed);
    }

    fn message(&self, _: &str) {}
}

fn weights(path: PathBuf, classes: usize) -> WeightsSource {
    let parameters = Parameters::new(5);
    let model = zoo::find("segformer-tiny").expect("a model");
    model.build(InputSpec::rgb(classes), parameters.var_builder(&Device::Cpu)).expect("built");
    write_checkpoint(&path, &parameters.tensors(), DType::F32, &BTreeMap::new()).expect("written");
    let sha256 = segbench_storage::sha256_file(&path).expect("read");
    WeightsSource { tag: "tiny".into(), sha256, path: Some(path), training: None }
}

impl Bench {
    fn new(more: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut files = cityscapes();
        let (image, label) =
            ("leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png", "_gtFine_labelIds.png");
        let label = files.0[&format!("gtFine/train/ulm/ulm_000000_000019{label}")].clone();
        for index in 0..more {
            let id = format!("ulm_000001_{index:06}");
            let mut pixels = vec![40_u8; (3 * WIDTH * HEIGHT) as usize];
            pixels.iter_mut().step_by(index + 2).for_each(|sample| *sample = 200);
            let image = image.replace("ulm_000000_000019", &id);
            files.insert(&image, rgb8(WIDTH, HEIGHT, &pixels));
            files.insert(&format!("gtFine/train/ulm/{id}_gtFine_labelIds.png"), label.clone());
        }
        let source = dir.path().join("source");
        files.write_folder(&source);
        let root = dir.path().join("data");
        let options = ConversionOptions::default();
        let conversion = Conversion::plan("cityscapes", &options, &[source], &[], &root).expect("planned");
        conversion.run(&Silent).expect("converted");
        let dataset = PreparedDataset::open(&root, "cityscapes").expect("opened");
        let weights = weights(dir.path().join("tiny.safetensors"), 19);
        Self { dir, dataset, weights }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn job(&self, runs: &str) -> Job {
        let protocol = Protocol::mmseg_whole();
        let runs = self.dir.path().join(runs);
        Job::new(
            "segformer-tiny",
            self.weights.clone(),
            &self.dataset,
            &self.root(),
            "train",
            protocol,
            "cpu",
            &runs,
        )
    }
}

/// Files below a folder by name.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).expect("listed");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn tasks_in_any_order_and_in_other_processes_give_the_same_run() {
    let bench = Bench::new(70);
    let job = bench.job("a");
    let (count, steps) = (job.task_count().expect("counted"), Steps::default());
    assert_eq!((count, job.steps().expect("counted")), (3, 73), "73 images, 32 to a task");
    let results: Vec<TaskResult> =
        (0..count).map(|index| job.run_task(index, &steps).expect("done")).collect();
    assert_eq!(steps.0.into_inner(), 73);
    assert!(!job.is_done());
    let record = job.finish(results.clone()).expect("finished");
    assert!(job.is_done());
    assert_eq!(
        record.accuracy.as_ref().map(|accuracy| (accuracy.images, accuracy.available)),
        Some((73, 73))
    );

    // Another process has the plan as JSON, and another order.
    let mut other = bench.job("b");
    other.root = bench.root();
    let other: Job = serde_json::from_str(&serde_json::to_string(&other).expect("JSON")).expect("a job");
    let mut again: Vec<(usize, TaskResult)> = [2, 0, 1]
        .into_iter()
        .map(|index| (index, other.run_task(index, &Steps::default()).expect("done")))
        .collect();
    again.sort_by_key(|(index, _)| *index);
    other.finish(again.into_iter().map(|(_, result)| result).collect()).expect("finished");
    let bytes = |job: &Job| fs::read(job.run_dir().join("counts.parquet")).expect("read");
    assert!(bytes(&job) == bytes(&other));
    let predictions = names(&job.run_dir().join("predictions"));
    assert_eq!(predictions.len(), 73);
    for name in &predictions {
        let read = |job: &Job| fs::read(job.run_dir().join("predictions").join(name)).expect("read");
        assert!(read(&job) == read(&other), "{name}");
    }
    // Four examples spread over the split, up to four by their scores, and four pictures of each.
    let examples = record.accuracy.as_ref().map_or(0, |accuracy| accuracy.examples.len());
    assert!((4..=8).contains(&examples), "{examples}");
    assert_eq!(names(&job.run_dir().join("examples")).len(), 4 * examples);
    assert!(names(&job.run_dir().join("examples")) == names(&other.run_dir().join("examples")));

    // Every pixel of every image is counted once.
    let mut pixels = BTreeMap::<String, u64>::new();
    let mut ignored = 0;
    for row in read_counts(&job.run_dir().join("counts.parquet")).expect("counts") {
        *pixels.entry(row.image_id).or_default() += row.count;
        ignored += if row.ground_truth == IGNORE { row.count } else { 0 };
    }
    let outside = record.accuracy.expect("accuracy").ignored_pixels;
    // The table may leave ignored pixels out, for the record has their number.
    let counted: u64 = pixels.values().sum();
    assert_eq!((pixels.len(), counted - ignored + outside), (73, 73 * u64::from(WIDTH * HEIGHT)));
}

#[test]
fn a_run_that_lacks_results_is_refused_and_not_done() {
    let bench = Bench::new(30);
    let job = bench.job("runs");
    let first = job.run_task(0, &Steps::default()).expect("done");
    let err = job.finish(vec![first.clone()]).expect_err("one of two shards");
    assert!(matches!(err, Error::BadResults { .. }) && !job.is_done(), "{err}");
    assert!(job.run_task(2, &Steps::default()).is_err(), "there is no speed to measure");
    assert!(job.holds(&first));
    let prediction = names(&job.run_dir().join("predictions")).into_iter().next().expect("one");
    fs::remove_file(job.run_dir().join("predictions").join(prediction)).expect("removed");
    assert!(!job.holds(&first));
}

#[test]
fn the_key_depends_on_what_determines_the_result_and_on_no_folder() {
    let bench = Bench::new(0);
    let key = bench.job("a").key();
    let mut moved = bench.job("b");
    moved.root = "elsewhere".into();
    moved.weights.path = Some("elsewhere.safetensors".into());
    assert_eq!(moved.key(), key);
    let changes: [fn(&mut Job); 8] = [
        |job| job.model = "segformer-b0".into(),
        |job| job.weights.sha256 = "0".repeat(64),
        |job| job.manifest_sha256 = "0".repeat(64),
        |job| job.split = "val".into(),
        |job| job.protocol.name = "other@1".into(),
        |job| job.device = "cuda".into(),
        |job| job.limit = Some(1),
        |job| job.speed = Some(SpeedOptions { sizes: Vec::new(), batches: vec![1], seconds: 1.0 }),
    ];
    let keys: BTreeSet<String> = changes
        .iter()
        .map(|change| {
            let mut job = bench.job("a");
            change(&mut job);
            job.key()
        })
        .chain([key])
        .collect();
    assert_eq!(keys.len(), changes.len() + 1);
}

#[test]
fn weights_of_other_classes_and_splits_without_labels_are_refused() {
    let mut bench = Bench::new(0);
    bench.weights = weights(bench.dir.path().join("other.safetensors"), 11);
    let err = bench.job("runs").run_task(0, &Steps::default()).expect_err("11 classes");
    assert_eq!(err.kind(), ErrorKind::InvalidData);
    assert!(err.to_string().contains("11") && err.to_string().contains("19"), "{err}");
    let mut job = bench.job("runs");
    job.split = "test".into();
    let err = job.task_count().expect_err("the test split has no labels");
    assert_eq!(err.kind(), ErrorKind::MissingInput);
    assert!(err.to_string().contains("test"), "{err}");
}

#[test]
fn speed_is_measured_at_every_size_and_batch_and_few_queries_earn_no_percentile() {
    let bench = Bench::new(0);
    let mut job = bench.job("runs");
    job.accuracy = false;
    job.speed = Some(SpeedOptions { sizes: vec![[32, 64], [64, 32]], batches: vec![1, 2], seconds: 0.4 });
    assert_eq!(job.task_count().expect("counted"), 1);
    let result = job.run_task(0, &Steps::default()).expect("measured");
    let record = job.finish(vec![result]).expect("finished");
    let speed = record.speed.expect("speed");
    let measured: Vec<_> = speed.points.iter().map(|point| (point.input_size, point.batch)).collect();
    assert_eq!(measured, [([32, 64], 1), ([32, 64], 2), ([64, 32], 1), ([64, 32], 2)]);
    for point in &speed.points {
        assert!(point.queries > 0 && point.gmacs > 0.0);
        assert_eq!(point.latency_p50_ms.is_some(), point.queries >= 11);
        assert_eq!(point.latency_p99_ms.is_some(), point.queries >= 662);
    }
    // Multiply-adds are those of one image, whatever the batch.
    assert_eq!(speed.points[0].gmacs, speed.points[1].gmacs);
    assert!(record.accuracy.is_none() && !job.run_dir().join("counts.parquet").exists());
    let rows = segbench_tables::read_latency(&job.run_dir().join("latency.parquet")).expect("latencies");
    assert_eq!(rows.len() as u64, speed.points.iter().map(|point| point.queries).sum::<u64>());
}
