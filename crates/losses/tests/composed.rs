//! The losses from operations of tensors, which other devices compute, equal the fused ones; in f64 their gradients are slopes.

#![expect(clippy::expect_used, reason = "helper functions of tests")]

use candle_core::{DType, Device, Result, Tensor, Var};
use segbench_losses::{LOSSES, Loss, Target, build};
use segbench_targets::Grid;
use segbench_types::{IGNORE, Rng};

/// Losses whose value is computed from slices in f32 wherever the logits are.
const ON_CPU: [&str; 4] = [
    "lovasz-softmax",
    "distance-penalized-cross-entropy seed",
    "hausdorff seed",
    r#"hausdorff {"erosions":4}"#,
];

/// Random logits of any size `(B, C, ..)` and labels, a fifth of the pixels ignored.
fn example(dims: &[usize], seed: u64) -> (Tensor, Target) {
    let mut rng = Rng::new(seed, &[]);
    let logits: Vec<f64> = (0..dims.iter().product()).map(|_| f64::from(2.0 * rng.normal())).collect();
    let pixels = dims[0] * dims[2..].iter().product::<usize>();
    let labels =
        (0..pixels).map(|_| if rng.chance(0.2) { IGNORE } else { rng.below(dims[1]) as u8 }).collect();
    let target = match *dims {
        [batch, _, height, width] => Target::new(labels, batch, height, width),
        [batch, _, depth, height, width] => {
            Target::volumes(labels, batch, Grid::volume(depth, height, width))
        }
        _ => panic!("{dims:?}"),
    };
    let weights: Vec<f32> = (0..dims[1]).map(|class| 0.5 + class as f32).collect();
    let logits = Tensor::from_vec(logits, dims, &Device::Cpu).expect("logits");
    (logits, target.expect("a target").with_class_weights(&weights))
}

/// Every loss with some of its options, by what it is called here.
fn every(classes: usize, mut check: impl FnMut(&str, &dyn Loss)) {
    let more = [
        ("topk", r#"{"threshold":0.4}"#),
        ("focal", r#"{"gamma":1.5}"#),
        ("dice", r#"{"squared":true,"over":"batch"}"#),
        ("iou", r#"{"classes":[1],"average":"micro"}"#),
        ("boundary", r#"{"exclude_background":true}"#),
        ("hausdorff", r#"{"classes":[0,1],"alpha":1.0}"#),
        ("hausdorff", r#"{"erosions":4}"#),
    ];
    let forms = LOSSES
        .iter()
        .flat_map(|card| [(card.name, "".to_owned()), (card.name, r#"{"form":"seed"}"#.to_owned())]);
    for (name, options) in forms.chain(more.map(|(name, options)| (name, options.to_owned()))) {
        let given = if options.is_empty() { "{}" } else { &options };
        let loss = build(name, serde_json::from_str(given).expect("options"), Some(classes)).expect("a loss");
        let shown = if options.contains("seed") { "seed" } else { &options };
        check(format!("{name} {shown}").trim(), loss.as_ref());
    }
}

/// The value, and its gradient.
fn both(loss: &dyn Loss, logits: &Var, target: &Target, composed: bool) -> Result<(f64, Vec<f64>)> {
    let value = if composed { loss.composed(logits, target) } else { loss.forward(logits, target) };
    let value = value.expect("a value");
    let gradients = value.backward()?;
    let gradient = gradients.get(logits).expect("of the logits").to_dtype(DType::F64)?;
    Ok((value.to_dtype(DType::F64)?.to_scalar()?, gradient.flatten_all()?.to_vec1()?))
}

#[test]
fn composed_losses_equal_the_fused_ones() {
    for (dims, seed) in
        [(&[3, 3, 5, 7][..], 1), (&[1, 2, 1, 1], 2), (&[2, 4, 9, 3], 3), (&[1, 3, 3, 4, 5], 4)]
    {
        let (logits, target) = example(dims, seed);
        every(dims[1], |name, loss| {
            // The seed's code takes no volumes where it takes distances.
            if dims.len() == 5 && name.ends_with("seed") {
                return;
            }
            let run = |dtype: DType, composed: bool| {
                let logits = logits.to_dtype(dtype).and_then(|x| Var::from_tensor(&x)).expect("a variable");
                both(loss, &logits, &target, composed).expect("a gradient")
            };
            let (value, gradient) = run(DType::F32, false);
            for dtype in [DType::F32, DType::F64] {
                let (same, slopes) = run(dtype, true);
                assert!((same - value).abs() <= 1e-5 * value.abs() + 2e-7, "{name} {dims:?}: {same} {value}");
                let largest = gradient.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs()));
                for (slope, fused) in slopes.iter().zip(&gradient) {
                    let difference = (slope - fused).abs();
                    assert!(difference <= 1e-4 * largest + 2e-7, "{name} {dims:?}: {slope} {fused}");
                }
            }
        });
    }
}

#[test]
fn gradients_in_f64_are_slopes() {
    let dims = [2, 3, 4, 5];
    let (logits, target) = example(&dims, 5);
    let start: Vec<f64> = logits.flatten_all().and_then(|flat| flat.to_vec1()).expect("values");
    every(dims[1], |name, loss| {
        if ON_CPU.contains(&name) || name.starts_with("lovasz") {
            return;
        }
        let value = |values: Vec<f64>| {
            let logits = Tensor::from_vec(values, &dims, &Device::Cpu).expect("logits");
            loss.composed(&logits, &target).and_then(|value| Ok(value.to_scalar::<f64>()?)).expect("a value")
        };
        let variable = Var::from_tensor(&logits).expect("a variable");
        let (_, gradient) = both(loss, &variable, &target, true).expect("a gradient");
        let largest = gradient.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs()));
        let step = 1e-5;
        for at in (0..start.len()).step_by(2) {
            let moved = |by: f64| {
                let mut values = start.clone();
                values[at] += by;
                value(values)
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            let difference = (slope - gradient[at]).abs();
            assert!(difference <= 1e-6 * largest + 1e-9, "{name} at {at}: {slope} {}", gradient[at]);
        }
    });
}

#[test]
fn a_composed_loss_of_ignored_pixels_has_no_value_and_no_gradient() {
    let (logits, _) = example(&[2, 3, 4, 5], 6);
    // Not even where the logits are no numbers.
    let wild = logits.affine(0.0, f64::NAN).and_then(|x| Var::from_tensor(&x)).expect("a variable");
    let target = Target::new(vec![IGNORE; 40], 2, 4, 5).expect("a target").with_class_weights(&[1.0; 3]);
    every(3, |name, loss| {
        let (value, gradient) = both(loss, &wild, &target, true).expect("a gradient");
        assert_eq!(value, 0.0, "{name}");
        assert!(gradient.iter().all(|&slope| slope == 0.0), "{name}");
    });
}
