//! The layers: names and starting values of their parameters, multiply-adds, and what a context changes.

use std::sync::Mutex;

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use segbench_nn::Context;
use segbench_nn::layers::{
    BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose2d,
    ConvTranspose2dConfig, DropPath, Dropout, Dropout2d, GroupNorm, InstanceNorm, LayerNorm, LayerNorm2d,
    Linear, LinearConfig, Prelu,
};
use segbench_nn::ops::{Conv2dOptions, ConvTranspose2dOptions};

/// Notes what it is asked for.
struct Notes(&'static Mutex<Vec<String>>);

impl SimpleBackend for Notes {
    fn get(
        &self,
        s: Shape,
        name: &str,
        init: Init,
        dtype: DType,
        dev: &Device,
    ) -> candle_core::Result<Tensor> {
        self.0.lock().unwrap().push(format!("{name} {:?} {init:?}", s.dims()));
        Tensor::ones(s, dtype, dev)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        candle_core::bail!("{name} without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

fn notes() -> (&'static Mutex<Vec<String>>, VarBuilder<'static>) {
    let notes: &'static Mutex<Vec<String>> = Box::leak(Box::default());
    (notes, VarBuilder::from_backend(Box::new(Notes(notes)), DType::F32, Device::Cpu))
}

fn ones(dims: &[usize]) -> Tensor {
    Tensor::ones(dims, DType::F32, &Device::Cpu).unwrap()
}

#[test]
fn parameters_have_the_names_shapes_and_starting_values_of_the_reference() {
    let (notes, vb) = notes();
    let depthwise = Conv2dConfig {
        options: Conv2dOptions { groups: 8, ..Conv2dOptions::default() },
        ..Conv2dConfig::default()
    };
    Linear::new(3, 5, LinearConfig::default(), vb.pp("linear")).unwrap();
    Conv2d::new(3, 8, [1, 1], Conv2dConfig { bias: false, ..Conv2dConfig::default() }, vb.pp("conv"))
        .unwrap();
    Conv2d::new(8, 8, [3, 3], depthwise, vb.pp("depthwise")).unwrap();
    Conv3d::new(2, 4, [5, 3, 3], Conv3dConfig::default(), vb.pp("volume")).unwrap();
    let doubling = ConvTranspose2dConfig {
        options: ConvTranspose2dOptions { stride: [2; 2], groups: 2, ..ConvTranspose2dOptions::default() },
        bias: false,
        init: None,
    };
    ConvTranspose2d::new(4, 6, [4, 2], doubling, vb.pp("up")).unwrap();
    LayerNorm::new(4, 1e-6, vb.pp("norm")).unwrap();
    BatchNorm::new(4, BatchNormConfig::default(), vb.pp("bn")).unwrap();
    GroupNorm::new(2, 4, 1e-5, vb.pp("gn")).unwrap();
    InstanceNorm::affine(4, 1e-5, vb.pp("in")).unwrap();
    LayerNorm2d::new(4, 1e-6, vb.pp("ln")).unwrap();
    Prelu::new(4, vb.pp("prelu")).unwrap();
    let third = (2.0f64 / 9.0).sqrt();
    assert_eq!(
        *notes.lock().unwrap(),
        [
            "linear.weight [5, 3] Randn { mean: 0.0, stdev: 0.02 }".to_owned(),
            "linear.bias [5] Const(0.0)".to_owned(),
            "conv.weight [8, 3, 1, 1] Randn { mean: 0.0, stdev: 0.5 }".to_owned(),
            format!("depthwise.weight [8, 1, 3, 3] Randn {{ mean: 0.0, stdev: {third:?} }}"),
            "depthwise.bias [8] Const(0.0)".to_owned(),
            format!(
                "volume.weight [4, 2, 5, 3, 3] Randn {{ mean: 0.0, stdev: {:?} }}",
                (2.0f64 / 180.0).sqrt()
            ),
            "volume.bias [4] Const(0.0)".to_owned(),
            "up.weight [4, 3, 4, 2] Randn { mean: 0.0, stdev: 0.7071067811865476 }".to_owned(),
            "norm.weight [4] Const(1.0)".to_owned(),
            "norm.bias [4] Const(0.0)".to_owned(),
            "bn.weight [4] Const(1.0)".to_owned(),
            "bn.bias [4] Const(0.0)".to_owned(),
            "bn.running_mean [4] Const(0.0)".to_owned(),
            "bn.running_var [4] Const(1.0)".to_owned(),
            "gn.weight [4] Const(1.0)".to_owned(),
            "gn.bias [4] Const(0.0)".to_owned(),
            "in.weight [4] Const(1.0)".to_owned(),
            "in.bias [4] Const(0.0)".to_owned(),
            "ln.weight [4] Const(1.0)".to_owned(),
            "ln.bias [4] Const(0.0)".to_owned(),
            "prelu.weight [4] Const(0.25)".to_owned(),
        ]
    );
}

#[test]
fn groups_that_do_not_divide_the_channels_are_an_error() {
    let (_, vb) = notes();
    let options = Conv2dOptions { groups: 3, ..Conv2dOptions::default() };
    let config = Conv2dConfig { options, ..Conv2dConfig::default() };
    let err = Conv2d::new(6, 4, [3, 3], config, vb.clone()).unwrap_err().to_string();
    assert!(err.starts_with("Conv2d: 3 groups"), "{err}");
    let options = ConvTranspose2dOptions { groups: 4, ..ConvTranspose2dOptions::default() };
    let config = ConvTranspose2dConfig { options, ..ConvTranspose2dConfig::default() };
    let err = ConvTranspose2d::new(8, 6, [3, 3], config, vb).unwrap_err().to_string();
    assert!(err.starts_with("ConvTranspose2d: 4 groups"), "{err}");
}

#[test]
fn multiply_adds_are_those_of_the_formulas() {
    let (_, vb) = notes();
    let ctx = Context::eval();
    Linear::new(3, 5, LinearConfig::default(), vb.pp("a")).unwrap().forward(&ones(&[2, 7, 3]), &ctx).unwrap();
    assert_eq!(ctx.macs(), 2 * 7 * 3 * 5);
    let options = Conv2dOptions { stride: [2; 2], groups: 2, ..Conv2dOptions::padded(1) };
    let config = Conv2dConfig { options, ..Conv2dConfig::default() };
    let conv = Conv2d::new(4, 6, [3, 3], config, vb.pp("b")).unwrap();
    let ctx = Context::eval();
    assert_eq!(conv.forward(&ones(&[2, 4, 5, 8]), &ctx).unwrap().dims(), [2, 6, 3, 4]);
    assert_eq!(ctx.macs(), 2 * 6 * 3 * 4 * 2 * 9);
}

#[test]
fn dropout_layers_change_nothing_in_a_pass_that_predicts() {
    let x = ones(&[3, 2, 5, 7]);
    let sum = |t: Tensor| t.sum_all().unwrap().to_scalar::<f32>().unwrap();
    let forward = |ctx: &Context| {
        [
            Dropout::new(0.5).forward(&x, ctx).unwrap(),
            Dropout2d::new(0.5).forward(&x, ctx).unwrap(),
            DropPath::new(0.5).forward(&x, ctx).unwrap(),
        ]
        .map(sum)
    };
    assert_eq!(forward(&Context::eval()), [210.0; 3]);
    assert!(forward(&Context::train(1, 1)).iter().all(|&sum| sum != 210.0));
}

#[test]
fn a_pass_without_gradients_builds_no_graph() {
    let weight = candle_core::Var::from_tensor(&ones(&[2, 3])).unwrap();
    let layer = Linear::from_parts(weight.as_tensor().clone(), None);
    let tracked = |ctx: &Context| layer.forward(&ones(&[5, 3]), ctx).unwrap().track_op();
    assert!(tracked(&Context::eval()) && !tracked(&Context::eval().without_gradients()));
}

#[test]
fn batch_norm_refuses_to_train_on_a_single_value() {
    let (_, vb) = notes();
    let layer = BatchNorm::new(3, BatchNormConfig::default(), vb).unwrap();
    assert!(layer.forward(&ones(&[1, 3, 1, 1]), &Context::train(0, 0)).is_err());
    assert!(layer.forward(&ones(&[1, 3, 1, 1]), &Context::eval()).is_ok());
}
