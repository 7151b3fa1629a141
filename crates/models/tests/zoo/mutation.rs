//! The parity checks notice what they are there to notice: each mistake that implementations of SegFormer are known for is made
//! on purpose, and the comparison with the reference has to fail.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use libtest_mimic::{Failed, Trial};
use segbench_models::Tensors;
use segbench_models::backbones;
use segbench_models::encoder_decoder;
use segbench_models::zoo::segformer::{Projection, SegformerConfig};
use segbench_nn::Context;
use segbench_nn::ops::{self, Interpolation, ResizeTo};

use crate::fixture::{Fixture, PAIRS};
use crate::{Check, ensure, trial};

type Config = encoder_decoder::Config<SegformerConfig>;

/// A change of the settings that has to be noticed.
type Change = fn(&mut Config);

const CHANGES: [(&str, Change); 4] = [
    ("layer_norm_epsilon", |config| {
        let eps = &mut mit(config).layer_norm_eps;
        *eps = if *eps == 1e-5 { 1e-6 } else { 1e-5 };
    }),
    ("batch_norm_epsilon", |config| config.decode_head.batch_norm_eps = 1e-6),
    ("align_corners", |config| config.align_corners = true),
    ("one_head_too_few", |config| mit(config).num_heads[1] = 1),
];

fn mit(config: &mut Config) -> &mut backbones::mit::Config {
    match &mut config.backbone {
        backbones::Config::Mit(mit) => mit,
        other => panic!("SegFormer on {other:?}"),
    }
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (model, reference) in PAIRS {
        for (name, change) in CHANGES {
            trials.push(trial(format!("mutation::{name}::{model}-{reference}"), move || {
                notices_settings(model, reference, change)
            }));
        }
        trials.push(trial(format!("mutation::stage_order::{model}-{reference}"), move || {
            notices_stage_order(model, reference)
        }));
    }
    for reference in ["hf", "mmseg"] {
        trials.push(trial(format!("mutation::every_dropped_bias::segformer-tiny-{reference}"), move || {
            notices_dropped_biases(reference)
        }));
    }
    trials.push(trial("mutation::nearest_for_bilinear::segformer-tiny-hf".into(), notices_nearest));
    trials
}

/// The settings under which the fixture's weights give the reference's results.
fn right_settings(fixture: &Fixture, reference: &str) -> Result<Config, Failed> {
    let config: Config = serde_json::from_value(fixture.model.config())?;
    Ok(if reference == "mmseg" { config.with_conv_head() } else { config })
}

fn expect_difference(fixture: &Fixture, tensors: Tensors, config: &Config, what: &str) -> Check {
    let network = fixture.build(tensors, &serde_json::to_value(config)?)?;
    ensure(fixture.compare(network.as_ref()).is_err(), || format!("{what} went unnoticed"))
}

fn notices_settings(model: &str, reference: &str, change: Change) -> Check {
    let fixture = Fixture::open(model, reference)?;
    let mut config = right_settings(&fixture, reference)?;
    fixture.compare(fixture.build(fixture.tensors()?, &serde_json::to_value(&config)?)?.as_ref())?;
    change(&mut config);
    expect_difference(&fixture, fixture.tensors()?, &config, "the change of a setting")
}

/// The columns of the fusing layer in another order are the stages in another order.
fn notices_stage_order(model: &str, reference: &str) -> Check {
    let fixture = Fixture::open(model, reference)?;
    let config = right_settings(&fixture, reference)?;
    let name = match config.decode_head.projection {
        Projection::Linear => "decode_head.linear_fuse.weight",
        Projection::Conv => "decode_head.fusion_conv.conv.weight",
    };
    let mut tensors = fixture.tensors()?;
    let parts = tensors[name].chunk(4, 1)?;
    let reversed: Vec<&Tensor> = parts.iter().rev().collect();
    tensors.insert(name.to_owned(), Tensor::cat(&reversed, 1)?);
    expect_difference(&fixture, tensors, &config, "the order of the stages")
}

fn notices_dropped_biases(reference: &str) -> Check {
    let fixture = Fixture::open("segformer-tiny", reference)?;
    let config = right_settings(&fixture, reference)?;
    let right = fixture.tensors()?;
    // The bias of the keys adds the same to all scores of a query, which the softmax takes away again.
    let biases: Vec<&String> =
        right.keys().filter(|name| name.ends_with("bias") && !name.ends_with("key.bias")).collect();
    ensure(biases.len() > 50, || format!("only {} biases", biases.len()))?;
    for name in biases {
        let mut tensors = right.clone();
        tensors.insert(name.clone(), right[name].zeros_like()?);
        expect_difference(&fixture, tensors, &config, &format!("a dropped `{name}`"))?;
    }
    Ok(())
}

/// Computes the head once more from the recorded stages, the way the reference does it, with either interpolation.
fn notices_nearest() -> Check {
    let fixture = Fixture::open("segformer-tiny", "hf")?;
    let tensors = fixture.tensors()?;
    let ctx = Context::eval().with_trace();
    fixture.model.load(tensors.clone(), &Device::Cpu)?.0.forward(&fixture.input()?, &ctx)?;
    let trace: BTreeMap<String, Tensor> = ctx.trace().into_iter().collect();
    let head = |bilinear: bool| -> Result<Tensor, Failed> {
        let (_, _, h, w) = trace["backbone.0"].dims4()?;
        let mut stages = Vec::new();
        for stage in (0..4).rev() {
            let x = &trace[&format!("backbone.{stage}")];
            let projection = |part: &str| &tensors[&format!("decode_head.linear_c.{stage}.proj.{part}")];
            let weight = projection("weight").unsqueeze(2)?.unsqueeze(3)?;
            let x = ops::conv2d(x, &weight, Some(projection("bias")), &Default::default())?;
            stages.push(if bilinear {
                ops::resize_bilinear(&x, h, w, false)?
            } else {
                ops::resize(&x, ResizeTo::Size([h, w]), Interpolation::Nearest)?
            });
        }
        let x = ops::conv2d(
            &Tensor::cat(&stages, 1)?,
            &tensors["decode_head.linear_fuse.weight"],
            None,
            &Default::default(),
        )?;
        let norm = |part: &str| &tensors[&format!("decode_head.batch_norm.{part}")];
        let x = ops::batch_norm_eval(
            &x,
            norm("weight"),
            norm("bias"),
            norm("running_mean"),
            norm("running_var"),
            1e-5,
        )?;
        let classifier = |part: &str| &tensors[&format!("decode_head.classifier.{part}")];
        Ok(ops::conv2d(&ops::relu(&x)?, classifier("weight"), Some(classifier("bias")), &Default::default())?)
    };
    fixture.compare_stage("head", &head(true)?)?;
    ensure(fixture.compare_stage("head", &head(false)?).is_err(), || {
        "nearest for bilinear went unnoticed".into()
    })
}
