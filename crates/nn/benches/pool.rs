//! Pooling, interpolation and sampling, ours and candle's own, forward alone and with gradients.
//!
//! `benches/peer_pool.py` times PyTorch at the same shapes. Candle's own operators are left out where they are missing; where they
//! have no gradient, only the way forward is timed.

#![expect(clippy::disallowed_methods, reason = "candle's operators are measured beside ours")]

use std::hint::black_box;
use std::time::Duration;

use candle_core::{DType, Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use segbench_nn::Result;
use segbench_nn::ops::{self, GridOptions, Interpolation, PoolOptions, ResizeTo};

type Operation = fn(&Tensor) -> Result<Tensor>;

/// A name, the shape of the input, our operation and candle's.
const CASES: &[(&str, [usize; 4], Operation, Option<Operation>)] = &[
    ("max 3x3 s2 p1, 64, 2x256x256", [2, 64, 256, 256], |x| ops::max_pool2d(x, &pool(3, 2, 1)), None),
    (
        "max 3x3 s2, 64, 2x256x256",
        [2, 64, 256, 256],
        |x| ops::max_pool2d(x, &pool(3, 2, 0)),
        Some(|x| Ok(x.max_pool2d_with_stride(3, 2)?)),
    ),
    (
        "max 2x2 s2, 64, 2x256x256",
        [2, 64, 256, 256],
        |x| ops::max_pool2d(x, &pool(2, 2, 0)),
        Some(|x| Ok(x.max_pool2d(2)?)),
    ),
    (
        "avg 2x2 s2, 64, 2x256x256",
        [2, 64, 256, 256],
        |x| ops::avg_pool2d(x, &pool(2, 2, 0), true),
        Some(|x| Ok(x.avg_pool2d(2)?)),
    ),
    (
        "avg 3x3 s2, 64, 2x256x256",
        [2, 64, 256, 256],
        |x| ops::avg_pool2d(x, &pool(3, 2, 0), true),
        Some(|x| Ok(x.avg_pool2d_with_stride(3, 2)?)),
    ),
    ("adaptive avg 6x6, 512, 2x64x128", [2, 512, 64, 128], |x| ops::adaptive_avg_pool2d(x, [6, 6]), None),
    (
        "adaptive avg 1x1, 512, 2x64x128",
        [2, 512, 64, 128],
        |x| ops::adaptive_avg_pool2d(x, [1, 1]),
        Some(|x| Ok(x.mean_keepdim((2, 3))?)),
    ),
    ("adaptive max 6x6, 512, 2x64x128", [2, 512, 64, 128], |x| ops::adaptive_max_pool2d(x, [6, 6]), None),
    (
        "bilinear x4, 19, 2x128x128",
        [2, 19, 128, 128],
        |x| ops::resize_bilinear(x, 512, 512, false),
        Some(|x| Ok(x.upsample_bilinear2d(512, 512, false)?)),
    ),
    (
        "bilinear x8, 256, 2x16x16",
        [2, 256, 16, 16],
        |x| ops::resize_bilinear(x, 128, 128, false),
        Some(|x| Ok(x.upsample_bilinear2d(128, 128, false)?)),
    ),
    (
        "bilinear 97x97 to 769x769, 19, corners",
        [1, 19, 97, 97],
        |x| ops::resize_bilinear(x, 769, 769, true),
        Some(|x| Ok(x.upsample_bilinear2d(769, 769, true)?)),
    ),
    (
        "nearest x2, 128, 2x64x64",
        [2, 128, 64, 64],
        |x| ops::resize(x, ResizeTo::Size([128, 128]), Interpolation::Nearest),
        Some(|x| Ok(x.upsample_nearest2d(128, 128)?)),
    ),
    (
        "bicubic x4, 19, 2x128x128",
        [2, 19, 128, 128],
        |x| ops::resize(x, ResizeTo::Size([512, 512]), Interpolation::Bicubic { align_corners: false }),
        None,
    ),
    (
        "grid bilinear 64x64, 64, 2x128x128",
        [2, 64, 128, 128],
        |x| {
            let axis = Tensor::arange(0f32, 64.0, x.device())?.affine(1.0 / 32.0, -0.97)?;
            let grid = Tensor::stack(
                &[
                    axis.reshape((1, 64))?.broadcast_as((64, 64))?,
                    axis.reshape((64, 1))?.broadcast_as((64, 64))?,
                ],
                2,
            )?;
            ops::grid_sample(x, &grid.unsqueeze(0)?.broadcast_as((2, 64, 64, 2))?, &GridOptions::default())
        },
        None,
    ),
];

const fn pool(kernel: usize, stride: usize, padding: usize) -> PoolOptions {
    PoolOptions {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1; 2],
        ceil_mode: false,
    }
}

fn operations(criterion: &mut Criterion) {
    for (name, shape, ours, candle) in CASES {
        let Ok(var) = Var::rand_f64(-1.0, 1.0, shape.as_slice(), DType::F32, &Device::Cpu) else { continue };
        let (constant, tracked) = (var.as_detached_tensor(), var.as_tensor());
        for (whose, operation) in [("ours", Some(*ours)), ("candle", *candle)] {
            let Some(operation) = operation else { continue };
            criterion.bench_function(&format!("{name}, {whose}: forward"), |bench| {
                bench.iter(|| black_box(operation(&constant)).is_ok());
            });
            let both = || operation(tracked).and_then(|y| Ok(y.backward()?));
            if both().is_ok() {
                criterion.bench_function(&format!("{name}, {whose}: both"), |bench| {
                    bench.iter(|| black_box(both()).is_ok());
                });
            }
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600)).without_plots();
    targets = operations
}
criterion_main!(benches);
