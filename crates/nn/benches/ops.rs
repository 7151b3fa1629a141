//! The operations at the sizes of SegFormer-B0 on images of 512 x 512, forward alone and with gradients.

use std::hint::black_box;
use std::time::Duration;

use candle_core::{D, DType, Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};

type Operation = fn(&[Tensor]) -> Result<Tensor>;

/// A name, the shapes of the inputs, and what is done with them.
const CASES: &[(&str, &[&[usize]], Operation)] = &[
    ("patch 7x7 s4, 3 to 32, 2x512x512", &[&[2, 3, 512, 512], &[32, 3, 7, 7], &[32]], |t| conv(t, 4, 3, 1)),
    ("patch 3x3 s2, 32 to 64, 2x128x128", &[&[2, 32, 128, 128], &[64, 32, 3, 3], &[64]], |t| {
        conv(t, 2, 1, 1)
    }),
    ("reduction 8x8 s8, 32, 2x128x128", &[&[2, 32, 128, 128], &[32, 32, 8, 8], &[32]], |t| conv(t, 8, 0, 1)),
    ("conv 3x3, 64 to 64, 1x128x256", &[&[1, 64, 128, 256], &[64, 64, 3, 3], &[64]], |t| conv(t, 1, 1, 1)),
    ("fuse 1x1, 1024 to 256, 2x128x128", &[&[2, 1024, 128, 128], &[256, 1024, 1, 1]], |t| conv(t, 1, 0, 1)),
    ("depthwise 3x3, 128, 2x128x128", &[&[2, 128, 128, 128], &[128, 1, 3, 3], &[128]], |t| {
        conv(t, 1, 1, 128)
    }),
    ("depthwise 3x3, 1024, 2x16x16", &[&[2, 1024, 16, 16], &[1024, 1, 3, 3], &[1024]], |t| {
        conv(t, 1, 1, 1024)
    }),
    ("linear 32 to 128, 2x16384", &[&[2, 16384, 32], &[128, 32], &[128]], |t| {
        ops::linear(&t[0], &t[1], t.get(2))
    }),
    ("linear 1024 to 256, 2x256", &[&[2, 256, 1024], &[256, 1024], &[256]], |t| {
        ops::linear(&t[0], &t[1], t.get(2))
    }),
    ("scores 16384x32x256, 2", &[&[2, 16384, 32], &[2, 32, 256]], |t| {
        ops::matmul(&t[0], &t[1], &Context::eval())
    }),
    ("softmax 256, 2x16384", &[&[2, 16384, 256]], |t| ops::softmax(&t[0], D::Minus1)),
    ("layer_norm 32, 2x16384", &[&[2, 16384, 32], &[32], &[32]], |t| {
        ops::layer_norm(&t[0], &t[1], &t[2], 1e-6)
    }),
    ("layer_norm of maps 32, 2x128x128", &[&[2, 32, 128, 128], &[32], &[32]], |t| {
        ops::layer_norm(&t[0].flatten(2, 3)?.transpose(1, 2)?, &t[1], &t[2], 1e-6)
    }),
    ("gelu, 2x128x16384", &[&[2, 16384, 128]], |t| ops::gelu(&t[0])),
    ("relu, 2x256x16384", &[&[2, 256, 128, 128]], |t| ops::relu(&t[0])),
    ("batch_norm 256, 2x128x128", &[&[2, 256, 128, 128], &[256], &[256]], |t| {
        Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5)?.0)
    }),
    ("bilinear x8, 256, 2x16x16", &[&[2, 256, 16, 16]], |t| ops::resize_bilinear(&t[0], 128, 128, false)),
    ("bilinear x4, 19, 2x128x128", &[&[2, 19, 128, 128]], |t| ops::resize_bilinear(&t[0], 512, 512, false)),
];

fn conv(t: &[Tensor], stride: usize, padding: usize, groups: usize) -> Result<Tensor> {
    let options = Conv2dOptions { stride: [stride; 2], groups, ..Conv2dOptions::padded(padding) };
    ops::conv2d(&t[0], &t[1], t.get(2), &options)
}

fn operations(criterion: &mut Criterion) {
    for (name, shapes, operation) in CASES {
        let vars: Vec<Var> = shapes
            .iter()
            .filter_map(|dims| Var::rand_f64(-1.0, 1.0, *dims, DType::F32, &Device::Cpu).ok())
            .collect();
        let constants: Vec<Tensor> = vars.iter().map(Var::as_detached_tensor).collect();
        let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
        criterion.bench_function(&format!("{name}: forward"), |bench| {
            bench.iter(|| black_box(operation(&constants)).is_ok());
        });
        criterion.bench_function(&format!("{name}: both"), |bench| {
            bench.iter(|| black_box(operation(&inputs).and_then(|y| Ok(y.backward()?))).is_ok());
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).without_plots();
    targets = operations
}
criterion_main!(benches);
