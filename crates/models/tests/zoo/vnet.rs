//! V-Net, whose inputs are volumes: what it predicts, how it trains, what it counts.

use candle_core::{DType, Device, Tensor};
use libtest_mimic::Trial;
use segbench_models::zoo;
use segbench_nn::Context;
use segbench_nn::weights::Parameters;
use segbench_types::{ErrorKind, Explain};

use crate::fixture::{CLASSES, path};
use crate::mmseg::{predicts, trains};
use crate::{Check, ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for model in ["vnet-tiny", "vnet-small"] {
        for reference in ["monai", "monai-even"] {
            let name = |what: &str| format!("{what}::{model}-{reference}");
            trials.push(trial(name("parity"), move || predicts(model, reference, &serde_json::json!({}))));
            trials.push(trial(name("training"), move || trains(model, reference, &serde_json::json!({}))));
        }
    }
    trials.push(trial("counts::parameters_of_vnet".into(), counts));
    trials.push(trial("vnet-tiny::batch_equals_single_volumes".into(), batch));
    trials.push(trial("vnet-tiny::a_wrong_input_is_explained".into(), wrong_input));
    trials.push(trial("vnet-tiny::labels_have_the_slices_below_each_other".into(), labels));
    trials.push(trial("vnet-tiny::dropout_acts_in_training_only".into(), dropout));
    trials
}

/// The parameters of every preset are as many as in the reference.
fn counts() -> Check {
    let text = std::fs::read_to_string(path("vnet_counts.txt"))?;
    ensure(text.lines().count() == 3, || text.clone())?;
    for line in text.lines() {
        let (name, expected) = line.split_once(' ').ok_or("two columns expected")?;
        let model = zoo::find(name)?;
        let counted = model.inventory(model.spec(CLASSES))?.parameters();
        ensure(counted == expected.parse::<u64>()?, || format!("{line}: counted {counted}"))?;
    }
    Ok(())
}

fn network(parameters: &Parameters) -> Result<Box<dyn segbench_models::Segmentor>, libtest_mimic::Failed> {
    let model = zoo::find("vnet-tiny")?;
    Ok(model.build(model.spec(CLASSES), parameters.var_builder(&Device::Cpu))?)
}

fn volumes(dims: &[usize]) -> Result<Tensor, libtest_mimic::Failed> {
    let values = segbench_nn::weights::seeded("volumes", &[dims.iter().product()]);
    Ok(Tensor::from_vec(values, dims, &Device::Cpu)?)
}

fn batch() -> Check {
    let network = network(&Parameters::new(3))?;
    let x = volumes(&[2, 1, 9, 17, 21])?;
    let run = |x: &Tensor| -> Result<Vec<f32>, libtest_mimic::Failed> {
        Ok(network.forward(x, &Context::eval())?.logits.flatten_all()?.to_vec1()?)
    };
    let single = [run(&x.narrow(0, 0, 1)?)?, run(&x.narrow(0, 1, 1)?)?].concat();
    let together = run(&x)?;
    let apart = together.iter().zip(&single).fold(0.0_f32, |apart, (a, b)| apart.max((a - b).abs()));
    let range = together.iter().fold(0.0_f32, |range, value| range.max(value.abs()));
    ensure(together.len() == single.len() && range > 0.0 && apart <= 1e-5 * range, || {
        format!("{apart} of {range}")
    })
}

fn wrong_input() -> Check {
    let network = network(&Parameters::new(3))?;
    for shape in [&[1, 3, 16, 16, 16][..], &[1, 1, 16, 16], &[0, 1, 16, 16, 16], &[1, 1, 16, 0, 16]] {
        let input = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
        match network.forward(&input, &Context::eval()) {
            Ok(_) => return Err(format!("{shape:?} is taken").into()),
            Err(err) => {
                let help = err.help().unwrap_or_default();
                let is_explained = help.contains("(batch, 1, depth, height, width)");
                ensure(err.kind() == ErrorKind::InvalidData && is_explained, || format!("{err}: {help}"))?;
            }
        }
    }
    Ok(())
}

/// The label of a voxel is the class with the largest of its logits.
fn labels() -> Check {
    let network = network(&Parameters::new(3))?;
    let output = network.forward(&volumes(&[2, 1, 3, 5, 7])?, &Context::eval())?;
    let maps = network.labels(&output, (15, 7))?;
    let logits = output.logits.argmax(1)?.flatten_all()?.to_vec1::<u32>()?;
    let labels = maps.iter().flat_map(|map| map.as_slice()).map(|&label| u32::from(label));
    ensure(maps.len() == 2 && labels.eq(logits.iter().copied()), || "the labels differ".into())?;
    ensure(network.labels(&output, (5, 7)).is_err(), || "another size is taken".into())
}

fn dropout() -> Check {
    let x = volumes(&[1, 1, 16, 16, 32])?;
    let run = |ctx: Context| -> Result<Vec<f32>, libtest_mimic::Failed> {
        Ok(network(&Parameters::new(3))?.forward(&x, &ctx)?.logits.flatten_all()?.to_vec1()?)
    };
    ensure(run(Context::eval())? == run(Context::eval())?, || "predicting does not repeat itself".into())?;
    ensure(run(Context::train(1, 5))? == run(Context::train(1, 5))?, || "training does not, either".into())?;
    ensure(run(Context::train(1, 5))? != run(Context::train(1, 6))?, || "nothing is dropped".into())
}
