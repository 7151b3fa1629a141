//! Convolutions of the usual networks, ours beside plain candle's, forward alone and with gradients.
//!
//! `peer_conv.py` measures PyTorch at the same shapes. Cases that candle lacks stand alone.

#![expect(clippy::disallowed_methods, reason = "candle's operators are measured beside ours")]

use std::hint::black_box;
use std::time::Duration;

use candle_core::{DType, Device, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use segbench_nn::Result;
use segbench_nn::ops::{self, Conv2dOptions, Conv3dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions};

/// Stride, padding, dilation and groups.
type Numbers = [usize; 4];

struct Case {
    name: &'static str,
    x: &'static [usize],
    weight: &'static [usize],
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Conv(Numbers),
    Transposed(Numbers),
    Volume(Numbers),
    TransposedVolume(Numbers),
}

const fn case(name: &'static str, x: &'static [usize], weight: &'static [usize], kind: Kind) -> Case {
    Case { name, x, weight, kind }
}

const CASES: [Case; 18] = [
    case("3x3 64-64 128x256", &[1, 64, 128, 256], &[64, 64, 3, 3], Kind::Conv([1, 1, 1, 1])),
    case("3x3 d2 64-64 128x256", &[1, 64, 128, 256], &[64, 64, 3, 3], Kind::Conv([1, 2, 2, 1])),
    case("3x3 d12 256-256 64x64", &[1, 256, 64, 64], &[256, 256, 3, 3], Kind::Conv([1, 12, 12, 1])),
    case("3x3 s2 64-128 128x256", &[1, 64, 128, 256], &[128, 64, 3, 3], Kind::Conv([2, 1, 1, 1])),
    case("7x7 s2 3-64 512x512", &[1, 3, 512, 512], &[64, 3, 7, 7], Kind::Conv([2, 3, 1, 1])),
    case("1x1 64-64 128x256", &[1, 64, 128, 256], &[64, 64, 1, 1], Kind::Conv([1, 0, 1, 1])),
    case("1x1 256-64 128x256", &[1, 256, 128, 256], &[64, 256, 1, 1], Kind::Conv([1, 0, 1, 1])),
    case("3x3 512-512 16x16", &[1, 512, 16, 16], &[512, 512, 3, 3], Kind::Conv([1, 1, 1, 1])),
    case("3x3 g32 128-128 64x64", &[1, 128, 64, 64], &[128, 4, 3, 3], Kind::Conv([1, 1, 1, 32])),
    case("depthwise 3x3 64 128x256", &[1, 64, 128, 256], &[64, 1, 3, 3], Kind::Conv([1, 1, 1, 64])),
    case("depthwise 3x3 s2 64 128x256", &[1, 64, 128, 256], &[64, 1, 3, 3], Kind::Conv([2, 1, 1, 64])),
    case("depthwise 3x3 d12 256 64x64", &[1, 256, 64, 64], &[256, 1, 3, 3], Kind::Conv([1, 12, 12, 256])),
    case("transposed k2s2 128-64 64x64", &[1, 128, 64, 64], &[128, 64, 2, 2], Kind::Transposed([2, 0, 1, 1])),
    case(
        "transposed k4s2p1 64-64 64x128",
        &[1, 64, 64, 128],
        &[64, 64, 4, 4],
        Kind::Transposed([2, 1, 1, 1]),
    ),
    case(
        "transposed k16s8p4 depthwise 19 64x64",
        &[1, 19, 64, 64],
        &[19, 1, 16, 16],
        Kind::Transposed([8, 4, 1, 19]),
    ),
    case("volume k5p2 16-16 32x48x48", &[1, 16, 32, 48, 48], &[16, 16, 5, 5, 5], Kind::Volume([1, 2, 1, 1])),
    case("volume k2s2 16-32 32x48x48", &[1, 16, 32, 48, 48], &[32, 16, 2, 2, 2], Kind::Volume([2, 0, 1, 1])),
    case(
        "volume transposed k2s2 32-16 16x24x24",
        &[1, 32, 16, 24, 24],
        &[32, 16, 2, 2, 2],
        Kind::TransposedVolume([2, 0, 1, 1]),
    ),
];

type Operator = dyn Fn(&Tensor, &Tensor) -> Result<Tensor>;

fn ours(x: &Tensor, weight: &Tensor, kind: Kind) -> Result<Tensor> {
    match kind {
        Kind::Conv([stride, padding, dilation, groups]) => {
            let padding = [[padding; 2]; 2];
            let options = Conv2dOptions { stride: [stride; 2], padding, dilation: [dilation; 2], groups };
            ops::conv2d(x, weight, None, &options)
        }
        Kind::Transposed([stride, padding, dilation, groups]) => {
            let options = ConvTranspose2dOptions {
                stride: [stride; 2],
                dilation: [dilation; 2],
                groups,
                ..ConvTranspose2dOptions::padded(padding)
            };
            ops::conv_transpose2d(x, weight, None, &options)
        }
        Kind::Volume([stride, padding, dilation, groups]) => {
            let padding = [[padding; 2]; 3];
            let options = Conv3dOptions { stride: [stride; 3], padding, dilation: [dilation; 3], groups };
            ops::conv3d(x, weight, None, &options)
        }
        Kind::TransposedVolume([stride, padding, dilation, groups]) => {
            let options = ConvTranspose3dOptions {
                stride: [stride; 3],
                dilation: [dilation; 3],
                groups,
                ..ConvTranspose3dOptions::padded(padding)
            };
            ops::conv_transpose3d(x, weight, None, &options)
        }
    }
}

/// candle's operator; None where there is none.
fn plain(kind: Kind) -> Option<Box<Operator>> {
    match kind {
        Kind::Conv([stride, padding, dilation, groups]) => {
            Some(Box::new(move |x, weight| Ok(x.conv2d(weight, padding, stride, dilation, groups)?)))
        }
        Kind::Transposed([stride, padding, dilation, 1]) => {
            Some(Box::new(move |x, weight| Ok(x.conv_transpose2d(weight, padding, 0, stride, dilation)?)))
        }
        _ => None,
    }
}

fn convolutions(criterion: &mut Criterion) {
    for Case { name, x, weight, kind } in CASES {
        let random = |dims: &[usize]| Var::rand_f64(-1.0, 1.0, dims, DType::F32, &Device::Cpu);
        let (Ok(x), Ok(weight)) = (random(x), random(weight)) else { continue };
        let constants = (x.as_detached_tensor(), weight.as_detached_tensor());
        let mut run = |who: &str, operator: &Operator| {
            criterion.bench_function(&format!("{name}, {who}: forward"), |bench| {
                bench.iter(|| black_box(operator(&constants.0, &constants.1)).is_ok());
            });
            criterion.bench_function(&format!("{name}, {who}: both"), |bench| {
                bench.iter(|| black_box(operator(&x, &weight).and_then(|y| Ok(y.backward()?))).is_ok());
            });
        };
        run("ours", &move |x, weight| ours(x, weight, kind));
        if let Some(operator) = plain(kind) {
            run("candle", &*operator);
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1)).without_plots();
    targets = convolutions
}
criterion_main!(benches);
