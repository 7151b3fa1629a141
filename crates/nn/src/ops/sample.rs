//! Maps read at points between their pixels.

use candle_core::{DType, Shape, Tensor};

use super::on_cpu;
use crate::cpu::{Backward, Function, Operand, apply, for_each_chunk};
use crate::{Error, Result};

/// How a value between pixels is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleMode {
    /// The mean of the four neighbors, weighted by nearness.
    Bilinear,
    /// The nearest pixel, and halfway between two the one with the even number. Points get no gradient.
    Nearest,
}

/// What is read beyond the outermost pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideGrid {
    /// Zeros.
    Zeros,
    /// The outermost pixels, on the border and beyond which points get no gradient.
    Border,
}

/// How [`grid_sample`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridOptions {
    /// Between pixels; default [`SampleMode::Bilinear`].
    pub mode: SampleMode,
    /// Beyond the pixels; default [`OutsideGrid::Zeros`].
    pub outside: OutsideGrid,
    /// Whether -1 and 1 are the centers of the outermost pixels instead of the edges of the map; default false.
    pub align_corners: bool,
}

impl Default for GridOptions {
    fn default() -> Self {
        Self { mode: SampleMode::Bilinear, outside: OutsideGrid::Zeros, align_corners: false }
    }
}

/// Reads maps at the points of a grid, whose coordinates `(x, y)` run from -1 to 1 over the map.
///
/// A coordinate that is NaN is taken for -1.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, `grid: (B, h, w, 2)`, result `(B, C, h, w)`. Both inputs get a gradient.
///
/// # Errors
///
/// [`Error::Shape`] if the shapes do not fit or the map is empty.
///
/// # Source
///
/// `F.grid_sample` of PyTorch 2.6; Jaderberg et al., [Spatial Transformer Networks](https://arxiv.org/abs/1506.02025).
pub fn grid_sample(x: &Tensor, grid: &Tensor, options: &GridOptions) -> Result<Tensor> {
    match (x.dims(), grid.dims()) {
        (&[batch, _, height, width], &[grids, _, _, 2]) if batch == grids && height * width > 0 => {}
        (x, grid) => {
            let problem = format!("got {x:?} and the grid {grid:?}, expected (B, C, H, W) and (B, h, w, 2)");
            return Err(Error::shape("grid_sample", problem));
        }
    }
    if !on_cpu(&[x, grid]) {
        return Ok(portable(x, grid, options)?);
    }
    Ok(apply(Sample(*options), &[x, grid])?)
}

/// Reads maps at points `(x, y)` with coordinates from 0 to 1 over the map, bilinearly, with zeros beyond it.
///
/// # Shapes
///
/// `x: (B, C, H, W)`, `points: (B, P, 2)`, result `(B, C, P)`. Both inputs get a gradient.
///
/// # Errors
///
/// [`Error::Shape`] if the shapes do not fit or the map is empty.
///
/// # Source
///
/// Kirillov et al., [PointRend](https://arxiv.org/abs/1912.08193), as `point_sample` of detectron2 and of mmcv.
pub fn point_sample(x: &Tensor, points: &Tensor) -> Result<Tensor> {
    if points.rank() != 3 {
        let problem = format!("got the points {:?}, expected (B, P, 2)", points.dims());
        return Err(Error::shape("point_sample", problem));
    }
    let grid = points.affine(2.0, -1.0)?.unsqueeze(2)?;
    Ok(grid_sample(x, &grid, &GridOptions::default())?.squeeze(3)?)
}

/// A coordinate among the centers of the pixels along one axis, and its change with the coordinate of the grid.
#[derive(Clone, Copy)]
struct Place {
    at: f32,
    slope: f32,
}

impl GridOptions {
    fn place(&self, coordinate: f32, size: usize) -> Place {
        let coordinate = if coordinate.is_nan() { -1.0 } else { coordinate };
        let (slope, shift) = self.slope_and_shift(size);
        let at = (coordinate + 1.0) * slope + shift;
        let last = (size - 1) as f32;
        match self.outside {
            OutsideGrid::Border if at <= 0.0 => Place { at: 0.0, slope: 0.0 },
            OutsideGrid::Border if at >= last => Place { at: last, slope: 0.0 },
            _ => Place { at, slope },
        }
    }

    /// A coordinate of the grid plus one lies at `slope` times itself plus `shift` among the pixels.
    fn slope_and_shift(&self, size: usize) -> (f32, f32) {
        if self.align_corners { ((size - 1) as f32 / 2.0, 0.0) } else { (size as f32 / 2.0, -0.5) }
    }
}

/// The neighbors of a point: their places in the plane and their weights. Those beyond the map have weight zero and stand for the
/// first pixel.
#[derive(Clone, Copy, Default)]
struct Neighbors {
    pixels: [u32; 4],
    weights: [f32; 4],
}

/// The changes of the neighbors' weights with the point's coordinates.
type Slopes = [[f32; 2]; 4];

fn neighbors(options: &GridOptions, point: &[f32], height: usize, width: usize) -> (Neighbors, Slopes) {
    let (x, y) = (options.place(point[0], width), options.place(point[1], height));
    let pixel = |column: f32, row: f32| {
        let inside = column >= 0.0 && row >= 0.0 && column < width as f32 && row < height as f32;
        inside.then(|| (row as usize * width + column as usize) as u32)
    };
    let (mut out, mut slopes) = (Neighbors::default(), Slopes::default());
    match options.mode {
        SampleMode::Nearest => {
            if let Some(pixel) = pixel(x.at.round_ties_even(), y.at.round_ties_even()) {
                (out.pixels[0], out.weights[0]) = (pixel, 1.0);
            }
        }
        SampleMode::Bilinear => {
            let (left, top) = (x.at.floor(), y.at.floor());
            // The share of the first and of the second neighbor along an axis, and the sign of its change.
            let shares = |share: f32| [(1.0 - share, -1.0), (share, 1.0)];
            let (shares_x, shares_y) = (shares(x.at - left), shares(y.at - top));
            for (number, slope) in slopes.iter_mut().enumerate() {
                let (step_x, step_y) = (number % 2, number / 2);
                let Some(pixel) = pixel(left + step_x as f32, top + step_y as f32) else { continue };
                let ((share_x, sign_x), (share_y, sign_y)) = (shares_x[step_x], shares_y[step_y]);
                (out.pixels[number], out.weights[number]) = (pixel, share_x * share_y);
                *slope = [sign_x * share_y * x.slope, sign_y * share_x * y.slope];
            }
        }
    }
    (out, slopes)
}

struct Sample(GridOptions);

/// The sizes of a map and its points.
struct Sizes {
    channels: usize,
    height: usize,
    width: usize,
    points: usize,
}

impl Sizes {
    fn of(x: &[usize], grid: &[usize]) -> candle_core::Result<Self> {
        match (x, grid) {
            (&[_, channels, height, width], &[_, h, w, _]) => {
                Ok(Self { channels, height, width, points: h * w })
            }
            _ => candle_core::bail!("grid {grid:?} does not fit {x:?}"),
        }
    }

    fn plane(&self) -> usize {
        self.height * self.width
    }
}

impl Sample {
    /// The neighbors of every point of every image.
    fn neighbors(&self, sizes: &Sizes, grid: &[f32]) -> Vec<Neighbors> {
        let mut out = vec![Neighbors::default(); grid.len() / 2];
        for_each_chunk(&mut out, POINTS, |index, out| {
            let grid = &grid[2 * index * POINTS..][..2 * out.len()];
            for (out, point) in out.iter_mut().zip(grid.chunks_exact(2)) {
                *out = neighbors(&self.0, point, sizes.height, sizes.width).0;
            }
        });
        out
    }

    /// The sum over the channels, in their order, for every point.
    fn grid_gradient(&self, sizes: &Sizes, x: &[f32], grid: &[f32], grad: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; grid.len()];
        for_each_chunk(&mut out, 2 * POINTS, |index, out| {
            for (number, out) in out.chunks_exact_mut(2).enumerate() {
                let point = index * POINTS + number;
                let (image, place) = (point / sizes.points, point % sizes.points);
                let (neighbors, slopes) =
                    neighbors(&self.0, &grid[2 * point..2 * point + 2], sizes.height, sizes.width);
                for plane in image * sizes.channels..(image + 1) * sizes.channels {
                    let grad = grad[plane * sizes.points + place];
                    let x = &x[plane * sizes.plane()..][..sizes.plane()];
                    let known = neighbors.pixels.iter().zip(slopes).filter(|(_, slope)| *slope != [0.0; 2]);
                    for (pixel, slope) in known {
                        let passed = grad * x[*pixel as usize];
                        out[0] = passed.mul_add(slope[0], out[0]);
                        out[1] = passed.mul_add(slope[1], out[1]);
                    }
                }
            }
        });
        out
    }
}

/// Points in one piece of work.
const POINTS: usize = 1 << 12;

impl Function for Sample {
    const NAME: &'static str = "grid_sample";

    fn forward(&self, inputs: &[Operand]) -> candle_core::Result<(Vec<f32>, Shape)> {
        let sizes = Sizes::of(inputs[0].dims(), inputs[1].dims())?;
        let (x, grid) = (inputs[0].dense()?, inputs[1].dense()?);
        let neighbors = self.neighbors(&sizes, &grid);
        let plane = sizes.plane();
        let mut y = vec![0.0; x.len() / plane * sizes.points];
        for_each_chunk(&mut y, sizes.points, |index, y| {
            let x = &x[index * plane..][..plane];
            let neighbors = &neighbors[index / sizes.channels * sizes.points..];
            for (y, neighbors) in y.iter_mut().zip(neighbors) {
                let weighted = |tap: usize| {
                    let value = x[neighbors.pixels[tap] as usize] * neighbors.weights[tap];
                    // What is not a number has to stay away from points that do not touch it.
                    if neighbors.weights[tap] == 0.0 { 0.0 } else { value }
                };
                *y = (weighted(0) + weighted(1)) + (weighted(2) + weighted(3));
            }
        });
        let dims = [inputs[0].dims(), inputs[1].dims()];
        Ok((y, vec![dims[0][0], dims[0][1], dims[1][1], dims[1][2]].into()))
    }

    fn backward(&self, pass: &Backward) -> candle_core::Result<Vec<Option<Vec<f32>>>> {
        let sizes = Sizes::of(pass.inputs[0].dims(), pass.inputs[1].dims())?;
        let (x, grid) = (pass.inputs[0].dense()?, pass.inputs[1].dense()?);
        let grad = pass.gradient.dense()?;
        let x_grad =
            pass.wanted[0].then(|| x_gradient(&sizes, &self.neighbors(&sizes, &grid), &grad, x.len()));
        let grid_grad = pass.wanted[1].then(|| self.grid_gradient(&sizes, &x, &grid, &grad));
        Ok(vec![x_grad, grid_grad])
    }
}

fn x_gradient(sizes: &Sizes, neighbors: &[Neighbors], grad: &[f32], len: usize) -> Vec<f32> {
    let mut out = vec![0.0; len];
    for_each_chunk(&mut out, sizes.plane(), |index, out| {
        let grad = &grad[index * sizes.points..][..sizes.points];
        let neighbors = &neighbors[index / sizes.channels * sizes.points..];
        for (grad, neighbors) in grad.iter().zip(neighbors) {
            for (pixel, weight) in neighbors.pixels.into_iter().zip(neighbors.weights) {
                if weight != 0.0 {
                    out[pixel as usize] = grad.mul_add(weight, out[pixel as usize]);
                }
            }
        }
    });
    out
}

/// Four gathers, with weights whose gradients reach the grid.
fn portable(x: &Tensor, grid: &Tensor, options: &GridOptions) -> candle_core::Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let (_, h, w, _) = grid.dims4()?;
    let flat = x.reshape((batch, channels, height * width))?.contiguous()?;
    let coordinate = |axis: usize, size: usize| -> candle_core::Result<Tensor> {
        let raw = grid.narrow(3, axis, 1)?.reshape((batch, h * w))?;
        let known = raw.eq(&raw)?.where_cond(&raw, &raw.ones_like()?.neg()?)?;
        let (slope, shift) = options.slope_and_shift(size);
        let at = ((known + 1.0)? * f64::from(slope))? + f64::from(shift);
        match options.outside {
            OutsideGrid::Zeros => at,
            OutsideGrid::Border => at?.clamp(0.0, (size - 1) as f64),
        }
    };
    let (at_x, at_y) = (coordinate(0, width)?, coordinate(1, height)?);
    let read = |column: &Tensor, row: &Tensor| -> candle_core::Result<Tensor> {
        let inside = |t: &Tensor, size: usize| t.ge(0.0)?.mul(&t.lt(size as f64)?);
        let inside = inside(column, width)?.mul(&inside(row, height)?)?;
        let column = column.clamp(0.0, (width - 1) as f64)?;
        let row = row.clamp(0.0, (height - 1) as f64)?;
        let pixel = ((row.to_dtype(DType::F64)? * width as f64)? + column.to_dtype(DType::F64)?)?;
        let pixel = pixel.to_dtype(DType::U32)?.unsqueeze(1)?.broadcast_as((batch, channels, h * w))?;
        let values = flat.gather(&pixel.contiguous()?, 2)?;
        let inside = inside.unsqueeze(1)?.broadcast_as(values.shape())?;
        inside.where_cond(&values, &values.zeros_like()?)
    };
    let y = match options.mode {
        SampleMode::Nearest => read(&round_ties_even(&at_x)?, &round_ties_even(&at_y)?)?,
        SampleMode::Bilinear => {
            let (left, top) = (at_x.detach().floor()?, at_y.detach().floor()?);
            let (right_share, lower_share) = ((&at_x - &left)?, (&at_y - &top)?);
            let mut sum = Tensor::zeros((batch, channels, h * w), x.dtype(), x.device())?;
            for step_y in 0..2 {
                for step_x in 0..2 {
                    let share =
                        |share: &Tensor, step: usize| if step == 1 { Ok(share.clone()) } else { 1.0 - share };
                    let weight = share(&right_share, step_x)?.mul(&share(&lower_share, step_y)?)?;
                    let values = read(&(&left + step_x as f64)?, &(&top + step_y as f64)?)?;
                    sum = (sum + values.broadcast_mul(&weight.unsqueeze(1)?)?)?;
                }
            }
            sum
        }
    };
    y.reshape((batch, channels, h, w))
}

/// The nearest whole number, and of two the even one, without a gradient.
fn round_ties_even(x: &Tensor) -> candle_core::Result<Tensor> {
    let x = x.detach();
    let floor = x.floor()?;
    let odd = (&floor - ((&floor * 0.5)?.floor()? * 2.0)?)?;
    let half = (&x - &floor)?.eq(0.5)?;
    half.where_cond(&(&floor + odd)?, &(&x + 0.5)?.floor()?)
}
