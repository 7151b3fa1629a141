//! Normalizations against PyTorch and against their definitions in f64.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, BatchNormConfig, GroupNorm, InstanceNorm, LayerNorm2d};
use segbench_nn::{Context, ops};

use crate::fixture::Fixture;
use crate::oracle::check_definition;
use crate::support::{assert_close, random, values};

/// Rounding in f32 behind means and deviations, against f64.
const TOLERANCE: f32 = 5e-5;

#[test]
fn normalizations_equal_pytorch() {
    let reference = Fixture::read("norm");
    for case in reference.cases("") {
        let groups = || match reference.tensor(&format!("{case}.in0")).dims()[1] {
            3 => 3,
            64 => 8,
            _ => 1,
        };
        let is = |kind: &str| case.starts_with(kind);
        reference.check(case, |t| match t {
            [x] if is("instance_norm") => ops::instance_norm(x, None, 1e-5),
            [x] => ops::group_norm(x, groups(), None, 1e-5),
            [x, weight, bias] if is("layer_norm2d") => ops::layer_norm2d(x, weight, bias, 1e-6),
            [x, weight, bias] if is("layer_norm_extreme") => ops::layer_norm(x, weight, bias, 1e-5),
            [x, weight, bias] if is("layer_norm") => ops::layer_norm(x, weight, bias, 1e-6),
            [x, weight, bias] if is("instance_norm") => ops::instance_norm(x, Some([weight, bias]), 1e-5),
            [x, weight, bias] if is("group_norm") => ops::group_norm(x, groups(), Some([weight, bias]), 1e-5),
            [x, weight, bias] if is("batch_norm_eval") => {
                let [mean, variance] =
                    ["mean", "variance"].map(|name| reference.tensor(&format!("{case}.{name}")));
                ops::batch_norm_eval(x, weight, bias, mean, variance, 1e-5)
            }
            [x, weight, bias] => Ok(ops::batch_norm_train(x, weight, bias, 1e-5)?.0),
            _ => panic!("{case} has {} inputs", t.len()),
        });
    }
}

/// Normalizes what `group` puts together; `channel` says which weight and bias an element gets.
fn naive(
    t: &[Vec<f64>],
    eps: f64,
    group: impl Fn(usize) -> usize,
    channel: impl Fn(usize) -> usize,
) -> Vec<f64> {
    let mut groups: HashMap<usize, Vec<f64>> = HashMap::new();
    for (place, x) in t[0].iter().enumerate() {
        groups.entry(group(place)).or_default().push(*x);
    }
    let moments: HashMap<usize, (f64, f64)> = groups
        .into_iter()
        .map(|(group, x)| {
            let mean = x.iter().sum::<f64>() / x.len() as f64;
            let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64;
            (group, (mean, (variance + eps).sqrt()))
        })
        .collect();
    let element = |(place, x): (usize, &f64)| {
        let (mean, deviation) = moments[&group(place)];
        let parameter = |number: usize, default| t.get(number).map_or(default, |p| p[channel(place)]);
        (x - mean) / deviation * parameter(1, 1.0) + parameter(2, 0.0)
    };
    t[0].iter().enumerate().map(element).collect()
}

#[test]
fn normalizations_equal_their_definitions() {
    for dims in [[1, 6, 5, 3], [3, 6, 1, 7], [2, 1, 3, 4], [1, 2, 1, 300]] {
        let [_, channels, height, width] = dims;
        let plane = height * width;
        let groups = if channels == 6 { 2 } else { 1 };
        let inputs = [random(1, &dims), random(2, &[channels]), random(3, &[channels])];
        let (image, channel) =
            (|place: usize| place / plane / channels, |place: usize| place / plane % channels);
        let what = |kind: &str| format!("{kind} of {dims:?}");
        check_definition(
            &what("batch_norm"),
            &inputs,
            TOLERANCE,
            |t| ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-3).unwrap().0,
            |t| naive(t, 1e-3, channel, channel),
        );
        for inputs in [&inputs[..1], &inputs] {
            let affine = |t: &[Tensor]| t.get(1).cloned().zip(t.get(2).cloned());
            check_definition(
                &what("instance_norm"),
                inputs,
                TOLERANCE,
                |t| ops::instance_norm(&t[0], affine(t).as_ref().map(|(w, b)| [w, b]), 1e-3).unwrap(),
                |t| naive(t, 1e-3, |place| place / plane, channel),
            );
            check_definition(
                &what("group_norm"),
                inputs,
                TOLERANCE,
                |t| ops::group_norm(&t[0], groups, affine(t).as_ref().map(|(w, b)| [w, b]), 1e-3).unwrap(),
                |t| naive(t, 1e-3, |place| place / plane / (channels / groups), channel),
            );
        }
        if channels > 1 {
            check_definition(
                &what("layer_norm2d"),
                &inputs,
                TOLERANCE,
                |t| ops::layer_norm2d(&t[0], &t[1], &t[2], 1e-3).unwrap(),
                |t| naive(t, 1e-3, |place| image(place) * plane + place % plane, channel),
            );
        }
    }
}

fn layer_of(parameters: &[(&str, Tensor)]) -> VarBuilder<'static> {
    let parameters = parameters.iter().map(|(name, tensor)| ((*name).to_owned(), tensor.clone())).collect();
    VarBuilder::from_tensors(parameters, DType::F32, &Device::Cpu)
}

#[test]
fn layers_apply_their_parameters() {
    let (x, weight, bias) = (random(1, &[2, 6, 3, 5]), random(2, &[6]), random(3, &[6]));
    let vb = || layer_of(&[("weight", weight.clone()), ("bias", bias.clone())]);
    let (ctx, affine) = (Context::eval(), Some([&weight, &bias]));
    let layers = [
        GroupNorm::new(2, 6, 1e-6, vb()).unwrap().forward(&x, &ctx).unwrap(),
        InstanceNorm::affine(6, 1e-5, vb()).unwrap().forward(&x, &ctx).unwrap(),
        InstanceNorm::new(1e-5).forward(&x, &ctx).unwrap(),
        LayerNorm2d::new(6, 1e-6, vb()).unwrap().forward(&x, &ctx).unwrap(),
    ];
    let expected = [
        ops::group_norm(&x, 2, affine, 1e-6).unwrap(),
        ops::instance_norm(&x, affine, 1e-5).unwrap(),
        ops::instance_norm(&x, None, 1e-5).unwrap(),
        ops::layer_norm2d(&x, &weight, &bias, 1e-6).unwrap(),
    ];
    for (layer, expected) in layers.iter().zip(&expected) {
        assert_eq!(values(layer), values(expected));
    }
    assert!(GroupNorm::new(4, 6, 1e-6, vb()).unwrap_err().to_string().contains("4 groups do not divide 6"));
}

fn batch_norm() -> (BatchNorm, [Var; 2]) {
    let constant = |value: f32| Tensor::full(value, 3, &Device::Cpu).unwrap();
    let statistics = [0.0, 1.0].map(|value| Var::from_tensor(&constant(value)).unwrap());
    let [mean, variance] = statistics.each_ref().map(|var| var.as_tensor().clone());
    let parameters = [
        ("weight", constant(1.0)),
        ("bias", constant(0.0)),
        ("running_mean", mean),
        ("running_var", variance),
    ];
    (BatchNorm::new(3, BatchNormConfig::default(), layer_of(&parameters)).unwrap(), statistics)
}

#[test]
fn passes_of_one_optimizer_step_count_as_one_batch_for_running_statistics() {
    let reference = Fixture::read("norm");
    let tensor = |name: &str| reference.tensor(&format!("parts.{name}"));
    let (layer, [mean, variance]) = batch_norm();
    // A step that is given up after its first pass leaves nothing behind.
    layer.forward(&random(9, &[1, 3, 2, 5]), &Context::train(0, 0).with_part(0, 2)).unwrap();
    assert_eq!(values(&mean), [0.0; 3]);
    for (part, batch) in [tensor("first"), tensor("second")].into_iter().enumerate() {
        let ctx = Context::train(0, 1).with_part(part as u64, 2);
        let y = layer.forward(batch, &ctx).unwrap();
        let alone = batch_norm().0.forward(batch, &Context::train(0, 1)).unwrap();
        assert_eq!(values(&y), values(&alone), "a pass is normalized by its own statistics");
    }
    assert_close("mean", &values(&mean), &values(tensor("mean")), 1e-6);
    assert_close("variance", &values(&variance), &values(tensor("variance")), 1e-6);
}

#[test]
fn parameters_that_do_not_fit_are_an_error_that_names_the_shapes() {
    let (x, five, six) = (random(1, &[2, 6, 3, 5]), random(2, &[5]), random(3, &[6]));
    let errors = [
        (
            ops::layer_norm2d(&x, &five, &six, 1e-5),
            "[5] and bias [6] do not fit the channels of [2, 6, 3, 5]",
        ),
        (ops::group_norm(&x, 4, None, 1e-5), "4 groups"),
        (ops::group_norm(&x, 0, None, 1e-5), "0 groups"),
        (ops::group_norm(&x, 2, Some([&six, &five]), 1e-5), "[5]"),
        (ops::instance_norm(&random(1, &[2, 6, 1, 1]), None, 1e-5), "[2, 6, 1, 1]"),
        (ops::instance_norm(&five, None, 1e-5), "[5]"),
        (ops::batch_norm_train(&x, &five, &six, 1e-5).map(|(y, _)| y), "[[5], [6]] do not fit [2, 6, 3, 5]"),
    ];
    for (result, expected) in errors {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
