//! Signed distance maps of 19 classes at 1024 x 2048. Writes the label maps beside the build for `peer_distances.py`.

#![expect(clippy::expect_used, reason = "a benchmark without its inputs has failed")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use segbench_targets::{ClassDistances, DistanceMap, Grid};
use segbench_types::Rng;

const HEIGHT: usize = 1024;
const WIDTH: usize = 2048;
const CLASSES: usize = 19;

/// Sky, a road, houses, and poles, signs and cars in front of them, with a border of ignored pixels.
fn street(rng: &mut Rng) -> Vec<u8> {
    let mut labels = vec![10_u8; HEIGHT * WIDTH];
    let mut fill = |top: usize, bottom: usize, left: usize, right: usize, label: usize| {
        for row in top.min(HEIGHT)..bottom.min(HEIGHT) {
            labels[row * WIDTH + left.min(WIDTH)..row * WIDTH + right.min(WIDTH)].fill(label as u8);
        }
    };
    fill(560, HEIGHT, 0, WIDTH, 0);
    for house in 0..14 {
        fill(
            80 + rng.below(300),
            580,
            house * 150,
            house * 150 + 60 + rng.below(150),
            [2, 8, 3][rng.below(3)],
        );
    }
    fill(560, 640, 0, 700, 1);
    for _ in 0..25 {
        let (left, label) = (rng.below(WIDTH), [5, 6, 7][rng.below(3)]);
        fill(250 + rng.below(100), 600, left, left + 4 + rng.below(8), 5);
        let top = 220 + rng.below(80);
        fill(top, top + 40, left.saturating_sub(15), left + 25, label);
    }
    for _ in 0..30 {
        let (top, left, size) = (480 + rng.below(160), rng.below(WIDTH), 15 + rng.below(120));
        fill(
            top,
            top + size,
            left,
            left + size * 3 / 2,
            [4, 9, 11, 12, 13, 14, 15, 16, 17, 18][rng.below(10)],
        );
    }
    fill(980, HEIGHT, 0, WIDTH, 255);
    labels
}

/// Every pixel has the class of the nearest of 400 points.
fn voronoi(rng: &mut Rng) -> Vec<u8> {
    let points: Vec<(i64, i64)> =
        (0..400).map(|_| (rng.below(HEIGHT) as i64, rng.below(WIDTH) as i64)).collect();
    let nearest = |at: usize| {
        let (row, column) = ((at / WIDTH) as i64, (at % WIDTH) as i64);
        let square = |&(y, x): &(i64, i64)| (y - row).pow(2) + (x - column).pow(2);
        (0..points.len()).min_by_key(|&point| square(&points[point])).map_or(0, |point| point % CLASSES)
    };
    // One pixel of four is looked up: the map is doubled.
    let coarse = |at: usize| nearest(at / WIDTH / 2 * 2 * WIDTH + at % WIDTH / 2 * 2);
    (0..HEIGHT * WIDTH).map(|at| coarse(at) as u8).collect()
}

fn distances(criterion: &mut Criterion) {
    let mut rng = Rng::new(1, &[]);
    let mut maps = vec![0.0; CLASSES * HEIGHT * WIDTH];
    let mut distances = ClassDistances::default();
    for (name, labels) in [("street", street(&mut rng)), ("voronoi", voronoi(&mut rng))] {
        let file = std::env::temp_dir().join(format!("segbench-{name}.bin"));
        std::fs::write(file, &labels).expect("the label map for the peers is written");
        criterion.bench_function(&format!("19 signed maps, {name}"), |bencher| {
            bencher.iter(|| {
                let grid = Grid::plane(HEIGHT, WIDTH);
                distances.maps(&grid, black_box(&labels), DistanceMap::Signed, black_box(&mut maps));
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = distances
}
criterion_main!(benches);
