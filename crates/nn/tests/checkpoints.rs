//! Weight files: every container people have is read, and broken ones are named. `fixtures/checkpoints.py` wrote the PyTorch files.

#![expect(clippy::expect_used, reason = "helper functions of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use segbench_nn::Error;
use segbench_nn::weights::{decode_checkpoint, read_checkpoint, read_metadata, write_checkpoint};
use segbench_types::{ErrorKind, Explain as _};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().and_then(|flat| flat.to_vec1()).expect("f32 values")
}

/// Element i of tensor `number`, as the script makes it.
fn ramp(number: usize, count: usize) -> Vec<f32> {
    (0..count).map(|i| i as f32 / 8.0 + number as f32).collect()
}

fn check_weights(tensors: &BTreeMap<String, Tensor>, file: &str) {
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    let expected = [
        "bn.num_batches_tracked",
        "bn.running_var",
        "channels_last",
        "conv.bias",
        "conv.weight",
        "first_half",
        "head.weight",
        "second_half",
        "transposed",
    ];
    assert_eq!(names, expected, "{file}");
    assert!(tensors.values().all(|tensor| tensor.dtype() == DType::F32), "{file}");
    let is = |name: &str, shape: &[usize], expected: Vec<f32>| {
        assert_eq!(tensors[name].dims(), shape, "{file}: {name}");
        assert_eq!(values(&tensors[name]), expected, "{file}: {name}");
    };
    is("conv.weight", &[2, 3, 1, 1], ramp(0, 6));
    is("conv.bias", &[2], ramp(1, 2));
    is("bn.running_var", &[2], ramp(2, 2));
    is("bn.num_batches_tracked", &[], vec![1234.0]);
    is("head.weight", &[2, 3], ramp(3, 6));
    // Stored as a 3 x 2 ramp and turned.
    is("transposed", &[2, 3], vec![4.0, 4.25, 4.5, 4.125, 4.375, 4.625]);
    is("channels_last", &[2, 3, 2, 2], ramp(5, 24));
    is("first_half", &[6], ramp(6, 12)[..6].to_vec());
    is("second_half", &[6], ramp(6, 12)[6..].to_vec());
}

#[test]
fn every_container_gives_the_same_tensors() {
    for file in ["bare.pth", "training.pth", "nested.pth", "parallel.pth", "legacy.pth"] {
        check_weights(&read_checkpoint(&fixture(file), &Device::Cpu).expect(file), file);
    }
}

#[test]
fn a_written_file_comes_back_and_has_the_same_bytes_every_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let tensors = read_checkpoint(&fixture("bare.pth"), &Device::Cpu).expect("tensors");
    let notes = ["dataset", "steps", "model", "loss"].map(|key| (key.to_owned(), format!("{key} of a test")));
    let notes = BTreeMap::from(notes);
    let paths = ["a/one.safetensors", "b/other.safetensors"].map(|name| dir.path().join(name));
    for path in &paths {
        write_checkpoint(path, &tensors, DType::F32, &notes).expect("written");
    }
    assert_eq!(fs::read(&paths[0]).expect("there"), fs::read(&paths[1]).expect("there"));
    check_weights(&read_checkpoint(&paths[0], &Device::Cpu).expect("read"), "safetensors");
    assert_eq!(read_metadata(&paths[0]).expect("notes"), notes);
    assert!(read_metadata(&fixture("bare.pth")).expect("none").is_empty());
}

#[test]
fn a_file_in_f16_is_half_as_large_and_keeps_running_statistics_in_f32() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("weights.safetensors");
    let tensor = |value: f32| Tensor::full(value, 1000, &Device::Cpu).expect("a tensor");
    let names = [("conv.weight", 0.1), ("bn.running_var", 1e-12)];
    let tensors: BTreeMap<String, Tensor> =
        names.map(|(name, value)| (name.to_owned(), tensor(value))).into();
    write_checkpoint(&path, &tensors, DType::F16, &BTreeMap::new()).expect("written");
    let length = fs::metadata(&path).expect("there").len();
    assert!((6000..6400).contains(&length), "{length}");
    let back = read_checkpoint(&path, &Device::Cpu).expect("read");
    // 0.1 rounded to f16.
    assert_eq!(values(&back["conv.weight"])[0], 0.099_975_586);
    assert_eq!(values(&back["bn.running_var"])[0], 1e-12);

    let large: BTreeMap<String, Tensor> = [("conv.weight".to_owned(), tensor(70_000.0))].into();
    let refused = write_checkpoint(&path, &large, DType::F16, &BTreeMap::new()).expect_err("beyond f16");
    assert!(refused.to_string().contains("`conv.weight` holds 70000"), "{refused}");
}

#[test]
fn files_that_hold_no_weights_say_so_and_what_to_do() {
    let cases: [(&str, &[u8], &str, &str); 7] = [
        ("empty.pth", b"", "is empty", "fetch it again"),
        ("page.pth", b"\n<!DOCTYPE html><html>", "is a web page", "download the file itself"),
        (
            "lfs.safetensors",
            b"version https://git-lfs.github.com/spec/v1\noid",
            "Git LFS pointer",
            "download",
        ),
        ("photo.pth", b"\x89PNG\r\n\x1a\n0000000000", "neither a safetensors file", "convert it in Python"),
        ("cut.pth", b"PK\x03\x04 and nothing more", "is cut short or damaged", "fetch it again"),
        (
            "cut.safetensors",
            b"\x40\0\0\0\0\0\0\0{\"a\":",
            "is no complete safetensors file",
            "fetch it again",
        ),
        (
            "huge.safetensors",
            b"\xff\xff\xff\xff\xff\xff\xff\x7f{\"a\":",
            "is no complete safetensors",
            "fetch it again",
        ),
    ];
    for (name, bytes, problem, help) in cases {
        let err = decode_checkpoint(Path::new(name), bytes, &Device::Cpu).expect_err(name);
        assert_eq!(err.kind(), ErrorKind::InvalidData, "{name}");
        assert!(
            err.to_string().starts_with(&format!("`{name}` ")) && err.to_string().contains(problem),
            "{err}"
        );
        assert!(err.help().expect("help").contains(help), "{name}: {:?}", err.help());
    }
    for (name, problem) in [("module.pth", "a Python object instead"), ("no_tensors.pth", "holds no tensors")]
    {
        let err = read_checkpoint(&fixture(name), &Device::Cpu).expect_err(name);
        assert!(err.to_string().contains(name) && err.to_string().contains(problem), "{err}");
    }
}

#[test]
fn a_file_cut_or_changed_anywhere_is_an_error_and_never_a_panic() {
    let dir = tempfile::tempdir().expect("a folder");
    let safetensors = dir.path().join("weights.safetensors");
    let tensors = read_checkpoint(&fixture("bare.pth"), &Device::Cpu).expect("tensors");
    write_checkpoint(&safetensors, &tensors, DType::F32, &BTreeMap::new()).expect("written");
    for path in [fixture("training.pth"), fixture("legacy.pth"), safetensors] {
        let whole = fs::read(&path).expect("the file");
        for length in (0..whole.len()).step_by(7) {
            let cut = decode_checkpoint(&path, &whole[..length], &Device::Cpu);
            assert!(matches!(cut, Err(Error::BadCheckpoint { .. })), "{} cut at {length}", path.display());
        }
        for at in (0..whole.len()).step_by(5) {
            for value in [0x00, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                // Whether it is an error depends on what was hit; this must only return.
                let _ = decode_checkpoint(&path, &changed, &Device::Cpu);
            }
        }
    }
}
