//! Running sums.

use candle_core::shape::Dim;
use candle_core::{Shape, Tensor};

use super::on_cpu;
use super::softmax::Along;
use crate::cpu::{Backward, Function, Operand, apply, column_tiles, for_each_chunk, share};
use crate::{Error, Result};

/// Columns of one piece of work.
const TILE: usize = 256;

/// The sum of the elements up to and with each one along a dimension, in f64 inside and in linear time.
///
/// # Errors
///
/// [`Error::Shape`] if `x` does not have the dimension.
pub fn cumsum(x: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let absent = |_| Error::shape("cumsum", format!("got {:?}, expected more dimensions", x.dims()));
    let dim = dim.to_index(x.shape(), "cumsum").map_err(absent)?;
    if !on_cpu(&[x]) {
        #[expect(clippy::disallowed_methods, reason = "slow on long dimensions, but right")]
        return Ok(x.cumsum(dim)?);
    }
    Ok(apply(Cumsum(Along::of(x.dims(), dim)), &[x])?)
}

struct Cumsum(Along);

impl Cumsum {
    fn sums(&self, x: &[f32], backwards: bool) -> Vec<f32> {
        let Along { length, inner } = self.0;
        let mut y = vec![0.0; x.len()];
        if inner == 1 {
            for_each_chunk(&mut y, length, |row, y| {
                let pairs = y.iter_mut().zip(&x[row * length..]);
                if backwards { accumulate(pairs.rev()) } else { accumulate(pairs) }
            });
            return y;
        }
        share(column_tiles(&mut y, length, inner, TILE), |_, mut tile| {
            let block = &x[tile.block * self.0.block()..][..self.0.block()];
            let mut sums = [0.0; TILE];
            let mut step = |(row, y): (usize, &mut &mut [f32])| {
                for ((y, x), sum) in y.iter_mut().zip(&block[row * inner + tile.start..]).zip(&mut sums) {
                    *sum += f64::from(*x);
                    *y = *sum as f32;
                }
            };
            let rows = tile.rows.iter_mut().enumerate();
            if backwards { rows.rev().for_each(&mut step) } else { rows.for_each(&mut step) }
        });
        y
    }
}

fn accumulate<'a>(pairs: impl Iterator<Item = (&'a mut f32, &'a f32)>) {
    let mut sum = 0.0;
    for (y, x) in pairs {
        sum += f64::from(*x);
        *y = sum as f32;
    }
}

impl Function for Cumsum {
    const NAME: &'static str = "cumsum";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        Ok((self.sums(&inputs[0].dense()?, false), inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        Ok(vec![Some(self.sums(&pass.gradient.dense()?, true))])
    }
}
