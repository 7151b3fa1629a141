//! Seconds for the whole report over many runs.
//!
//! ```sh
//! cargo bench -p segbench-report --bench report                 # 40 runs of 2,000 images
//! SEGBENCH_RUNS=5 SEGBENCH_IMAGES=500 cargo bench -p segbench-report --bench report
//! ```
//!
//! The runs are drawn: 19 classes, counts with about 60 cells per image, networks that differ by less and less. They go to the system's
//! folder for temporary files and are removed.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench prints, and stops where it cannot go on"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use common::{Runs, class, record, speed};
use segbench_report::{Format, build};
use segbench_tables::CountRow;
use segbench_types::Rng;

const CLASSES: u8 = 19;
/// Wrong predictions of a class in an image.
const ERRORS: usize = 7;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The counts of one image in one run: the two largest classes and about a third of the others, each confused with a few.
fn counts(run: u64, image: u64, rows: &mut Vec<CountRow>) {
    let (mut truth, mut errors) = (Rng::new(1, &[image]), Rng::new(2, &[image, run]));
    for label in 0..CLASSES {
        if truth.below(3) > 0 && label > 1 {
            continue;
        }
        let pixels = 2_000 + truth.below(100_000) as u64;
        let mut left = pixels;
        let mut push = |predicted: u8, count: u64| {
            let image_id = format!("frankfurt_{:06}_{image:06}", image / 100);
            rows.push(CountRow { image_id, ground_truth: label, predicted, count });
        };
        for error in 0..ERRORS {
            let wrong = (pixels * (errors.below(40) as u64 + run / 3) / 2_400).clamp(1, left / 2);
            left -= wrong;
            push((label + 1 + (2 * error + errors.below(2)) as u8) % CLASSES, wrong);
        }
        push(label, left);
    }
}

fn main() {
    let (runs, images) = (number("SEGBENCH_RUNS", 40), number("SEGBENCH_IMAGES", 2_000));
    let place = Runs::new();
    for run in 0..runs {
        let mut drawn = record(&format!("{run:012}"), &format!("network-{run}"));
        drawn.dataset.catalog.classes =
            (0..CLASSES).map(|label| class(&format!("class {label}"), [label; 3])).collect();
        drawn.speed = Some(speed(5.0 + run as f64));
        if let Some(accuracy) = &mut drawn.accuracy {
            (accuracy.images, accuracy.available) = (images, images);
        }
        let mut rows = Vec::new();
        (0..images).for_each(|image| counts(run, image, &mut rows));
        if run == 0 {
            println!("{runs} runs, {images} images, {} cells in the counts of the first", rows.len());
        }
        place.add(&drawn, &rows);
    }
    for formats in [&[][..], &[Format::Csv], &[Format::Html], &Format::ALL] {
        let start = Instant::now();
        let report = build(&place.path(), &place.output(), formats).expect("a report");
        let seconds = start.elapsed().as_secs_f64();
        let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
        println!("{seconds:6.2} s  {} rows; files: {}", report.rows.len(), names.join(" "));
    }
    let page = std::fs::metadata(place.output().join("leaderboard.html")).expect("a page");
    println!("leaderboard.html: {:.2} MB", page.len() as f64 / 1e6);
}
