//! Tensors as slices.

use std::borrow::Cow;

use candle_core::{CpuStorage, Layout, Result};

use super::parallel::for_each_chunk;

/// Side of the square blocks in which a transposed tensor is read.
const BLOCK: usize = 16;

/// The elements of a storage in row-major order: borrowed where they lie so already, copied otherwise.
pub(super) fn dense<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Cow<'a, [f32]>> {
    let data = storage.as_slice::<f32>()?;
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(Cow::Borrowed(&data[start..end])),
        None => Ok(Cow::Owned(gather(data, layout))),
    }
}

/// Copies a strided tensor into row-major order.
fn gather(data: &[f32], layout: &Layout) -> Vec<f32> {
    let mut out = vec![0.0; layout.shape().elem_count()];
    if out.is_empty() {
        return out;
    }
    let (dims, strides) = merged(layout);
    let start = layout.start_offset();
    match (dims.as_slice(), strides.as_slice()) {
        // Rows that lie together, such as heads of an attention.
        (&[ref outer @ .., width], &[ref steps @ .., 1]) => {
            for_each_chunk(&mut out, width * outer.last().copied().unwrap_or(1), |index, rows| {
                let (inner_step, outer_dims, outer_steps) = match (outer, steps) {
                    (&[ref dims @ .., _], &[ref steps @ .., step]) => (step, dims, steps),
                    _ => (0, outer, steps),
                };
                let base = start + offset(index, outer_dims, outer_steps);
                for (row, to) in rows.chunks_exact_mut(width).enumerate() {
                    to.copy_from_slice(&data[base + row * inner_step..][..width]);
                }
            });
        }
        // The transpose of a matrix, for each of a batch: tokens from maps and back.
        (&[ref outer @ .., height, width], &[ref steps @ .., 1, step]) => {
            let rows = height.min((1 << 16) / width.max(1)).next_multiple_of(BLOCK);
            if outer.is_empty() {
                for_each_chunk(&mut out, rows * width, |index, to| {
                    transpose(&data[start + index * rows..], step, width, to);
                });
            } else {
                for_each_chunk(&mut out, height * width, |index, to| {
                    transpose(&data[start + offset(index, outer, steps)..], step, width, to);
                });
            }
        }
        (dims, strides) => {
            for (index, to) in out.iter_mut().enumerate() {
                *to = data[start + offset(index, dims, strides)];
            }
        }
    }
    out
}

/// `to[row][column] = from[column * step + row]`, in blocks that stay in the cache.
fn transpose(from: &[f32], step: usize, width: usize, to: &mut [f32]) {
    for (block, rows) in to.chunks_mut(BLOCK * width).enumerate() {
        let height = rows.len() / width;
        for left in (0..width).step_by(BLOCK) {
            for column in left..(left + BLOCK).min(width) {
                let source = &from[column * step + block * BLOCK..][..height];
                for (row, value) in source.iter().enumerate() {
                    rows[row * width + column] = *value;
                }
            }
        }
    }
}

/// Where index `index` over `dims` lies.
fn offset(mut index: usize, dims: &[usize], strides: &[usize]) -> usize {
    let mut place = 0;
    for (&dim, &stride) in dims.iter().zip(strides).rev() {
        place += index % dim * stride;
        index /= dim;
    }
    place
}

/// Dimensions and strides without dimensions of one element, and with neighbors merged that lie together.
fn merged(layout: &Layout) -> (Vec<usize>, Vec<usize>) {
    let (mut dims, mut strides): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for (&dim, &stride) in layout.dims().iter().zip(layout.stride()) {
        if dim == 1 {
            continue;
        }
        match (dims.last_mut(), strides.last_mut()) {
            (Some(last), Some(step)) if *step == dim * stride => {
                *last *= dim;
                *step = stride;
            }
            _ => {
                dims.push(dim);
                strides.push(stride);
            }
        }
    }
    if dims.is_empty() { (vec![1], vec![1]) } else { (dims, strides) }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Storage, Tensor};

    use super::*;

    #[test]
    fn every_layout_is_read_in_row_major_order() {
        let x = Tensor::arange(0f32, 3.0 * 5.0 * 18.0 * 35.0, &Device::Cpu)
            .unwrap()
            .reshape((3, 5, 18, 35))
            .unwrap();
        let views = [
            x.clone(),
            x.transpose(1, 2).unwrap(),
            x.transpose(2, 3).unwrap(),
            x.flatten(2, 3).unwrap().transpose(1, 2).unwrap(),
            x.permute((3, 1, 0, 2)).unwrap(),
            x.permute((0, 2, 3, 1)).unwrap(),
            x.t().unwrap().narrow(2, 3, 20).unwrap(),
            x.narrow(3, 2, 17).unwrap(),
            x.get(1).unwrap().get(2).unwrap().t().unwrap(),
            x.narrow(1, 2, 1)
                .unwrap()
                .narrow(0, 1, 1)
                .unwrap()
                .narrow(2, 0, 1)
                .unwrap()
                .narrow(3, 0, 1)
                .unwrap(),
            x.get(0).unwrap().get(0).unwrap().broadcast_as((2, 18, 35)).unwrap(),
            x.narrow(3, 4, 1).unwrap().broadcast_as((3, 5, 18, 4)).unwrap(),
        ];
        for view in views {
            let expected = view.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let (dims, stride) = (view.dims().to_vec(), view.stride().to_vec());
            let (storage, layout) = view.storage_and_layout();
            let Storage::Cpu(storage) = &*storage else { panic!("not on the CPU") };
            assert_eq!(*dense(storage, layout).unwrap(), expected, "{dims:?} {stride:?}");
        }
    }
}
