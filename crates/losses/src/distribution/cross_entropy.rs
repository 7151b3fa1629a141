//! Cross-entropy: the mean over the labelled pixels of minus the logarithm of the probability of the true class.
//!
//! With logits `x`, label `y_i` of pixel `i` and class weights `w` it is
//! `sum_i w[y_i] (log sum_c exp x_ic - x_i,y_i) / sum_i w[y_i]` over the pixels that are not ignored, as PyTorch's
//! `F.cross_entropy(x, y, weight=w, ignore_index=255, reduction="mean")`; where that divides 0 by 0, the loss here is 0.
//! Its gradient is `w[y_i] (softmax(x_i)_c - [c = y_i]) / sum_i w[y_i]`.
//!
//! The seed's code is the same.

use serde::{Deserialize, Serialize};

use crate::batch::Batch;
use crate::loss::Objective;
use crate::masked::pixel_weights;
use crate::{Form, Result, Target};

/// Cross-entropy, weighted by class where the target carries class weights.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {
    /// Which code; both are the same here.
    pub form: Form,
    /// Classes whose pixels count. Default: all.
    pub classes: Vec<usize>,
}

impl Objective for CrossEntropy {
    const NAME: &'static str = "cross-entropy";

    fn classes(&self) -> &[usize] {
        &self.classes
    }

    fn evaluate<B: Batch>(&self, batch: &mut B, counted: &[usize]) -> Result<B::Value> {
        let weights = pixel_weights(batch.classes(), batch.target().class_weights(), counted)?;
        let total = total(batch.target(), &weights);
        mean(batch, &weights, total)
    }
}

/// The sum of the weights of all pixels.
pub(super) fn total(target: &Target, weights: &[f32; 256]) -> f64 {
    let mut pixels = [0_u64; 256];
    target.labels().iter().for_each(|&label| pixels[usize::from(label)] += 1);
    pixels.iter().zip(weights).map(|(&pixels, &weight)| pixels as f64 * f64::from(weight)).sum()
}

/// The weighted sum of the pixels' cross-entropy over `total`; 0 where that is 0.
pub(super) fn mean<B: Batch>(batch: &mut B, weights: &[f32; 256], total: f64) -> Result<B::Value> {
    let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
    batch.sum(|pixel| {
        let weight = f64::from(weights[pixel.class]) * scale;
        // An infinite logit of a pixel without weight stays out of the sum.
        if weight > 0.0 { (weight * pixel.loss, weight) } else { (0.0, 0.0) }
    })
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Tensor, Var};
    use segbench_types::{IGNORE, Rng};

    use super::*;
    use crate::{Error, Loss as _};

    const WEIGHTS: [f32; 4] = [0.5, 2.0, 0.0, 1.25];

    /// Random logits and labels of 2 images of 5 x 3 pixels and 4 classes, a quarter of the pixels ignored.
    fn example(seed: u64) -> (Var, Target) {
        let mut rng = Rng::new(seed, &[]);
        let logits: Vec<f32> = (0..2 * 4 * 5 * 3).map(|_| 2.0 * rng.normal()).collect();
        let labels =
            (0..2 * 5 * 3).map(|_| if rng.chance(0.25) { IGNORE } else { rng.below(4) as u8 }).collect();
        let logits = Tensor::from_vec(logits, (2, 4, 5, 3), &Device::Cpu).expect("logits");
        (Var::from_tensor(&logits).expect("a variable"), Target::new(labels, 2, 5, 3).expect("a target"))
    }

    fn cross_entropy(logits: &Tensor, target: &Target, weights: Option<&[f32]>) -> Result<Tensor> {
        let target = match weights {
            Some(weights) => target.clone().with_class_weights(weights),
            None => target.clone(),
        };
        CrossEntropy::default().forward(logits, &target)
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
    }

    fn gradient(loss: &Tensor, logits: &Var) -> Vec<f32> {
        values(loss.backward().expect("a gradient").get(logits).expect("of the logits"))
    }

    #[test]
    fn the_gradient_is_the_slope() {
        let (logits, target) = example(3);
        // The outer factor shows that the gradient from above is passed on.
        let loss_at =
            |logits: &Tensor| cross_entropy(logits, &target, Some(&WEIGHTS)).and_then(|x| Ok((x * 3.0)?));
        let gradient = gradient(&loss_at(&logits).expect("a loss"), &logits);
        let step = 1e-2;
        let start = values(&logits);
        for at in 0..start.len() {
            let moved = |by: f32| {
                let mut values = start.clone();
                values[at] += by;
                let tensor = Tensor::from_vec(values, (2, 4, 5, 3), &Device::Cpu).expect("logits");
                loss_at(&tensor).and_then(|loss| Ok(loss.to_scalar::<f32>()?)).expect("a loss")
            };
            let slope = (moved(step) - moved(-step)) / (2.0 * step);
            assert!((slope - gradient[at]).abs() < 2e-4, "at {at}: slope {slope}, gradient {}", gradient[at]);
        }
    }

    #[test]
    fn infinite_logits_of_ignored_pixels_do_not_matter() {
        let (logits, _) = example(4);
        let mut wild = values(&logits);
        let mut labels = vec![1; 30];
        for image in 0..2 {
            labels[image * 15 + 7] = IGNORE;
            for class in 0..4 {
                wild[(image * 4 + class) * 15 + 7] = [f32::INFINITY, f32::NAN][image];
            }
        }
        let target = Target::new(labels, 2, 5, 3).expect("a target");
        let tame = cross_entropy(&logits, &target, None).expect("a loss");
        let wild = Tensor::from_vec(wild, (2, 4, 5, 3), &Device::Cpu)
            .and_then(|x| Var::from_tensor(&x))
            .expect("logits");
        let loss = cross_entropy(&wild, &target, None).expect("a loss");
        assert_eq!(values(&loss), values(&tame));
        assert!(gradient(&loss, &wild).iter().all(|x| x.is_finite()));
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let (logits, target) = example(5);
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| {
                let loss = cross_entropy(&logits, &target, Some(&WEIGHTS)).expect("a loss");
                (values(&loss), gradient(&loss, &logits))
            })
        };
        assert_eq!(run(1), run(3));
    }

    #[test]
    fn half_precision_and_transposed_logits_are_accepted() {
        let (logits, target) = example(6);
        let expected = values(&cross_entropy(&logits, &target, None).expect("a loss"))[0];
        let half = logits.to_dtype(DType::F16).expect("half");
        let loss = values(&cross_entropy(&half, &target, None).expect("a loss"))[0];
        assert!((loss - expected).abs() < 1e-3, "{loss} {expected}");
        let channels_last = logits.permute((0, 2, 3, 1)).and_then(|x| x.contiguous()).expect("channels last");
        let view = channels_last.permute((0, 3, 1, 2)).expect("a view");
        assert_eq!(values(&cross_entropy(&view, &target, None).expect("a loss")), [expected]);
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let (logits, target) = example(7);
        let other = Target::new(vec![0; 30], 2, 3, 5).expect("a target");
        assert!(matches!(cross_entropy(&logits, &other, None), Err(Error::Size { .. })));
        let foreign = Target::new(vec![4; 30], 2, 5, 3).expect("a target");
        assert!(matches!(cross_entropy(&logits, &foreign, None), Err(Error::Label { label: 4, .. })));
        assert!(matches!(cross_entropy(&logits, &target, Some(&[1.0; 3])), Err(Error::Size { .. })));
        let negative = cross_entropy(&logits, &target, Some(&[1.0, -1.0, 1.0, 1.0]));
        assert!(matches!(negative, Err(Error::ClassWeight { class: 1, .. })));
    }
}
