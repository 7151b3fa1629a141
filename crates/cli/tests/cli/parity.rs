//! `parity forward` and `parity loss`: the tensors that another implementation is compared with.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor, safetensors};

use crate::support::Place;

fn input(place: &Place) {
    let values: Vec<f32> =
        (0..2 * 3 * 64 * 96).map(|index| ((index * 37 % 101) as f32 - 50.0) / 25.0).collect();
    let tensor = Tensor::from_vec(values, (2, 3, 64, 96), &Device::Cpu).expect("a tensor");
    safetensors::save(&HashMap::from([("input", tensor)]), place.join("in.safetensors")).expect("written");
}

fn load(path: &Path) -> HashMap<String, Tensor> {
    safetensors::load(path, &Device::Cpu).expect("read")
}

#[test]
fn logits_have_the_network_s_size_and_full_resizes_them() {
    let place = Place::trained();
    input(&place);
    let forward = ["parity", "forward", "segformer-tiny", "--weights", "segformer-tiny.sample"];
    let run = |output: &str, flags: &[&str]| {
        let files = ["--input", "in.safetensors", "--output", output];
        place.run(&[&forward[..], &files, flags].concat()).is(0, &[]);
        load(&place.join(output))
    };
    let plain = run("plain.safetensors", &[]);
    assert_eq!(plain.keys().collect::<Vec<_>>(), ["logits"]);
    assert_eq!(plain["logits"].dims(), [2, 19, 16, 24]);

    let traced = run("traced.safetensors", &["--trace"]);
    for (name, dims) in [("backbone.0", [2, 16, 24]), ("backbone.3", [2, 2, 3])] {
        let stage = traced.get(name).unwrap_or_else(|| panic!("no `{name}` in {:?}", traced.keys()));
        assert_eq!([stage.dims()[0], stage.dims()[2], stage.dims()[3]], dims, "{name}");
    }
    assert!(traced.contains_key("head"), "{:?}", traced.keys());
    let flat =
        |tensor: &Tensor| tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("numbers");
    assert_eq!(flat(&traced["logits"]), flat(&plain["logits"]));

    let full = run("full.safetensors", &["--full"]);
    assert_eq!(full["logits"].dims(), [2, 19, 64, 96]);
    // Corners of a bilinear resize by 4 without aligned corners are the corners of its input.
    let corner = |tensor: &Tensor| {
        tensor
            .get(1)
            .and_then(|t| t.get(7))
            .and_then(|t| t.get(0))
            .and_then(|t| t.get(0))
            .and_then(|t| t.to_scalar::<f32>())
    };
    assert_eq!(corner(&full["logits"]).expect("a number"), corner(&plain["logits"]).expect("a number"));
    place.has_no_temporaries();
}

#[test]
fn an_input_without_the_right_tensor_is_named() {
    let place = Place::trained();
    let forward = ["parity", "forward", "segformer-tiny", "--weights", "segformer-tiny.sample"];
    let run =
        |input: &str| place.run(&[&forward[..], &["--input", input, "--output", "out.safetensors"]].concat());
    run("absent.safetensors").is(4, &["absent.safetensors"]);
    let tensor = Tensor::zeros((3, 8, 8), candle_core::DType::F32, &Device::Cpu).expect("a tensor");
    safetensors::save(&HashMap::from([("image", tensor.clone())]), place.join("x.safetensors"))
        .expect("written");
    run("x.safetensors").is(6, &["x.safetensors", "`input`"]);
    safetensors::save(&HashMap::from([("input", tensor)]), place.join("x.safetensors")).expect("written");
    run("x.safetensors").is(6, &["x.safetensors"]);
    std::fs::write(place.join("x.safetensors"), "no tensors").expect("written");
    run("x.safetensors").is(6, &["x.safetensors"]);
    assert!(!place.join("out.safetensors").exists());
}

/// Two pixels of three classes with equal logits, the second one ignored.
fn loss_input(place: &Place, labels: [i64; 2], weights: Option<[f32; 3]>) {
    let logits = Tensor::zeros((1, 3, 1, 2), candle_core::DType::F32, &Device::Cpu).expect("logits");
    let target = Tensor::from_slice(&labels, (1, 1, 2), &Device::Cpu).expect("labels");
    let mut tensors = HashMap::from([("logits", logits), ("target", target)]);
    if let Some(weights) = weights {
        tensors.insert("class_weights", Tensor::new(&weights, &Device::Cpu).expect("weights"));
    }
    safetensors::save(&tensors, place.join("loss.safetensors")).expect("written");
}

const FILES: [&str; 4] = ["--input", "loss.safetensors", "--output", "out.safetensors"];

#[test]
fn a_loss_and_its_gradient_are_written() {
    let place = Place::new();
    loss_input(&place, [1, 255], Some([1.0, 2.0, 0.5]));
    for (name, option, loss, slope) in [
        ("weighted-cross-entropy", "mean=weights", 3_f32.ln(), 1.0 / 3.0),
        ("weighted-cross-entropy", "mean=pixels", 2.0 * 3_f32.ln(), 2.0 / 3.0),
        ("focal", "gamma=1", 3_f32.ln() * 2.0 / 3.0, (2.0 / 3.0 + 3_f32.ln() / 3.0) / 3.0),
    ] {
        place.run(&[&["parity", "loss", name, "--option", option], &FILES[..]].concat()).is(0, &[]);
        let out = load(&place.join("out.safetensors"));
        let got = out["loss"].to_scalar::<f32>().expect("a scalar");
        assert!((got - loss).abs() < 1e-5, "{name} {option}: {got} {loss}");
        let gradient = out["grad"].flatten_all().and_then(|flat| flat.to_vec1::<f32>()).expect("values");
        for (got, expected) in gradient.iter().zip([slope, 0.0, -2.0 * slope, 0.0, slope, 0.0]) {
            assert!((got - expected).abs() < 1e-5, "{name} {option}: {gradient:?}");
        }
    }
}

#[test]
fn what_no_loss_can_be_computed_from_is_told() {
    let place = Place::new();
    let run = |arguments: &[&str]| place.run(&[&["parity", "loss"], arguments, &FILES[..]].concat());
    loss_input(&place, [1, 255], None);
    run(&["dise"]).is(2, &["did you mean `dice`?"]);
    run(&["topk", "--option", "k=0"]).is(2, &["`k` is 0"]);
    run(&["topk", "--option", "j=1"]).is(2, &["unknown field `j`"]);
    run(&["weighted-cross-entropy"]).is(2, &["needs class weights"]);
    loss_input(&place, [1, 3], None);
    run(&["dice"]).is(6, &["label `3` at row 0, column 1"]);
    loss_input(&place, [1, -100], None);
    run(&["dice"]).is(6, &["-100", "255"]);
}
