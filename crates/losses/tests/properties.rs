//! What holds for every loss in the registry.

#![expect(clippy::expect_used, reason = "helper functions of tests")]

use candle_core::{DType, Device, Tensor, Var};
use segbench_losses::{Error, LOSSES, Loss, Target, build};
use segbench_targets::Grid;
use segbench_types::{IGNORE, Rng};

const SIZE: (usize, usize, usize, usize) = (2, 4, 5, 7);
const WEIGHTS: [f32; 4] = [0.5, 2.0, 1.0, 1.25];

/// Random logits and labels, a quarter of the pixels ignored.
fn example(seed: u64) -> (Var, Target) {
    let (batch, classes, height, width) = SIZE;
    let mut rng = Rng::new(seed, &[]);
    let logits: Vec<f32> = (0..batch * classes * height * width).map(|_| 2.0 * rng.normal()).collect();
    let labels = (0..batch * height * width)
        .map(|_| if rng.chance(0.25) { IGNORE } else { rng.below(classes) as u8 })
        .collect();
    (variable(logits), target(labels))
}

fn variable(logits: Vec<f32>) -> Var {
    Tensor::from_vec(logits, SIZE, &Device::Cpu).and_then(|x| Var::from_tensor(&x)).expect("a variable")
}

fn target(labels: Vec<u8>) -> Target {
    let (batch, _, height, width) = SIZE;
    Target::new(labels, batch, height, width).expect("a target").with_class_weights(&WEIGHTS)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.to_dtype(DType::F32).and_then(|x| x.flatten_all()).and_then(|flat| flat.to_vec1()).expect("values")
}

fn value(loss: &dyn Loss, logits: &Tensor, target: &Target) -> f32 {
    values(&loss.forward(logits, target).expect("a loss"))[0]
}

fn gradient(loss: &dyn Loss, logits: &Var, target: &Target) -> Vec<f32> {
    let result = loss.forward(logits, target).expect("a loss");
    values(result.backward().expect("gradients").get(logits).expect("of the logits"))
}

/// Every loss in both forms.
fn every(mut check: impl FnMut(&str, &dyn Loss)) {
    for card in LOSSES {
        for form in ["repaired", "seed"] {
            let options = [("form".to_owned(), form.into())].into_iter().collect();
            let loss = build(card.name, options, Some(SIZE.1)).expect("a loss");
            check(&format!("{} {form}", card.name), loss.as_ref());
        }
    }
}

#[test]
fn a_target_of_ignored_pixels_has_no_loss_and_no_gradient() {
    let (logits, _) = example(1);
    let nothing = target(vec![IGNORE; 2 * 5 * 7]);
    every(|name, loss| {
        assert_eq!(value(loss, &logits, &nothing), 0.0, "{name}");
        assert!(gradient(loss, &logits, &nothing).iter().all(|&slope| slope == 0.0), "{name}");
    });
}

#[test]
fn logits_of_ignored_pixels_do_not_matter_even_if_they_are_no_numbers() {
    let (logits, target) = example(2);
    let tame = values(&logits);
    let (_, classes, height, width) = SIZE;
    let pixels = height * width;
    let ignored = |at: usize| target.labels()[at / (classes * pixels) * pixels + at % pixels] == IGNORE;
    let strange = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];
    let wild: Vec<f32> =
        tame.iter().enumerate().map(|(at, &x)| if ignored(at) { strange[at % 4] } else { x }).collect();
    let wild = variable(wild);
    every(|name, loss| {
        // The seed's prediction map of the Hausdorff loss looks at all pixels.
        if name == "hausdorff seed" {
            return;
        }
        assert_eq!(value(loss, &wild, &target), value(loss, &logits, &target), "{name}");
        let (with, without) = (gradient(loss, &wild, &target), gradient(loss, &logits, &target));
        assert_eq!(with, without, "{name}");
        assert!(with.iter().enumerate().all(|(at, &slope)| !ignored(at) || slope == 0.0), "{name}");
    });
}

#[test]
fn a_logit_of_a_counted_pixel_that_is_no_number_shows() {
    let (logits, target) = example(3);
    let counted = target.labels().iter().position(|&label| label != IGNORE).expect("a counted pixel");
    let mut broken = values(&logits);
    broken[counted] = f32::NAN;
    let broken = variable(broken);
    for card in LOSSES {
        // TopK orders by difficulty, where a NaN is the hardest of all.
        let loss = build(card.name, Default::default(), Some(SIZE.1)).expect("a loss");
        assert!(!value(loss.as_ref(), &broken, &target).is_finite(), "{}", card.name);
    }
}

#[test]
fn the_gradient_is_the_slope() {
    let (logits, target) = example(4);
    let start = values(&logits);
    let step = 4e-3;
    for card in LOSSES {
        let loss = build(card.name, Default::default(), Some(SIZE.1)).expect("a loss");
        let gradient = gradient(loss.as_ref(), &logits, &target);
        let largest = gradient.iter().fold(0.0_f32, |largest, slope| largest.max(slope.abs()));
        let size = value(loss.as_ref(), &logits, &target).abs();
        for at in (0..start.len()).step_by(3) {
            let moved = |by: f32| {
                let mut logits = start.clone();
                logits[at] += by;
                value(loss.as_ref(), &variable(logits), &target)
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            let tolerance = 1e-2 * largest + 2.0 * size * f32::EPSILON / step;
            assert!(
                (slope - gradient[at]).abs() < tolerance,
                "{} at {at}: {slope} {}",
                card.name,
                gradient[at]
            );
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    // More pixels than one block has.
    let (height, width) = (37, 53);
    let mut rng = Rng::new(5, &[]);
    let logits: Vec<f32> = (0..2 * 4 * height * width).map(|_| 2.0 * rng.normal()).collect();
    let logits = Tensor::from_vec(logits, (2, 4, height, width), &Device::Cpu).expect("logits");
    let logits = Var::from_tensor(&logits).expect("a variable");
    let labels = (0..2 * height * width).map(|at| (at / 9 % 4) as u8).collect();
    let target = Target::new(labels, 2, height, width).expect("a target").with_class_weights(&WEIGHTS);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let (one, three) = (pool(1), pool(3));
    for card in LOSSES {
        let loss = build(card.name, Default::default(), Some(4)).expect("a loss");
        let run = || (value(loss.as_ref(), &logits, &target), gradient(loss.as_ref(), &logits, &target));
        assert_eq!(one.install(run), three.install(run), "{}", card.name);
    }
}

#[test]
fn a_profile_counts_the_time_of_a_loss_under_its_name() {
    let (logits, target) = example(10);
    for card in LOSSES {
        let loss = build(card.name, Default::default(), Some(SIZE.1)).expect("a loss");
        let (_, times) = segbench_nn::cpu::profile(|| gradient(loss.as_ref(), &logits, &target));
        // Other tests run meanwhile, and their calls may be counted too.
        let times = times[card.name];
        assert!(times.calls > 0 && times.forward > times.backward, "{}: {times:?}", card.name);
    }
}

#[test]
fn half_precision_is_computed_in_f32() {
    let (logits, target) = example(6);
    for dtype in [DType::F16, DType::BF16] {
        let half = logits.to_dtype(dtype).and_then(|x| Var::from_tensor(&x)).expect("half");
        let same = half.to_dtype(DType::F32).and_then(|x| Var::from_tensor(&x)).expect("the same numbers");
        every(|name, loss| {
            assert_eq!(value(loss, &half, &target), value(loss, &same, &target), "{name}");
            for (half, full) in gradient(loss, &half, &target).iter().zip(gradient(loss, &same, &target)) {
                assert!((half - full).abs() <= 1e-2 * full.abs() + 1e-6, "{name}: {half} {full}");
            }
        });
    }
}

#[test]
fn the_gradient_of_the_result_is_passed_on_however_often() {
    let (logits, target) = example(7);
    every(|name, loss| {
        let once = gradient(loss, &logits, &target);
        let result = (loss.forward(&logits, &target).expect("a loss") * -3.0).expect("scaled");
        for _ in 0..2 {
            let scaled = values(result.backward().expect("gradients").get(&logits).expect("of the logits"));
            for (scaled, once) in scaled.iter().zip(&once) {
                assert!((scaled + 3.0 * once).abs() <= 1e-6 * once.abs(), "{name}: {scaled} {once}");
            }
        }
    });
}

#[test]
fn a_volume_of_one_slice_is_an_image() {
    let (logits, target) = example(8);
    let (batch, classes, height, width) = SIZE;
    let volume = logits.reshape((batch, classes, 1, height, width)).expect("a volume");
    let volume_target = Target::volumes(target.labels().to_vec(), batch, Grid::volume(1, height, width))
        .expect("a target")
        .with_class_weights(&WEIGHTS);
    for card in LOSSES {
        let loss = build(card.name, Default::default(), Some(classes)).expect("a loss");
        let (image, volume) =
            (value(loss.as_ref(), &logits, &target), value(loss.as_ref(), &volume, &volume_target));
        assert_eq!(image, volume, "{}", card.name);
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (logits, _) = example(9);
    every(|name, loss| {
        let other = Target::new(vec![0; 70], 2, 7, 5).expect("a target").with_class_weights(&WEIGHTS);
        assert!(matches!(loss.forward(&logits, &other), Err(Error::Size { .. })), "{name}");
        let foreign = target(vec![4; 70]);
        assert!(matches!(loss.forward(&logits, &foreign), Err(Error::Label { label: 4, .. })), "{name}");
    });
    let weighted = build("weighted-cross-entropy", Default::default(), None).expect("a loss");
    let bare = Target::new(vec![0; 70], 2, 5, 7).expect("a target");
    assert!(matches!(weighted.forward(&logits, &bare), Err(Error::NoClassWeights { .. })));
    assert!(matches!(
        weighted.forward(&logits, &bare.with_class_weights(&[1.0, -1.0, 1.0, 1.0])),
        Err(Error::ClassWeight { class: 1, .. })
    ));
}
