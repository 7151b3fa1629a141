//! Distance maps that were stored and read by windows, against maps computed on the fly.
#![expect(clippy::expect_used, reason = "a test without its files has failed")]

use std::path::Path;

use segbench_storage::{ZarrArray, write_array};
use segbench_targets::{ClassDistances, DistanceCode, DistanceMap, Grid};
use segbench_types::Rng;

const HEIGHT: usize = 360;
const WIDTH: usize = 480;
const CLASSES: usize = 11;

/// Sky, a road, a row of houses, and poles and cars before them, with a border of ignored pixels; class 10 is absent.
fn street() -> Vec<u8> {
    let mut rng = Rng::new(1, &[]);
    let mut labels = vec![0; HEIGHT * WIDTH];
    let mut fill = |rows: std::ops::Range<usize>, left: usize, right: usize, label: u8| {
        for row in rows.start..rows.end.min(HEIGHT) {
            labels[row * WIDTH + left..row * WIDTH + right.min(WIDTH)].fill(label);
        }
    };
    fill(200..HEIGHT, 0, WIDTH, 1);
    for house in 0..8 {
        fill(40 + rng.below(80)..205, house * 60, house * 60 + 30 + rng.below(40), 2 + (house % 3) as u8);
    }
    fill(200..225, 0, 200, 5);
    for _ in 0..12 {
        let left = rng.below(WIDTH);
        fill(90 + rng.below(40)..210, left, left + 2 + rng.below(3), 6);
        let (top, left, size) = (170 + rng.below(80), rng.below(WIDTH), 8 + rng.below(50));
        fill(top..top + size, left, left + size * 3 / 2, 7 + rng.below(3) as u8);
    }
    fill(350..HEIGHT, 0, WIDTH, 255);
    labels
}

fn stored(labels: &[u8], kind: DistanceMap) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let (code, mut distances) = (DistanceCode::of(kind), ClassDistances::default());
    let image = distances.read(&Grid::plane(HEIGHT, WIDTH), labels);
    let mut map = vec![0.0; HEIGHT * WIDTH];
    write_array(dir.path(), [CLASSES, HEIGHT, WIDTH], &serde_json::json!({}), |class, plane| {
        image.map(class as u8, kind, &mut map);
        plane.iter_mut().zip(&map).for_each(|(number, &distance)| *number = code.encode(distance));
    })
    .expect("written");
    dir
}

fn size(dir: &Path) -> u64 {
    dir.join("c/0/0/0").metadata().expect("a shard").len()
}

#[test]
fn a_window_of_stored_maps_is_that_of_the_computed_ones_within_half_a_step() {
    let labels = street();
    for kind in [DistanceMap::Signed, DistanceMap::Unsigned, DistanceMap::Penalty] {
        let dir = stored(&labels, kind);
        let mut array = ZarrArray::open(dir.path()).expect("opened");
        let mut maps = vec![0.0; CLASSES * HEIGHT * WIDTH];
        ClassDistances::default().maps(&Grid::plane(HEIGHT, WIDTH), &labels, kind, &mut maps);
        let code = DistanceCode::of(kind);
        let (rows, columns) = (33..301, 101..399);
        for class in [0, 6, 10] {
            let window = array.window(class, rows.clone(), columns.clone()).expect("a window");
            let computed = rows.clone().flat_map(|row| columns.clone().map(move |column| (row, column)));
            for (number, (row, column)) in window.into_iter().zip(computed) {
                let exact = maps[(class * HEIGHT + row) * WIDTH + column];
                assert_eq!(number, code.encode(exact), "{kind:?} {class} {row} {column}");
                let wanted = exact.clamp(-code.clip, code.clip);
                assert!((code.decode(number) - wanted).abs() <= code.step / 2.0, "{kind:?} {number} {exact}");
            }
        }
    }
}

#[test]
fn all_signed_maps_of_a_street_take_at_most_three_bytes_per_pixel() {
    let dir = stored(&street(), DistanceMap::Signed);
    let (bytes, pixels) = (size(dir.path()), (HEIGHT * WIDTH) as u64);
    assert!(bytes <= 3 * pixels, "{bytes} bytes for {pixels} pixels");
}
