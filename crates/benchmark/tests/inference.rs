//! Label maps under mmsegmentation's protocols against those that mmsegmentation predicts; `fixtures/make_inference.py` ran it.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::path::PathBuf;

use candle_core::{Device, Tensor};
use image::RgbImage;
use segbench_benchmark::Predictor;
use segbench_models::{Tensors, zoo};
use segbench_nn::weights::seeded;
use segbench_transforms::Normalization;
use segbench_types::{InferenceRule, InputSize, Protocol, Window};

/// Scores nearer to each other than this share of their range may swap: sums of f32 in another order.
const NOISE: f32 = 2e-5;

/// Numbers in [0, 1) that follow from a name.
fn unit(name: &str, count: usize) -> Vec<f32> {
    let mut state = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((x ^ (x >> 31)) >> 40) as f32 / 16_777_216.0
    };
    (0..count).map(|_| next()).collect()
}

/// Patches of 7 x 7 in one color each, and noise.
fn picture(height: usize, width: usize) -> RgbImage {
    let values = |what: &str| unit(&format!("{what} {height} {width}"), 3 * height * width);
    let (patches, fine) = (values("patches"), values("noise"));
    let sample = |index: usize| {
        let (channel, x, y) = (index % 3, index / 3 % width, index / 3 / width);
        (200.0 * patches[3 * (y / 7 * width + x / 7) + channel] + 55.0 * fine[index]) as u8
    };
    RgbImage::from_raw(width as u32, height as u32, (0..fine.len()).map(sample).collect()).expect("the size")
}

fn predictor() -> Predictor {
    let names = include_str!("../../models/tests/fixtures/names/fcn-tiny-mmseg.txt");
    let tensor = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name").to_owned();
        let shape: Vec<usize> = match words.next() {
            Some("scalar") | None => Vec::new(),
            Some(shape) => shape.split('x').map(|side| side.parse().expect("a side")).collect(),
        };
        let scale: f32 = words.next().map_or(1.0, |scale| scale.parse().expect("a scale"));
        let values = seeded(&name, &shape).into_iter().map(|value| scale * value).collect();
        (name, Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor"))
    };
    let tensors: Tensors = names.lines().map(tensor).collect();
    let (network, _, classes) =
        zoo::find("fcn-tiny").expect("a model").load(tensors, &Device::Cpu).expect("fits");
    Predictor::new(network, Normalization::IMAGENET, classes, segbench_models::Input::Image, Device::Cpu)
}

#[test]
fn whole_images_windows_and_views_get_the_labels_that_mmsegmentation_gives_them() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/inference.safetensors");
    let stored = candle_core::safetensors::load(path, &Device::Cpu).expect("the fixture");
    let predictor = predictor();
    let native = vec![InputSize::Native];
    let within = vec![InputSize::Within { long: 190, short: 110 }];
    let window = Some(Window { size: [64, 72], stride: [40, 45] });
    let slide = |inputs| InferenceRule { inputs, window, ..Protocol::mmseg_slide().inference };
    let whole = |inputs| InferenceRule { inputs, ..Protocol::mmseg_whole().inference };
    let cases = [
        ("whole", whole(native.clone())),
        ("whole-within", whole(within.clone())),
        ("slide", slide(native)),
        ("slide-within", slide(within)),
        ("tta", Protocol::mmseg_tta().inference),
    ];
    let mut swapped = 0;
    for (name, image) in [("wide", picture(93, 137)), ("tall", picture(101, 70))] {
        for (case, rule) in &cases {
            let flat = |part: &str| stored[&format!("{name}.{case}.{part}")].flatten_all().expect("a plane");
            let labels: Vec<u8> = flat("labels").to_vec1().expect("labels");
            let gaps: Vec<f32> =
                flat("gap").to_dtype(candle_core::DType::F32).expect("f32").to_vec1().expect("gaps");
            let got = predictor.label_map_by(rule, &image).expect("labels");
            assert_eq!((got.width(), got.height()), image.dimensions());
            for (pixel, ((&got, &expected), &gap)) in
                got.as_slice().iter().zip(&labels).zip(&gaps).enumerate()
            {
                if got != expected {
                    assert!(gap < NOISE, "{name} {case}: {got} instead of {expected} at {pixel}, gap {gap}");
                    swapped += 1;
                }
            }
        }
    }
    // Of 99,055 pixels.
    assert!(swapped <= 20, "{swapped} labels swapped");
}

#[test]
fn every_protocol_labels_every_pixel_of_an_image_of_any_shape() {
    let (predictor, image) = (predictor(), picture(45, 61));
    for mut protocol in Protocol::all() {
        // The five sizes of CSAIL's rule and Hugging Face's square, smaller.
        for input in &mut protocol.inference.inputs {
            match input {
                InputSize::ShortestEdgeOfMultiples { short, .. } => *short /= 10,
                InputSize::Exactly { height, width } => (*height, *width) = (64, 64),
                _ => {}
            }
        }
        let labels = predictor.label_map_by(&protocol.inference, &image).expect("labels");
        assert_eq!((labels.width(), labels.height()), (61, 45), "{}", protocol.name);
        assert!(labels.as_slice().iter().all(|&label| usize::from(label) < predictor.classes()));
    }
}
