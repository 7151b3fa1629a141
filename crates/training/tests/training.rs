//! Whole trainings on a miniature data set: they learn, they stop, and they go on as if they had not stopped.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use image::{Rgb, RgbImage};
use segbench_datasets::{PreparedDataset, label_png};
use segbench_models::zoo;
use segbench_training::{ClassWeights, Error, LogRecord, TrainOptions, TrainingCard, train};
use segbench_types::{
    Class, ClassCatalog, DatasetInfo, IGNORE, ImageRecord, LabelMap, Progress, Rng, Silent, Task,
};
use tempfile::TempDir;

const MODEL: &str = "segformer-tiny";
const SIZE: (u32, u32) = (96, 80);

/// Four classes, told apart by noisy colors: sky above, ground below, and two kinds of boxes.
fn draw(rng: &mut Rng) -> (RgbImage, LabelMap) {
    let (width, height) = SIZE;
    let horizon = 25 + rng.below(30) as u32;
    let boxes: Vec<[u32; 3]> =
        (0..4).map(|_| [rng.below(80), rng.below(60), 2 + rng.below(2)].map(|x| x as u32)).collect();
    let label = |x: u32, y: u32| {
        let inside = boxes
            .iter()
            .find(|[left, top, _]| (*left..left + 20).contains(&x) && (*top..top + 24).contains(&y));
        inside.map_or(u8::from(y >= horizon), |[.., label]| *label as u8)
    };
    let mut labels = Vec::new();
    let mut image = RgbImage::new(width, height);
    for (x, y, pixel) in image.enumerate_pixels_mut() {
        let class = label(x, y);
        labels.push(if (x + y) % 23 == 0 { IGNORE } else { class });
        let color = [[90, 140, 220], [110, 100, 100], [200, 40, 50], [40, 160, 60]][usize::from(class)];
        *pixel =
            Rgb(color.map(|channel: u8| (f32::from(channel) + 20.0 * rng.normal()).clamp(0.0, 255.0) as u8));
    }
    let order = LabelMap::new(width, height, labels).unwrap();
    (image, order)
}

fn dataset(root: &Path) -> PreparedDataset {
    let class = |(id, name): (usize, &str)| Class {
        name: name.into(),
        color: [id as u8 * 60; 3],
        source_id: id as u16,
        has_instances: false,
    };
    let catalog = ClassCatalog {
        name: "miniature-4".into(),
        classes: ["sky", "ground", "red box", "green box"].into_iter().enumerate().map(class).collect(),
        ignored_source_ids: vec![],
    };
    let folder = root.join("prepared/miniature");
    let mut records = Vec::new();
    for (split, count) in [("train", 7), ("val", 3)] {
        for index in 0..count {
            let (image, labels) = draw(&mut Rng::new(count, &[index]));
            let id = format!("{split}_{index}");
            let record = ImageRecord {
                image: format!("images/{split}/{id}.png"),
                label: Some(format!("labels/{split}/{id}.png")),
                id,
                split: split.into(),
                width: SIZE.0,
                height: SIZE.1,
                image_sha256: String::new(),
                label_sha256: Some(String::new()),
                class_pixels: vec![0; 4],
                ignored_pixels: 0,
            };
            let path = folder.join(&record.image);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image.save(path).unwrap();
            label_png::write(&folder.join(record.label.as_ref().unwrap()), &labels, &catalog).unwrap();
            records.push(record);
        }
    }
    segbench_tables::write_manifest(&folder.join("manifest.parquet"), &records).unwrap();
    let info = DatasetInfo {
        name: "miniature".into(),
        converter_version: 1,
        source: "drawn by the test".into(),
        licence: "none".into(),
        ignore_value: IGNORE,
        images: "original".into(),
        splits: BTreeMap::new(),
        catalog,
    };
    // JSON is YAML.
    fs::write(folder.join("dataset.yaml"), serde_json::to_string(&info).unwrap()).unwrap();
    PreparedDataset::open(root, "miniature").unwrap()
}

fn options(steps: u64) -> TrainOptions {
    TrainOptions {
        steps,
        batch: 2,
        crop: [64, 96],
        learning_rate: 4e-3,
        warmup_steps: 2,
        validate_every: 0,
        checkpoint_every: 3,
        log_every: 1,
        ..TrainOptions::default()
    }
}

fn log(folder: &Path) -> Vec<LogRecord> {
    let text = fs::read_to_string(folder.join("log.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The log without the times, which do not repeat.
fn timeless(folder: &Path) -> Vec<LogRecord> {
    log(folder).into_iter().map(|record| LogRecord { images_per_second: None, time: 0.0, ..record }).collect()
}

#[test]
fn thirty_steps_lower_the_loss_and_beat_chance() {
    let root = TempDir::new().unwrap();
    let dataset = dataset(root.path());
    let folder = root.path().join("run");
    let options = TrainOptions { validate_every: 15, ..options(30) };
    let outcome = train(&options, MODEL, &dataset, &folder, false, &Silent).unwrap();
    let losses: Vec<f64> = log(&folder).iter().filter_map(|record| record.loss).collect();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert_eq!(losses.len(), 30);
    assert!(mean(&losses[25..]) < 0.7 * mean(&losses[..3]), "{losses:?}");
    // One class everywhere would score about 0.4 / 4.
    assert!(outcome.miou.unwrap() > 0.3, "{outcome:?}");
    assert!(outcome.best_miou >= outcome.miou);

    let tensors = segbench_nn::weights::read_checkpoint(&outcome.weights, &candle_core::Device::Cpu).unwrap();
    let (_, report, classes) = zoo::load(MODEL, tensors, &candle_core::Device::Cpu).unwrap();
    assert_eq!((classes, report.unused.len(), report.missing.len()), (4, 0, 0));
    let card: TrainingCard = segbench_storage::read_json(&outcome.weights.with_extension("json")).unwrap();
    assert_eq!(
        (card.model.as_str(), card.steps, card.miou, card.classes.len()),
        (MODEL, 30, outcome.miou, 4)
    );
    assert_eq!(card.classes[2].name, "red box");
}

/// Stops the training by a panic in its progress, which is as sudden as a kill for the files.
struct KilledAt(AtomicU64);

impl Progress for KilledAt {
    fn start(&self, _: &str, total: u64) -> Box<dyn Task> {
        let left = if total > 3 { self.0.load(Ordering::Relaxed) } else { u64::MAX };
        Box::new(KilledAt(AtomicU64::new(left)))
    }

    fn note(&self, _: &str) {}
}

impl Task for KilledAt {
    fn advance(&self, steps: u64) {
        let left = self.0.fetch_sub(steps, Ordering::Relaxed);
        assert!(left > steps, "killed");
    }

    fn message(&self, _: &str) {}
}

#[test]
fn a_killed_and_resumed_training_ends_with_the_same_bytes() {
    let root = TempDir::new().unwrap();
    let dataset = dataset(root.path());
    let weights = ClassWeights { scheme: "enet".into(), weights: vec![1.0, 2.0, 3.0, 4.0] };
    // Lines of the log that cross the checkpoint, which is written after step 3.
    let options =
        TrainOptions { class_weights: Some(weights), log_every: 2, validate_every: 3, ..options(6) };
    let (straight, resumed) = (root.path().join("straight"), root.path().join("resumed"));
    train(&options, MODEL, &dataset, &straight, false, &Silent).unwrap();

    let killed = std::panic::catch_unwind(|| {
        train(&options, MODEL, &dataset, &resumed, false, &KilledAt(AtomicU64::new(5)))
    });
    assert!(killed.is_err());
    assert_eq!(log(&resumed).last().unwrap().step, 4, "the log went on after the checkpoint");
    let outcome = train(&options, MODEL, &dataset, &resumed, true, &Silent).unwrap();
    assert_eq!(outcome.resumed_from, 3);

    assert_eq!(timeless(&resumed), timeless(&straight));
    for name in ["last.safetensors", "last.json", "best.safetensors", "best.json", "checkpoint.safetensors"] {
        let (ours, expected) =
            (fs::read(resumed.join(name)).unwrap(), fs::read(straight.join(name)).unwrap());
        assert!(ours == expected, "{name} differs");
    }
    let again = train(&options, MODEL, &dataset, &resumed, true, &Silent).unwrap();
    assert_eq!((again.resumed_from, again.steps, again.miou), (6, 6, outcome.miou));
    assert_eq!(timeless(&resumed), timeless(&straight));
}

#[test]
fn a_checkpoint_of_other_settings_is_refused_and_named() {
    let root = TempDir::new().unwrap();
    let dataset = dataset(root.path());
    let folder = root.path().join("run");
    train(&options(1), MODEL, &dataset, &folder, false, &Silent).unwrap();
    let other = TrainOptions { learning_rate: 1e-2, checkpoint_every: 1, ..options(1) };
    let refused = train(&other, MODEL, &dataset, &folder, true, &Silent).unwrap_err();
    assert!(matches!(refused, Error::OtherTraining { .. }));
    assert!(refused.to_string().contains("its `learning_rate` is 0.004, this one's is 0.01"), "{refused}");
}

#[test]
fn an_overflowing_loss_names_its_step_and_leaves_the_checkpoint() {
    let root = TempDir::new().unwrap();
    let dataset = dataset(root.path());
    let folder = root.path().join("run");
    let options = TrainOptions {
        learning_rate: 1e30,
        warmup_steps: 0,
        grad_clip: None,
        checkpoint_every: 1,
        ..options(9)
    };
    let refused = train(&options, MODEL, &dataset, &folder, false, &Silent).unwrap_err();
    match &refused {
        Error::NotFinite { step, checkpoint, .. } => {
            assert!(
                (2..9).contains(step) && checkpoint.as_ref().is_some_and(|path| path.is_file()),
                "{refused}"
            );
        }
        _ => panic!("{refused}"),
    }
}
