//! Trains a model on the built-in sample and says where the time went:
//! `cargo run -p segbench-training --example train -- segformer-tiny '{"steps": 20, "crop": [128, 256]}' DATA_ROOT OUTPUT [resume]`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program, not a library")]

use std::path::Path;
use std::time::Duration;

use segbench_datasets::{Conversion, ConversionOptions, PreparedDataset};
use segbench_nn::cpu::{Times, profile};
use segbench_training::{TrainOptions, train};
use segbench_types::{Progress, Task};

/// Prints a line per message.
struct Lines;

impl Progress for Lines {
    fn start(&self, name: &str, _total: u64) -> Box<dyn Task> {
        eprintln!("{name}");
        Box::new(Self)
    }

    fn note(&self, text: &str) {
        eprintln!("{text}");
    }
}

impl Task for Lines {
    fn advance(&self, _steps: u64) {}

    fn message(&self, text: &str) {
        eprintln!("{text}");
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, options, root, output, rest @ ..] = arguments.as_slice() else {
        return Err("expected: MODEL OPTIONS DATA_ROOT OUTPUT [resume]".into());
    };
    let options: TrainOptions = serde_json::from_str(options)?;
    let root = Path::new(root);
    if PreparedDataset::open(root, "sample").is_err() {
        Conversion::plan("sample", &ConversionOptions::default(), &[], &[], root)?.run(&Lines)?;
    }
    let dataset = PreparedDataset::open(root, "sample")?;
    let (outcome, functions) =
        profile(|| train(&options, model, &dataset, Path::new(output), !rest.is_empty(), &Lines));
    let outcome = outcome?;
    let timings = outcome.timings;
    let steps = (outcome.steps - outcome.resumed_from).max(1) as f64;
    println!("{outcome:#?}");
    println!(
        "per step: data {:.1} ms, forward {:.1} ms, backward {:.1} ms, optimizer {:.1} ms",
        1e3 * timings.data / steps,
        1e3 * timings.forward / steps,
        1e3 * timings.backward / steps,
        1e3 * timings.optimizer / steps,
    );
    // Validation's forward passes are among them.
    let mut functions: Vec<_> = functions.into_iter().collect();
    functions.sort_by_key(|(_, times)| std::cmp::Reverse(times.forward + times.backward));
    let per_step = |time: Duration| 1e3 * time.as_secs_f64() / steps;
    println!("{:<20}{:>8}{:>14}{:>14}", "per step", "calls", "forward ms", "backward ms");
    for (name, Times { calls, forward, backward }) in functions {
        let calls = calls as f64 / steps;
        println!("{name:<20}{calls:>8.1}{:>14.2}{:>14.2}", per_step(forward), per_step(backward));
    }
    Ok(())
}
