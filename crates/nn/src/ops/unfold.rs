//! Windows of maps as columns of a matrix (im2col), and maps as the sum of such columns (col2im).

use candle_core::{Shape, Tensor};

use super::conv::{Conv2dOptions, maps, shape};
use super::kernels::{Geometry, Windows};
use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply};
use crate::{Error, Result};

/// Lays the window around each position of the output into a column, channel by channel.
///
/// # Shapes
///
/// `x: (B, C, H, W)` to `(B, C · kernel height · kernel width, positions)`, the positions row by row.
///
/// # Errors
///
/// [`Error::Shape`] if the window does not fit or the options have groups.
///
/// # Source
///
/// `torch.nn.functional.unfold`.
pub fn unfold(x: &Tensor, kernel: [usize; 2], options: &Conv2dOptions) -> Result<Tensor> {
    let geometry =
        geometry(x.dims(), kernel, options).map_err(|problem| Error::shape(Unfold::NAME, problem))?;
    if on_cpu(&[x]) { Ok(apply(Unfold(geometry), &[x])?) } else { Ok(windows(x, &geometry)?) }
}

/// Adds windows up to the maps of `size` that [`unfold`] would take them from; where windows overlap they add up.
///
/// # Shapes
///
/// `windows: (B, C · kernel height · kernel width, positions)` to `(B, C, H, W)`.
///
/// # Errors
///
/// [`Error::Shape`] if the windows of such maps have another shape or the options have groups.
///
/// # Source
///
/// `torch.nn.functional.fold`.
pub fn fold(
    windows: &Tensor,
    size: [usize; 2],
    kernel: [usize; 2],
    options: &Conv2dOptions,
) -> Result<Tensor> {
    let error = |problem| Error::shape(Fold::NAME, problem);
    let &[batch, rows, positions] = windows.dims() else {
        let got = windows.dims();
        return Err(error(format!(
            "expected windows (B, C · kernel height · kernel width, positions), got {got:?}"
        )));
    };
    let taps = kernel[0] * kernel[1];
    let dims = [batch, rows / taps.max(1), size[0], size[1]];
    let geometry = geometry(&dims, kernel, options).map_err(error)?;
    let expected = [batch, geometry.channels * taps, geometry.output_plane()];
    if expected != [batch, rows, positions] {
        let got = windows.dims();
        return Err(error(format!("maps {dims:?} have windows {expected:?}, got {got:?}")));
    }
    if on_cpu(&[windows]) {
        Ok(apply(Fold(geometry), &[windows])?)
    } else {
        Ok(add_windows(windows, &geometry)?.reshape(shape::<2>(batch, geometry.channels, geometry.input))?)
    }
}

fn geometry(x: &[usize], kernel: [usize; 2], options: &Conv2dOptions) -> Result<Geometry, String> {
    if options.groups != 1 {
        return Err(format!("windows have no groups, got {options:?}"));
    }
    let (_, channels, _) = maps::<2>(x)?;
    options.geometry(x, &[1, channels, kernel[0], kernel[1]], None)
}

struct Unfold(Geometry);

impl Function for Unfold {
    const NAME: &'static str = "unfold";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        Ok((read(&self.0, &inputs[0].dense()?), matrix_shape(&self.0)))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        Ok(vec![Some(add(&self.0, &pass.gradient.dense()?))])
    }
}

struct Fold(Geometry);

impl Function for Fold {
    const NAME: &'static str = "fold";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let maps = add(&self.0, &inputs[0].dense()?);
        Ok((maps, shape::<2>(self.0.batch, self.0.channels, self.0.input)))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        Ok(vec![Some(read(&self.0, &pass.gradient.dense()?))])
    }
}

fn matrix_shape(geometry: &Geometry) -> Shape {
    (geometry.batch, geometry.channels * geometry.taps(), geometry.output_plane()).into()
}

fn read(geometry: &Geometry, maps: &[f32]) -> Vec<f32> {
    let windows = Windows::new(geometry, geometry.channels);
    let image = geometry.channels * geometry.input_plane();
    let matrix = windows.rows() * geometry.output_plane();
    let mut out = vec![0.0; geometry.batch * matrix];
    for (maps, out) in maps.chunks_exact(image).zip(out.chunks_exact_mut(matrix)) {
        windows.read(maps, &(0..windows.output_rows()), out, true);
    }
    out
}

fn add(geometry: &Geometry, matrices: &[f32]) -> Vec<f32> {
    let windows = Windows::new(geometry, geometry.channels);
    let image = geometry.channels * geometry.input_plane();
    let matrix = windows.rows() * geometry.output_plane();
    let mut out = vec![0.0; geometry.batch * image];
    for (matrix, out) in matrices.chunks_exact(matrix).zip(out.chunks_exact_mut(image)) {
        windows.add(matrix, &(0..windows.output_rows()), out, true);
    }
    out
}

/// The windows of maps or volumes, `(B, C · taps, positions)`, composed of candle's operations.
pub(super) fn windows(x: &Tensor, geometry: &Geometry) -> candle_core::Result<Tensor> {
    let Geometry { batch, channels, input, padding, .. } = *geometry;
    let reach = geometry.reach();
    let mut framed = x.reshape(shape::<3>(batch, channels, input))?;
    for axis in 0..3 {
        let after = reach[axis].saturating_sub(padding[axis] + input[axis]);
        framed = framed.pad_with_zeros(2 + axis, padding[axis], after)?.narrow(2 + axis, 0, reach[axis])?;
    }
    let places = Tensor::new(places(geometry), x.device())?;
    let windows = framed.contiguous()?.flatten_from(2)?.index_select(&places, 2)?;
    windows.reshape(matrix_shape(geometry))
}

/// The maps or volumes, `(B, C, depth, height, width)`, in which windows overlap, composed of candle's operations.
pub(super) fn add_windows(windows: &Tensor, geometry: &Geometry) -> candle_core::Result<Tensor> {
    let Geometry { batch, channels, input, padding, .. } = *geometry;
    let reach = geometry.reach();
    let frame = Tensor::zeros((batch, channels, reach.iter().product()), windows.dtype(), windows.device())?;
    let places = Tensor::new(places(geometry), windows.device())?;
    let windows = windows.reshape((batch, channels, ()))?;
    let mut maps = frame.index_add(&places, &windows, 2)?.reshape(shape::<3>(batch, channels, reach))?;
    for axis in 0..3 {
        let after = (padding[axis] + input[axis]).saturating_sub(reach[axis]);
        maps = maps.pad_with_zeros(2 + axis, 0, after)?.narrow(2 + axis, padding[axis], input[axis])?;
    }
    maps.contiguous()
}

/// Where in a frame of the size that windows reach each tap of each window lies.
fn places(geometry: &Geometry) -> Vec<u32> {
    let Geometry { output, stride, dilation, .. } = *geometry;
    let [_, rows, columns] = geometry.reach();
    let mut places = Vec::with_capacity(geometry.taps() * geometry.output_plane());
    for tap in 0..geometry.taps() {
        let tap = geometry.tap(tap);
        for position in 0..geometry.output_plane() {
            let position =
                [position / (output[1] * output[2]), position / output[2] % output[1], position % output[2]];
            let [z, y, x] = [0, 1, 2].map(|axis| position[axis] * stride[axis] + tap[axis] * dilation[axis]);
            places.push(((z * rows + y) * columns + x) as u32);
        }
    }
    places
}
