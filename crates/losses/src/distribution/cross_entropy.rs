//! Cross-entropy: the mean over the labelled pixels of minus the logarithm of the probability of the true class.
//!
//! With logits `x`, label `y_i` of pixel `i` and class weights `w` it is
//! `sum_i w[y_i] (log sum_c exp x_ic - x_i,y_i) / sum_i w[y_i]` over the pixels that are not ignored, as PyTorch's
//! `F.cross_entropy(x, y, weight=w, ignore_index=255, reduction="mean")`; where that divides 0 by 0, the loss here is 0.
//! Its gradient is `w[y_i] (softmax(x_i)_c - [c = y_i]) / sum_i w[y_i]`.
//!
//! On the CPU the loss is one fused operation that reads the logits where they lie and keeps one number per pixel for the
//! gradient; on other devices it is put together from candle's operations.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp1, D, DType, Device, Layout, Shape, Tensor};
use rayon::prelude::*;
use segbench_types::IGNORE;

use crate::{Error, Result, Target};

/// The weighted mean of the cross-entropy over the labelled pixels; every class weighs 1 without `class_weights`.
///
/// # Shapes
/// `logits`: (B, C, H, W), any floating-point type; `class_weights`: C; the result is an f32 scalar.
///
/// # Errors
/// [`Error::Size`] if the sizes differ, [`Error::Label`] if a label is no class, [`Error::ClassWeight`] if a weight is negative
/// or not finite.
///
/// # Examples
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use segbench_losses::{Target, cross_entropy};
///
/// let logits = Tensor::zeros((1, 4, 1, 3), DType::F32, &Device::Cpu)?;
/// let target = Target::new(vec![0, 3, 255], 1, 1, 3)?;
/// let loss = cross_entropy(&logits, &target, None)?.to_scalar::<f32>()?;
/// assert!((loss - 4_f32.ln()).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn cross_entropy(logits: &Tensor, target: &Target, class_weights: Option<&[f32]>) -> Result<Tensor> {
    let (batch, classes, height, width) = logits.dims4()?;
    let expected = vec![target.batch(), target.height(), target.width()];
    if expected != [batch, height, width] {
        return Err(Error::Size { what: "the batch of logits", got: vec![batch, height, width], expected });
    }
    target.check(classes)?;
    let weights = pixel_weights(classes, class_weights)?;
    let logits = logits.to_dtype(DType::F32)?;
    match logits.device() {
        Device::Cpu => Ok(logits.contiguous()?.apply_op1(Fused::new(target, classes, weights))?),
        _ => composed(&logits, target, &weights),
    }
}

/// The weight of a pixel by its label: 0 for every value that is no class.
fn pixel_weights(classes: usize, class_weights: Option<&[f32]>) -> Result<[f32; 256]> {
    let mut weights = [0.0; 256];
    match class_weights {
        None => weights.iter_mut().take(classes).for_each(|weight| *weight = 1.0),
        Some(given) if given.len() != classes => {
            return Err(Error::Size {
                what: "the list of class weights",
                got: vec![given.len()],
                expected: vec![classes],
            });
        }
        Some(given) => {
            for (class, (weight, &given)) in weights.iter_mut().zip(given).enumerate() {
                if !given.is_finite() || given < 0.0 {
                    return Err(Error::ClassWeight { class, weight: given });
                }
                *weight = given;
            }
        }
    }
    weights[usize::from(IGNORE)] = 0.0;
    Ok(weights)
}

/// The same loss from candle's own operations.
fn composed(logits: &Tensor, target: &Target, weights: &[f32; 256]) -> Result<Tensor> {
    let size = (target.batch(), 1, target.height(), target.width());
    let weight: Vec<f32> = target.labels().iter().map(|&label| weights[usize::from(label)]).collect();
    // Pixels of weight 0 take the logarithm of class 0, which the weight removes.
    let class = target
        .labels()
        .iter()
        .zip(&weight)
        .map(|(&label, &weight)| if weight > 0.0 { u32::from(label) } else { 0 });
    let class = Tensor::from_iter(class, logits.device())?.reshape(size)?;
    let total: f64 = weight.iter().map(|&weight| f64::from(weight)).sum();
    let weight = Tensor::from_vec(weight, size, logits.device())?;
    let logarithm = candle_nn::ops::log_softmax(logits, 1)?.gather(&class, 1)?;
    // Two steps: candle reduces a whole tensor with a single block of threads.
    let sum = (logarithm * weight)?.sum(D::Minus1)?.sum_all()?;
    let scale = if total > 0.0 { -1.0 / total } else { 0.0 };
    Ok((sum * scale)?)
}

/// Forward and backward in one pass over the logits each.
struct Fused {
    target: Target,
    classes: usize,
    weights: [f32; 256],
    /// The sum of the weights of all pixels.
    total: f64,
    /// `log sum_c exp x_ic` of every pixel, kept by the forward pass for the backward pass.
    normalizers: OnceLock<Arc<[f32]>>,
}

impl Fused {
    fn new(target: &Target, classes: usize, weights: [f32; 256]) -> Self {
        let mut pixels = [0_u64; 256];
        target.labels().iter().for_each(|&label| pixels[usize::from(label)] += 1);
        let total =
            pixels.iter().zip(&weights).map(|(&pixels, &weight)| pixels as f64 * f64::from(weight)).sum();
        Self { target: target.clone(), classes, weights, total, normalizers: OnceLock::new() }
    }

    /// The normalizers, and the weighted loss of each row, so that the sum over rows has one order.
    fn forward(&self, logits: &[f32]) -> (Vec<f32>, Vec<f64>) {
        let (height, width) = (self.target.height(), self.target.width());
        let mut normalizers = vec![0.0; self.target.labels().len()];
        let rows =
            normalizers.par_chunks_mut(width.max(1)).zip(self.target.labels().par_chunks(width.max(1)));
        let losses = rows.enumerate().map(|(row, (normalizers, labels))| {
            let row_of = |class| self.row(logits, row / height, class, row % height);
            let mut largest = vec![f32::NEG_INFINITY; width];
            for class in 0..self.classes {
                largest.iter_mut().zip(row_of(class)).for_each(|(largest, &x)| *largest = largest.max(x));
            }
            for class in 0..self.classes {
                let terms = row_of(class).iter().zip(&largest).map(|(x, largest)| (x - largest).exp());
                normalizers.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
            }
            normalizers.iter_mut().zip(&largest).for_each(|(sum, largest)| *sum = largest + sum.ln());
            let pixels = labels.iter().zip(normalizers.iter()).enumerate();
            let loss_of = |(column, (&label, normalizer)): (usize, (&u8, &f32))| {
                let weight = self.weights[usize::from(label)];
                // The check also keeps infinite logits of pixels that do not count out of the sum.
                if weight > 0.0 {
                    f64::from(weight) * f64::from(normalizer - row_of(usize::from(label))[column])
                } else {
                    0.0
                }
            };
            pixels.map(loss_of).sum()
        });
        let losses = losses.collect();
        (normalizers, losses)
    }

    fn gradient(&self, logits: &[f32], normalizers: &[f32], outer: f32) -> Vec<f32> {
        let (height, width) = (self.target.height(), self.target.width());
        let scale = if self.total > 0.0 { f64::from(outer) / self.total } else { 0.0 };
        let mut gradient = vec![0.0; logits.len()];
        // Chunks of one row of one class: (image * classes + class) * height + row.
        let chunks = gradient.par_chunks_mut(width.max(1)).zip(logits.par_chunks(width.max(1)));
        chunks.enumerate().for_each(|(chunk, (gradient, logits))| {
            let (row, class, image) =
                (chunk % height, chunk / height % self.classes, chunk / height / self.classes);
            let start = (image * height + row) * width;
            let labels = &self.target.labels()[start..start + width];
            let pixels = logits.iter().zip(&normalizers[start..start + width]).zip(labels);
            for (gradient, ((x, normalizer), &label)) in gradient.iter_mut().zip(pixels) {
                let weight = self.weights[usize::from(label)];
                if weight > 0.0 {
                    let probability = (x - normalizer).exp();
                    let wanted = if usize::from(label) == class { 1.0 } else { 0.0 };
                    *gradient = (f64::from(weight) * scale) as f32 * (probability - wanted);
                }
            }
        });
        gradient
    }

    fn row<'a>(&self, logits: &'a [f32], image: usize, class: usize, row: usize) -> &'a [f32] {
        let width = self.target.width();
        let start = ((image * self.classes + class) * self.target.height() + row) * width;
        &logits[start..start + width]
    }
}

impl CustomOp1 for Fused {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (normalizers, losses) = self.forward(contiguous(storage, layout)?);
        // A second forward pass of the same operation sees the same logits and finds the same numbers.
        let _ = self.normalizers.set(normalizers.into());
        let loss = if self.total > 0.0 { losses.iter().sum::<f64>() / self.total } else { 0.0 };
        Ok((CpuStorage::F32(vec![loss as f32]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, outer: &Tensor) -> candle_core::Result<Option<Tensor>> {
        let (storage, layout) = logits.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else {
            candle_core::bail!("the fused cross-entropy runs on the CPU only");
        };
        let values = contiguous(storage, layout)?;
        let normalizers = self.normalizers.get_or_init(|| self.forward(values).0.into());
        let gradient = self.gradient(values, normalizers, outer.to_scalar()?);
        Tensor::from_vec(gradient, logits.shape(), &Device::Cpu).map(Some)
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => candle_core::bail!("the fused cross-entropy reads contiguous f32 logits"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;
    use segbench_types::Rng;

    use super::*;

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

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
    }

    fn gradient(loss: &Tensor, logits: &Var) -> Vec<f32> {
        values(loss.backward().expect("a gradient").get(logits).expect("of the logits"))
    }

    #[test]
    fn the_fused_loss_equals_the_one_composed_of_candle_s_operations() {
        for (seed, weights) in [(1, None), (2, Some(&WEIGHTS[..]))] {
            let (logits, target) = example(seed);
            let fused = cross_entropy(&logits, &target, weights).expect("a loss");
            let table = pixel_weights(4, weights).expect("weights");
            let composed = composed(&logits, &target, &table).expect("a loss");
            let difference = (&fused - &composed).and_then(|x| x.to_scalar::<f32>()).expect("scalars");
            assert!(difference.abs() < 1e-6, "{fused} {composed}");
            for (fused, composed) in gradient(&fused, &logits).iter().zip(gradient(&composed, &logits)) {
                assert!((fused - composed).abs() < 1e-6, "{fused} {composed}");
            }
        }
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
