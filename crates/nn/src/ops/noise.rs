//! Dropout in its three forms. All are the identity in a pass that predicts.

use candle_core::{Shape, Tensor};
use segbench_types::Rng;

use crate::{Context, Error, Result};

/// Sets each element to zero with the given probability and scales the others up.
///
/// # Errors
///
/// [`Error::Shape`] if the probability is outside `0..1`.
pub fn dropout(x: &Tensor, probability: f32, ctx: &Context) -> Result<Tensor> {
    drop(x, probability, ctx, "dropout", x.rank())
}

/// Sets each channel of each sample to zero with the given probability and scales the others up, as `nn.Dropout2d` does.
///
/// # Errors
///
/// [`Error::Shape`] if `x` has fewer than two dimensions or the probability is outside `0..1`.
pub fn dropout2d(x: &Tensor, probability: f32, ctx: &Context) -> Result<Tensor> {
    drop(x, probability, ctx, "dropout2d", 2)
}

/// Sets whole samples to zero with the given probability and scales the others up (stochastic depth).
///
/// # Errors
///
/// [`Error::Shape`] if `x` has no dimension or the probability is outside `0..1`.
///
/// # Source
///
/// Huang et al., [Deep Networks with Stochastic Depth](https://arxiv.org/abs/1603.09382).
pub fn drop_path(x: &Tensor, probability: f32, ctx: &Context) -> Result<Tensor> {
    drop(x, probability, ctx, "drop_path", 1)
}

/// One decision for every index of the first `decided` dimensions.
fn drop(
    x: &Tensor,
    probability: f32,
    ctx: &Context,
    operation: &'static str,
    decided: usize,
) -> Result<Tensor> {
    if !(0.0..1.0).contains(&probability) {
        return Err(Error::shape(operation, format!("probability {probability} is not in 0..1")));
    }
    if x.rank() < decided {
        return Err(Error::shape(operation, format!("{:?} has fewer than {decided} dimensions", x.dims())));
    }
    // A layer that never drops draws no stream, so that adding one does not change the others.
    if probability == 0.0 {
        return Ok(x.clone());
    }
    let Some(mut rng) = ctx.random_stream() else {
        return Ok(x.clone());
    };
    let mut dims = vec![1; x.rank()];
    dims[..decided].copy_from_slice(&x.dims()[..decided]);
    let mask = keep_mask(&dims.into(), probability, &mut rng, x)?;
    Ok(x.broadcast_mul(&mask)?)
}

fn keep_mask(shape: &Shape, probability: f32, rng: &mut Rng, like: &Tensor) -> Result<Tensor> {
    let scale = 1.0 / (1.0 - probability);
    let values: Vec<f32> =
        (0..shape.elem_count()).map(|_| if rng.chance(probability) { 0.0 } else { scale }).collect();
    Ok(Tensor::from_vec(values, shape, like.device())?.to_dtype(like.dtype())?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn ones(dims: &[usize]) -> Tensor {
        Tensor::ones(dims, candle_core::DType::F32, &Device::Cpu).unwrap()
    }

    fn values(t: &Tensor) -> Vec<f32> {
        t.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_share_of_elements_is_dropped_and_the_mean_is_kept() {
        let y = values(&dropout(&ones(&[50, 401]), 0.3, &Context::train(5, 2)).unwrap());
        assert!(y.iter().all(|&v| v == 0.0 || (v - 1.0 / 0.7).abs() < 1e-6));
        let dropped = y.iter().filter(|&&v| v == 0.0).count() as f64 / y.len() as f64;
        assert!((dropped - 0.3).abs() < 0.01, "{dropped}");
    }

    #[test]
    fn channel_dropout_and_drop_path_drop_whole_blocks() {
        let ctx = Context::train(1, 1);
        for (y, block) in [
            (dropout2d(&ones(&[7, 9, 3, 5]), 0.5, &ctx).unwrap(), 15),
            (drop_path(&ones(&[31, 4, 5]), 0.5, &ctx).unwrap(), 20),
        ] {
            let y = values(&y);
            let blocks: Vec<&[f32]> = y.chunks(block).collect();
            assert!(blocks.iter().all(|block| block.iter().all(|v| *v == block[0])));
            assert!(blocks.iter().any(|block| block[0] == 0.0) && blocks.iter().any(|block| block[0] == 2.0));
        }
    }

    #[test]
    fn the_same_step_drops_the_same_elements_and_the_next_call_others() {
        let (first, second) = (Context::train(3, 8), Context::train(3, 8));
        let x = ones(&[13, 11]);
        let a = values(&dropout(&x, 0.5, &first).unwrap());
        assert_eq!(a, values(&dropout(&x, 0.5, &second).unwrap()));
        assert_ne!(a, values(&dropout(&x, 0.5, &first).unwrap()));
    }

    #[test]
    fn nothing_is_dropped_in_a_pass_that_predicts() {
        let x = ones(&[5, 7]);
        assert_eq!(values(&dropout(&x, 0.9, &Context::eval()).unwrap()), values(&x));
    }

    #[test]
    fn the_gradient_is_the_mask() {
        let x = candle_core::Var::from_tensor(&ones(&[4, 9])).unwrap();
        let y = dropout(&x, 0.5, &Context::train(0, 0)).unwrap();
        let grads = y.sum_all().unwrap().backward().unwrap();
        assert_eq!(values(grads.get(&x).unwrap()), values(&y));
    }

    #[test]
    fn a_probability_outside_of_zero_to_one_is_an_error() {
        for probability in [-0.1, 1.0, f32::NAN] {
            assert!(dropout(&ones(&[2]), probability, &Context::train(0, 0)).is_err());
        }
        assert!(dropout2d(&ones(&[2]), 0.5, &Context::train(0, 0)).is_err());
    }
}
