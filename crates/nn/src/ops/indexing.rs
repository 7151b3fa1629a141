//! Reading and writing at places that a tensor of indices names.

use candle_core::shape::Dim;
use candle_core::{DType, Device, Shape, Tensor};

use super::on_cpu;
use super::softmax::Along;
use crate::cpu::{Backward, Function, Operand, apply, for_each_chunk};
use crate::{Error, Result};

/// `y[.., i, ..] = x[.., indices[.., i, ..], ..]` along one dimension.
///
/// # Shapes
///
/// `indices`: that of `x` but for the dimension, u32; the result has the shape of `indices`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit, the indices are not u32 or, on the CPU, one is too large.
pub fn gather(x: &Tensor, indices: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dimension("gather", x, dim)?;
    fit("gather", x, indices, dim)?;
    if !on_cpu(&[x]) {
        return Ok(x.contiguous()?.gather(&indices.contiguous()?, dim)?);
    }
    let places = Places::new("gather", x, indices, dim)?;
    Ok(apply(Gather { places, shape: indices.shape().clone() }, &[x])?)
}

/// `y[.., i, ..] = x[.., indices[i], ..]` along one dimension: whole rows, as of an embedding.
///
/// # Shapes
///
/// `indices: (N)`, u32; the result has the shape of `x` with `N` in the dimension.
///
/// # Errors
///
/// [`Error::Shape`] if `indices` is not one-dimensional, not u32 or, on the CPU, holds a number that is too large.
pub fn index_select(x: &Tensor, indices: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let dim = dimension("index_select", x, dim)?;
    if indices.rank() != 1 || indices.dtype() != DType::U32 {
        let problem =
            format!("got indices {:?} of {:?}, expected (N) of U32", indices.dims(), indices.dtype());
        return Err(Error::shape("index_select", problem));
    }
    if !on_cpu(&[x]) {
        return Ok(x.contiguous()?.index_select(indices, dim)?);
    }
    let along = Along::of(x.dims(), dim);
    let rows = read_indices("index_select", indices, along.length)?;
    let mut dims = x.dims().to_vec();
    dims[dim] = rows.len();
    Ok(apply(IndexSelect { along, rows, shape: dims.into() }, &[x])?)
}

/// `x` with `y[.., indices[.., i, ..], ..] = source[.., i, ..]` along one dimension. Of equal indices the last one counts, and
/// its source alone gets a gradient.
///
/// # Shapes
///
/// `indices`, u32, and `source`: that of `x` but for the dimension; the result has the shape of `x`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit or an index is too large, [`Error::Device`] elsewhere than in f32 on the CPU.
pub fn scatter(x: &Tensor, indices: &Tensor, source: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let places = write_places("scatter", x, indices, source, dim)?;
    Ok(apply(Scatter { places }, &[x, source])?)
}

/// `x` with `source[.., i, ..]` added at `y[.., indices[.., i, ..], ..]` along one dimension.
///
/// # Shapes
///
/// `indices`, u32, and `source`: that of `x` but for the dimension; the result has the shape of `x`.
///
/// # Errors
///
/// [`Error::Shape`] if the sizes do not fit or an index is too large, [`Error::Device`] elsewhere than in f32 on the CPU.
pub fn scatter_add(x: &Tensor, indices: &Tensor, source: &Tensor, dim: impl Dim) -> Result<Tensor> {
    let places = write_places("scatter_add", x, indices, source, dim)?;
    Ok(apply(ScatterAdd { places }, &[x, source])?)
}

/// 1 at the class of each label and 0 elsewhere, in a new last dimension.
///
/// # Shapes
///
/// `labels: (..)` u32, result `(.., classes)` f32.
///
/// # Errors
///
/// [`Error::Shape`] if the labels are not u32 or one is not a class.
pub fn one_hot(labels: &Tensor, classes: usize) -> Result<Tensor> {
    let places = read_indices("one_hot", labels, classes)?;
    let mut values = vec![0f32; places.len() * classes];
    for (row, label) in values.chunks_exact_mut(classes.max(1)).zip(places) {
        row[label as usize] = 1.0;
    }
    Ok(Tensor::from_vec(values, [labels.dims(), &[classes]].concat(), labels.device())?)
}

fn dimension(operation: &'static str, x: &Tensor, dim: impl Dim) -> Result<usize> {
    let absent = |_| Error::shape(operation, format!("got {:?}, expected more dimensions", x.dims()));
    dim.to_index(x.shape(), operation).map_err(absent)
}

fn fit(operation: &'static str, x: &Tensor, indices: &Tensor, dim: usize) -> Result<()> {
    let sizes = |tensor: &Tensor| -> Vec<usize> {
        let mut dims = tensor.dims().to_vec();
        dims.iter_mut().skip(dim).take(1).for_each(|size| *size = 0);
        dims
    };
    if indices.dtype() == DType::U32 && sizes(x) == sizes(indices) {
        return Ok(());
    }
    let problem = format!(
        "got indices {:?} of {:?}, expected U32 and the sizes of {:?} but for dimension {dim}",
        indices.dims(),
        indices.dtype(),
        x.dims()
    );
    Err(Error::shape(operation, problem))
}

fn write_places(
    operation: &'static str,
    x: &Tensor,
    indices: &Tensor,
    source: &Tensor,
    dim: impl Dim,
) -> Result<Places> {
    let dim = dimension(operation, x, dim)?;
    fit(operation, x, indices, dim)?;
    if source.dims() != indices.dims() {
        let problem = format!("got a source {:?}, expected {:?}", source.dims(), indices.dims());
        return Err(Error::shape(operation, problem));
    }
    if !on_cpu(&[x, source]) {
        return Err(Error::Device {
            problem: format!(
                "{operation} of {:?} on {:?} is not there yet",
                x.dtype(),
                x.device().location()
            ),
            help: "use f32 on the CPU".into(),
        });
    }
    Places::new(operation, x, indices, dim)
}

/// The indices in row-major order, all below `size`.
fn read_indices(operation: &'static str, indices: &Tensor, size: usize) -> Result<Vec<u32>> {
    if indices.dtype() != DType::U32 {
        return Err(Error::shape(operation, format!("got indices of {:?}, expected U32", indices.dtype())));
    }
    let places = indices.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<u32>()?;
    match places.iter().find(|&&place| place as usize >= size) {
        None => Ok(places),
        Some(place) => Err(Error::shape(operation, format!("got the index {place}, expected 0..{size}"))),
    }
}

/// Where the elements of `(blocks, count, inner)` lie in `(blocks, length, inner)`.
struct Places {
    along: Along,
    count: usize,
    indices: Vec<u32>,
}

impl Places {
    fn new(operation: &'static str, x: &Tensor, indices: &Tensor, dim: usize) -> Result<Self> {
        let along = Along::of(x.dims(), dim);
        let indices_read = read_indices(operation, indices, along.length)?;
        Ok(Self { along, count: indices.dims()[dim], indices: indices_read })
    }

    /// The elements named by the indices of one block.
    fn block(&self) -> usize {
        self.count * self.along.inner
    }

    /// For each element of block `block` its place in the whole, in order.
    fn in_block(&self, block: usize) -> impl Iterator<Item = usize> {
        let inner = self.along.inner;
        let indices = &self.indices[block * self.block()..(block + 1) * self.block()];
        let rows = indices.chunks_exact(inner.max(1));
        rows.flat_map(move |row| {
            row.iter().enumerate().map(move |(column, index)| *index as usize * inner + column)
        })
    }

    fn read(&self, from: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; self.indices.len()];
        for_each_chunk(&mut out, self.block(), |block, out| {
            let from = &from[block * self.along.block()..];
            for (out, place) in out.iter_mut().zip(self.in_block(block)) {
                *out = from[place];
            }
        });
        out
    }

    /// Calls `write(element, value)` for each value and the element it belongs to.
    fn write(&self, into: &mut [f32], values: &[f32], write: impl Fn(&mut f32, f32) + Send + Sync) {
        for_each_chunk(into, self.along.block(), |block, into| {
            for (value, place) in values[block * self.block()..].iter().zip(self.in_block(block)) {
                write(&mut into[place], *value);
            }
        });
    }

    /// For each index whether no later one names the same element.
    fn are_last(&self) -> Vec<bool> {
        let blocks = self.indices.len() / self.block().max(1);
        let mut last = vec![false; self.indices.len()];
        let mut seen = vec![0; self.along.block()];
        for block in 0..blocks {
            let places: Vec<usize> = self.in_block(block).collect();
            for (number, place) in places.iter().enumerate() {
                seen[*place] = number;
            }
            let flags = &mut last[block * self.block()..][..places.len()];
            for (number, (flag, place)) in flags.iter_mut().zip(&places).enumerate() {
                *flag = seen[*place] == number;
            }
        }
        last
    }
}

struct Gather {
    places: Places,
    shape: Shape,
}

impl Function for Gather {
    const NAME: &'static str = "gather";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        Ok((self.places.read(&inputs[0].dense()?), self.shape.clone()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let mut x_grad = vec![0.0; pass.inputs[0].layout().shape().elem_count()];
        self.places.write(&mut x_grad, &pass.gradient.dense()?, |sum, value| *sum += value);
        Ok(vec![Some(x_grad)])
    }
}

struct Scatter {
    places: Places,
}

impl Function for Scatter {
    const NAME: &'static str = "scatter";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let mut y = inputs[0].dense()?.into_owned();
        self.places.write(&mut y, &inputs[1].dense()?, |element, value| *element = value);
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let grad = pass.gradient.dense()?;
        let mut source_grad = self.places.read(&grad);
        for (value, is_last) in source_grad.iter_mut().zip(self.places.are_last()) {
            if !is_last {
                *value = 0.0;
            }
        }
        let mut x_grad = grad.into_owned();
        self.places.write(&mut x_grad, &source_grad, |element, _| *element = 0.0);
        Ok(vec![Some(x_grad), Some(source_grad)])
    }
}

struct ScatterAdd {
    places: Places,
}

impl Function for ScatterAdd {
    const NAME: &'static str = "scatter_add";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let mut y = inputs[0].dense()?.into_owned();
        self.places.write(&mut y, &inputs[1].dense()?, |sum, value| *sum += value);
        Ok((y, inputs[0].dims().into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let grad = pass.gradient.dense()?;
        let source_grad = self.places.read(&grad);
        Ok(vec![Some(grad.into_owned()), Some(source_grad)])
    }
}

struct IndexSelect {
    along: Along,
    rows: Vec<u32>,
    shape: Shape,
}

impl Function for IndexSelect {
    const NAME: &'static str = "index_select";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let (x, inner) = (inputs[0].dense()?, self.along.inner);
        let mut y = vec![0.0; self.shape.elem_count()];
        for_each_chunk(&mut y, inner, |index, row| {
            let (block, row_index) = (index / self.rows.len(), self.rows[index % self.rows.len()] as usize);
            row.copy_from_slice(&x[block * self.along.block() + row_index * inner..][..inner]);
        });
        Ok((y, self.shape.clone()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let (grad, inner) = (pass.gradient.dense()?, self.along.inner);
        let mut x_grad = vec![0.0; pass.inputs[0].layout().shape().elem_count()];
        for_each_chunk(&mut x_grad, self.along.block(), |block, out| {
            let rows = grad[block * self.rows.len() * inner..].chunks_exact(inner.max(1));
            for (row, grad) in self.rows.iter().zip(rows) {
                for (sum, value) in out[*row as usize * inner..].iter_mut().zip(grad) {
                    *sum += value;
                }
            }
        });
        Ok(vec![Some(x_grad)])
    }
}
