//! Time of counting one image's confusion matrix. `benches/peer_confusion.py` measures Python peers on the same maps.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segbench_metrics::{ClassTotals, ConfusionMatrix, miou_interval, paired_bootstrap};
use segbench_types::AbsentClass;

const WIDTH: usize = 2048;
const HEIGHT: usize = 1024;

/// A multiplicative generator that is as short in Python.
struct Lehmer(u64);

impl Lehmer {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0 % bound
    }
}

/// Regions of a street with about 40 borders per row, as in Cityscapes: five bands, then 120 boxes; the prediction is the same map,
/// shifted by two columns and three rows.
fn street(classes: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = Lehmer(1);
    let mut map = vec![0; WIDTH * HEIGHT];
    for (y, row) in map.chunks_exact_mut(WIDTH).enumerate() {
        row.fill((y * 5 / HEIGHT) as u8);
    }
    for _ in 0..120 {
        let (x, y) = (random.below(WIDTH as u64) as usize, random.below(HEIGHT as u64) as usize);
        let (width, height) = (4 + random.below(120) as usize, 4 + random.below(200) as usize);
        let label = if random.below(9) == 0 { 255 } else { random.below(classes) as u8 };
        for row in map.chunks_exact_mut(WIDTH).skip(y).take(height) {
            row[x..(x + width).min(WIDTH)].fill(label);
        }
    }
    let predicted = (0..map.len())
        .map(|pixel| map[pixel.saturating_sub(2 + 3 * WIDTH)])
        .map(|label| label % classes as u8);
    let predicted = predicted.collect();
    (map, predicted)
}

fn random(classes: u64) -> (Vec<u8>, Vec<u8>) {
    let mut random = Lehmer(2);
    let mut map = || (0..WIDTH * HEIGHT).map(|_| random.below(classes) as u8).collect();
    (map(), map())
}

fn confusion(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("confusion 2048x1024");
    group.throughput(Throughput::Bytes(2 * (WIDTH * HEIGHT) as u64));
    for (name, classes, (ground_truth, predicted)) in [
        ("street, 19 classes", 19, street(19)),
        ("street, 150 classes", 150, street(150)),
        ("random, 19 classes", 19, random(19)),
        ("random, 150 classes", 150, random(150)),
    ] {
        group.bench_function(name, |bencher| {
            let mut matrix = ConfusionMatrix::new(classes);
            bencher.iter(|| matrix.count(black_box(&ground_truth), black_box(&predicted)));
        });
    }
    group.finish();

    let (ground_truth, predicted) = random(19);
    let size = WIDTH * HEIGHT / 500;
    let images: Vec<ConfusionMatrix> = ground_truth
        .chunks_exact(size)
        .zip(predicted.chunks_exact(size))
        .take(500)
        .filter_map(|(ground_truth, predicted)| {
            let mut matrix = ConfusionMatrix::new(19);
            matrix.count(ground_truth, predicted).ok().map(|()| matrix)
        })
        .collect();
    criterion.bench_function("interval, 1000 resamples of 500 images, 19 classes", |bencher| {
        bencher.iter(|| miou_interval(black_box(&images), 1000, 0));
    });
    let first: Vec<ClassTotals> = images.iter().map(ClassTotals::of).collect();
    let mut second = first.clone();
    second.rotate_left(1);
    criterion.bench_function("paired bootstrap, 10000 resamples of 500 images, 19 classes", |bencher| {
        bencher.iter(|| {
            paired_bootstrap(AbsentClass::Skipped, black_box(&first), black_box(&second), 10_000, 0)
        });
    });
}

criterion_group!(benches, confusion);
criterion_main!(benches);
