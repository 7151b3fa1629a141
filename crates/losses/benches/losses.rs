//! Every loss at 2x19x512x1024, forward alone and with the gradient.

#![expect(clippy::expect_used, reason = "a benchmark without its inputs has failed")]

use std::hint::black_box;
use std::time::Duration;

use candle_core::{Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use segbench_losses::{LOSSES, Target, build};
use segbench_types::Rng;

const SIZE: (usize, usize, usize, usize) = (2, 19, 512, 1024);

/// Blocks of 32 x 32 pixels of one class, and logits that lean to it.
fn inputs() -> (Var, Target) {
    let (batch, classes, height, width) = SIZE;
    let mut rng = Rng::new(3, &[]);
    let blocks: Vec<usize> = (0..batch * height * width / 1024).map(|_| rng.below(classes)).collect();
    let label = |image: usize, at: usize| {
        blocks[(image * height / 32 + at / width / 32) * (width / 32) + at % width / 32]
    };
    let mut logits = Vec::with_capacity(batch * classes * height * width);
    for image in 0..batch {
        for class in 0..classes {
            let lean = |at: usize| if label(image, at) == class { 2.0 } else { 0.0 };
            // Uniform numbers: drawing as many normal ones would take longer than the benchmark.
            logits.extend((0..height * width).map(|at| lean(at) + 4.0 * rng.unit()));
        }
    }
    let labels = (0..batch).flat_map(|image| (0..height * width).map(move |at| (image, at)));
    let labels = labels.map(|(image, at)| label(image, at) as u8).collect();
    let logits =
        Tensor::from_vec(logits, SIZE, &Device::Cpu).and_then(|x| Var::from_tensor(&x)).expect("logits");
    let target = Target::new(labels, batch, height, width).expect("a target");
    (logits, target.with_class_weights(&vec![1.0; classes]))
}

fn losses(criterion: &mut Criterion) {
    let (logits, target) = inputs();
    let alone = logits.detach();
    for card in LOSSES {
        let loss = build(card.name, Default::default(), Some(SIZE.1)).expect("a loss");
        criterion.bench_function(&format!("{} forward", card.name), |bencher| {
            bencher.iter(|| loss.forward(black_box(&alone), &target).expect("a value"));
        });
        criterion.bench_function(&format!("{} forward and backward", card.name), |bencher| {
            bencher.iter(|| {
                let value = loss.forward(black_box(&logits), &target).expect("a value");
                value.backward().expect("gradients")
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    targets = losses
}
criterion_main!(benches);
