//! Maps whose rows and columns are mixed by fixed weights, as an operation: interpolation and averages are made of it.

use candle_core::{Shape, Tensor};

use super::kernels::resample::{Axis, Columns, plane};
use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply, chunk_rows, for_each_chunk};

/// Mixes the rows and the columns of `x: (B, C, H, W)`.
pub(super) fn resample(x: &Tensor, rows: Axis, columns: Axis) -> candle_core::Result<Tensor> {
    if !on_cpu(&[x]) {
        return portable(x, &rows, &columns);
    }
    apply(Resample { rows, columns }, &[x])
}

/// Products with matrices that are zero except for the weights.
fn portable(x: &Tensor, rows: &Axis, columns: &Axis) -> candle_core::Result<Tensor> {
    let matrix = |axis: &Axis| {
        Tensor::from_vec(axis.matrix(), (axis.output(), axis.input()), x.device())?.to_dtype(x.dtype())
    };
    matrix(rows)?.broadcast_matmul(&x.contiguous()?.broadcast_matmul(&matrix(columns)?.t()?)?)
}

struct Resample {
    rows: Axis,
    columns: Axis,
}

/// Resamples every plane of `x`.
fn planes(x: &[f32], rows: &Axis, columns: &Axis) -> Vec<f32> {
    let (size_in, size) = (rows.input() * columns.input(), rows.output() * columns.output());
    let mut y = vec![0.0; x.len() / size_in * size];
    let columns = Columns::new(columns);
    let together = chunk_rows(size.max(size_in));
    for_each_chunk(&mut y, together * size, |index, y| {
        let mut scratch = Vec::new();
        for (number, y) in y.chunks_exact_mut(size).enumerate() {
            let x = &x[(index * together + number) * size_in..][..size_in];
            plane(x, rows, &columns, y, &mut scratch);
        }
    });
    y
}

impl Function for Resample {
    const NAME: &'static str = "resample";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let y = planes(&inputs[0].dense()?, &self.rows, &self.columns);
        let outer = inputs[0].dims().iter().take(2);
        let dims: Vec<usize> = outer.copied().chain([self.rows.output(), self.columns.output()]).collect();
        Ok((y, dims.into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let grad = pass.gradient.dense()?;
        Ok(vec![Some(planes(&grad, &self.rows.transposed(), &self.columns.transposed()))])
    }
}
