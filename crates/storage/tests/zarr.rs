//! Arrays between segbench and zarr-python 3.1.6; `fixtures/zarr_arrays.py` reads the one and writes the other.
#![expect(clippy::expect_used, reason = "a test without its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use segbench_storage::{ZARR_CHUNK, ZarrArray, write_array};
use serde_json::json;

const SHAPE: [usize; 3] = [3, 150, 301];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn value(plane: usize, row: usize, column: usize) -> i16 {
    let is_zero = plane == 1 || column / ZARR_CHUNK == 1;
    if is_zero { 0 } else { (row * 31 + column * 7 + plane) as i16 - 400 }
}

fn write(dir: &Path) {
    let [_, _, width] = SHAPE;
    let fill = |plane: usize, out: &mut [i16]| {
        out.iter_mut().enumerate().for_each(|(at, out)| *out = value(plane, at / width, at % width));
    };
    write_array(dir, SHAPE, &json!({ "scale_factor": 0.25 }), fill).expect("written");
}

#[test]
fn the_array_that_zarr_python_read_is_written_again() {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path());
    for file in ["zarr.json", "c/0/0/0"] {
        let bytes = |dir: &Path| fs::read(dir.join(file)).expect("a file");
        assert!(bytes(dir.path()) == bytes(&fixture("ours.zarr")), "`{file}` differs");
    }
}

#[test]
fn an_array_of_zarr_python_is_read() {
    let mut array = ZarrArray::open(&fixture("theirs.zarr")).expect("opened");
    assert_eq!(array.shape(), SHAPE);
    let [planes, height, width] = SHAPE;
    for plane in 0..planes {
        let numbers = array.window(plane, 0..height, 0..width).expect("a plane");
        let expected = (0..height * width).map(|at| value(plane, at / width, at % width));
        assert!(numbers.into_iter().eq(expected), "plane {plane}");
    }
}

#[test]
#[ignore = "writes the fixture that zarr-python reads"]
fn write_the_fixture() {
    write(&fixture("ours.zarr"));
}
