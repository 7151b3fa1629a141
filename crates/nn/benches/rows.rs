//! Normalizations, activations, attention, running sums and orders: ours and candle's own operators side by side, forward alone
//! and with gradients. `peer_rows.py` measures PyTorch on the same shapes.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "candle's operators are measured beside ours"
)]

use std::hint::black_box;
use std::time::Duration;

use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops as candle;
use criterion::{Criterion, criterion_group, criterion_main};
use segbench_nn::ops::{self, Order};
use segbench_nn::{Context, Result};

type Operation = fn(&[Tensor]) -> Result<Tensor>;

/// A name, the shapes of the inputs, ours, and candle's where it has one that differentiates.
type Case = (&'static str, &'static [&'static [usize]], Operation, Option<Operation>);

const MAPS: &[usize] = &[2, 256, 128, 128];
const TOKENS: &[usize] = &[2, 16384, 64];

const CASES: &[Case] = &[
    (
        "batch_norm 2x256x128x128",
        &[MAPS, &[256], &[256]],
        |t| Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5)?.0),
        Some(|t| {
            let statistics = [0f32, 1.0].map(|value| Tensor::full(value, 256, t[0].device()));
            let [mean, variance] = statistics;
            let norm = candle_nn::BatchNorm::new(256, mean?, variance?, t[1].clone(), t[2].clone(), 1e-5)?;
            Ok(norm.forward_train(&t[0])?)
        }),
    ),
    (
        "group_norm 32, 2x256x128x128",
        &[MAPS, &[256], &[256]],
        |t| ops::group_norm(&t[0], 32, Some([&t[1], &t[2]]), 1e-5),
        Some(|t| {
            let norm = candle_nn::GroupNorm::new(t[1].clone(), t[2].clone(), 256, 32, 1e-5)?;
            Ok(candle_nn::Module::forward(&norm, &t[0])?)
        }),
    ),
    (
        "layer_norm 2x16384x64",
        &[TOKENS, &[64], &[64]],
        |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-6),
        Some(|t| Ok(candle::layer_norm_slow(&t[0], &t[1], &t[2], 1e-6)?)),
    ),
    (
        "layer_norm2d 2x64x128x128",
        &[&[2, 64, 128, 128], &[64], &[64]],
        |t| ops::layer_norm2d(&t[0], &t[1], &t[2], 1e-6),
        Some(|t| {
            let tokens = t[0].permute((0, 2, 3, 1))?;
            Ok(candle::layer_norm_slow(&tokens, &t[1], &t[2], 1e-6)?.permute((0, 3, 1, 2))?)
        }),
    ),
    ("relu 2x256x128x128", &[MAPS], |t| ops::relu(&t[0]), Some(|t| Ok(t[0].relu()?))),
    ("gelu 2x256x128x128", &[MAPS], |t| ops::gelu(&t[0]), Some(|t| Ok(t[0].gelu_erf()?))),
    ("gelu_tanh 2x256x128x128", &[MAPS], |t| ops::gelu_tanh(&t[0]), Some(|t| Ok(t[0].gelu()?))),
    ("silu 2x256x128x128", &[MAPS], |t| ops::silu(&t[0]), Some(|t| Ok(t[0].silu()?))),
    ("sigmoid 2x256x128x128", &[MAPS], |t| ops::sigmoid(&t[0]), Some(|t| Ok(candle::sigmoid(&t[0])?))),
    ("tanh 2x256x128x128", &[MAPS], |t| ops::tanh(&t[0]), Some(|t| Ok(t[0].tanh()?))),
    ("elu 2x256x128x128", &[MAPS], |t| ops::elu(&t[0], 1.0), Some(|t| Ok(t[0].elu(1.0)?))),
    (
        "leaky_relu 2x256x128x128",
        &[MAPS],
        |t| ops::leaky_relu(&t[0], 0.01),
        Some(|t| Ok(candle::leaky_relu(&t[0], 0.01)?)),
    ),
    (
        "hard_swish 2x256x128x128",
        &[MAPS],
        |t| ops::hard_swish(&t[0]),
        Some(|t| Ok((&t[0] * candle::hard_sigmoid(&t[0])?)?)),
    ),
    (
        "prelu 2x256x128x128",
        &[MAPS, &[256]],
        |t| ops::prelu(&t[0], &t[1]),
        Some(|t| Ok(candle_nn::Module::forward(&candle_nn::PReLU::new(t[1].clone(), false), &t[0])?)),
    ),
    (
        "softmax of rows 2x16384x256",
        &[&[2, 16384, 256]],
        |t| ops::softmax(&t[0], D::Minus1),
        Some(|t| Ok(candle::softmax(&t[0], D::Minus1)?)),
    ),
    (
        "log_softmax of classes 2x19x256x512",
        &[&[2, 19, 256, 512]],
        |t| ops::log_softmax(&t[0], 1),
        Some(|t| Ok(candle::log_softmax(&t[0], 1)?)),
    ),
    (
        "attention 1024x256, 8 heads of 32",
        &[&[2, 8, 1024, 32], &[2, 8, 256, 32], &[2, 8, 256, 32]],
        |t| ops::attention(&t[0], &t[1], &t[2], None, 0.18, &Context::eval()),
        Some(composed),
    ),
    (
        "attention 4096x4096, 1 head of 64",
        &[&[1, 1, 4096, 64], &[1, 1, 4096, 64], &[1, 1, 4096, 64]],
        |t| ops::attention(&t[0], &t[1], &t[2], None, 0.125, &Context::eval()),
        Some(composed),
    ),
    (
        "attention of 128 windows 49x49, 3 heads of 32, position bias",
        &[&[128, 3, 49, 32], &[128, 3, 49, 32], &[128, 3, 49, 32], &[1, 3, 49, 49]],
        |t| ops::attention(&t[0], &t[1], &t[2], t.get(3), 0.18, &Context::eval()),
        Some(composed),
    ),
    (
        "gather 2x19x8196 of 65536",
        &[&[2, 19, 65536]],
        |t| ops::gather(&t[0], &places()?, 2),
        Some(|t| Ok(t[0].gather(&places()?, 2)?)),
    ),
    ("cumsum 1000x1000", &[&[1000, 1000]], |t| ops::cumsum(&t[0], 1), Some(|t| Ok(t[0].cumsum(1)?))),
    ("cumsum of a million", &[&[1_000_000]], |t| ops::cumsum(&t[0], 0), None),
    (
        "sort of a million",
        &[&[1, 1_000_000]],
        |t| Ok(ops::sort(&t[0], Order::Descending)?.0),
        Some(|t| Ok(t[0].sort_last_dim(false)?.0)),
    ),
    ("top 1000 of a million", &[&[1, 1_000_000]], |t| Ok(ops::top_k(&t[0], 1000)?.0), None),
];

fn composed(t: &[Tensor]) -> Result<Tensor> {
    let mut scores = (t[0].matmul(&t[1].t()?)? * 0.18)?;
    if let Some(bias) = t.get(3) {
        scores = scores.broadcast_add(bias)?;
    }
    Ok(candle::softmax(&scores, D::Minus1)?.matmul(&t[2])?)
}

fn places() -> Result<Tensor> {
    let places: Vec<u32> = (0..2 * 19 * 8196u32).map(|place| place.wrapping_mul(7919) % 65536).collect();
    Ok(Tensor::from_vec(places, (2, 19, 8196), &Device::Cpu)?)
}

fn operations(criterion: &mut Criterion) {
    for (name, shapes, ours, theirs) in CASES {
        for (whose, operation) in [("ours", Some(ours)), ("candle", theirs.as_ref())] {
            let Some(operation) = operation else { continue };
            let vars: Vec<Var> = shapes
                .iter()
                .filter_map(|dims| Var::rand_f64(-1.0, 1.0, *dims, DType::F32, &Device::Cpu).ok())
                .collect();
            let constants: Vec<Tensor> = vars.iter().map(Var::as_detached_tensor).collect();
            let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
            criterion.bench_function(&format!("{name}: {whose}, forward"), |bench| {
                bench.iter(|| black_box(operation(&constants)).is_ok());
            });
            criterion.bench_function(&format!("{name}: {whose}, both"), |bench| {
                bench.iter(|| black_box(operation(&inputs).and_then(|y| Ok(y.backward()?))).is_ok());
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(400)).without_plots();
    targets = operations
}
criterion_main!(benches);
