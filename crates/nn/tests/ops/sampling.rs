//! Grid and point sampling against PyTorch and mmcv, and against their definition in f64.

use candle_core::{Device, Tensor};
use segbench_nn::ops::{GridOptions, OutsideGrid, SampleMode, grid_sample, point_sample};

use crate::anywhere::{Case, case};
use crate::fixture::Fixture;
use crate::oracle::check_definition;
use crate::support::{random, values};

/// Coordinates in f32 move weights by some units in the last place.
const TOLERANCE: f32 = 1e-5;

fn all_options() -> Vec<(String, GridOptions)> {
    let mut all = Vec::new();
    for (mode, mode_name) in [(SampleMode::Bilinear, "bilinear"), (SampleMode::Nearest, "nearest")] {
        for (outside, outside_name) in [(OutsideGrid::Zeros, "zeros"), (OutsideGrid::Border, "border")] {
            for (align_corners, kind) in [(false, "centers"), (true, "corners")] {
                let options = GridOptions { mode, outside, align_corners };
                all.push((format!("grid_{mode_name}_{outside_name}_{kind}_"), options));
            }
        }
    }
    all
}

#[test]
fn grid_sampling_equals_pytorch() {
    let fixture = Fixture::read("sample");
    for (prefix, options) in all_options() {
        for case in fixture.cases(&prefix) {
            fixture.check_within(case, TOLERANCE, |t| grid_sample(&t[0], &t[1], &options));
        }
    }
}

#[test]
fn point_sampling_equals_mmcv() {
    Fixture::read("sample").check_within("points", TOLERANCE, |t| point_sample(&t[0], &t[1]));
}

const DIMS: [usize; 4] = [2, 3, 5, 7];

/// The definition for three points of each of two images.
fn definition(x: &[f64], grid: &[f64], options: &GridOptions) -> Vec<f64> {
    let [batch, channels, height, width] = DIMS;
    let at = |coordinate: f64, size: usize| {
        let size = size as f64;
        let at = if options.align_corners {
            (coordinate + 1.0) / 2.0 * (size - 1.0)
        } else {
            ((coordinate + 1.0) * size - 1.0) / 2.0
        };
        if options.outside == OutsideGrid::Border { at.clamp(0.0, size - 1.0) } else { at }
    };
    let mut y = Vec::new();
    for image in 0..batch {
        for channel in 0..channels {
            for point in 0..3 {
                let point = &grid[(image * 3 + point) * 2..][..2];
                let (at_x, at_y) = (at(point[0], width), at(point[1], height));
                let mut sum = 0.0;
                for row in 0..height {
                    for column in 0..width {
                        let weight = (1.0 - (row as f64 - at_y).abs()).max(0.0)
                            * (1.0 - (column as f64 - at_x).abs()).max(0.0);
                        sum += weight * x[((image * channels + channel) * height + row) * width + column];
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

#[test]
fn bilinear_sampling_and_both_gradients_equal_the_definition() {
    // Off the middles of pixels, where the slope jumps; two points are beyond the map.
    let points = [-0.71, 0.33, 0.12, -0.48, 1.24, 0.05, 0.57, 0.9, -0.09, -1.18, 0.4, 0.62f32];
    let grid = Tensor::from_slice(&points, (2, 3, 1, 2), &Device::Cpu).unwrap();
    for (name, options) in all_options() {
        if options.mode == SampleMode::Bilinear {
            check_definition(
                &name,
                &[random(1, &DIMS), grid.clone()],
                1e-4,
                |t| grid_sample(&t[0], &t[1], &options).unwrap(),
                |t| definition(&t[0], &t[1], &options),
            );
        }
    }
}

#[test]
fn sampling_reads_views_and_takes_missing_coordinates_for_the_first_corner() {
    let (x, grid) = (random(1, &[2, 5, 7, 3]), random(2, &[2, 2, 4, 2]));
    let (view, grid_view) = (x.permute((0, 3, 1, 2)).unwrap(), grid.transpose(1, 2).unwrap());
    for (name, options) in all_options() {
        let got = grid_sample(&view, &grid_view, &options).unwrap();
        let (x, grid) = (view.contiguous().unwrap(), grid_view.contiguous().unwrap());
        assert_eq!(values(&got), values(&grid_sample(&x, &grid, &options).unwrap()), "{name}");
        let corner = |coordinate: f32| {
            let grid = Tensor::new(&[[[[coordinate, 0.5f32]]], [[[0.5, coordinate]]]], &Device::Cpu).unwrap();
            values(&grid_sample(&x, &grid, &options).unwrap())
        };
        assert_eq!(corner(f32::NAN), corner(-1.0), "{name}");
    }
}

#[test]
fn a_pixel_that_is_not_a_number_does_not_reach_points_on_its_neighbors() {
    let x = Tensor::new(&[[[[f32::NAN, 2.0, 3.0]]]], &Device::Cpu).unwrap();
    let grid = Tensor::new(&[[[[0f32, 0.0], [1.0, 0.0]]]], &Device::Cpu).unwrap();
    let options = GridOptions { align_corners: true, ..GridOptions::default() };
    assert_eq!(values(&grid_sample(&x, &grid, &options).unwrap()), [2.0, 3.0]);
}

#[test]
fn sampling_that_does_not_fit_says_what_was_got_and_what_is_expected() {
    let x = random(1, &[2, 3, 5, 7]);
    let default = GridOptions::default();
    let errors = [
        grid_sample(&x, &random(2, &[1, 2, 4, 2]), &default),
        grid_sample(&x, &random(2, &[2, 2, 4, 3]), &default),
        grid_sample(&random(1, &[3, 5, 7]), &random(2, &[3, 2, 4, 2]), &default),
        point_sample(&x, &random(2, &[2, 4])),
        point_sample(&x, &random(2, &[3, 4, 2])),
    ];
    for result in errors {
        let text = result.unwrap_err().to_string();
        assert!(text.contains("_sample: got ") && text.contains("expected"), "{text}");
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let border = GridOptions { outside: OutsideGrid::Border, align_corners: true, ..GridOptions::default() };
    let nearest = GridOptions { mode: SampleMode::Nearest, ..GridOptions::default() };
    vec![
        case("grid_sample", &[&[3, 5, 23, 31], &[3, 45, 37, 2]], |t| {
            grid_sample(&t[0], &(&t[1] * 1.3)?, &GridOptions::default())
        }),
        case("grid_sample border", &[&[2, 9, 23, 31], &[2, 45, 37, 2]], move |t| {
            grid_sample(&t[0], &(&t[1] * 1.3)?, &border)
        }),
        case("grid_sample nearest", &[&[3, 5, 23, 31]], move |t| {
            let grid = random(7, &[3, 45, 37, 2]).to_dtype(t[0].dtype())?;
            grid_sample(&t[0], &grid, &nearest)
        }),
        case("point_sample", &[&[3, 5, 23, 31], &[3, 2000, 2]], |t| point_sample(&t[0], &t[1])),
    ]
}
