//! Every stage equals that of the reference.

use candle_core::Device;
use libtest_mimic::Trial;
use segbench_nn::weights::is_buffer;

use crate::fixture::{CLASSES, Fixture, PAIRS, path};
use crate::{Check, ensure, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (model, reference) in PAIRS {
        trials
            .push(trial(format!("parity::{model}-{reference}"), move || equals_reference(model, reference)));
        trials.push(trial(format!("names::{model}-{reference}"), move || has_its_tensors(model, reference)));
    }
    trials.push(trial("counts::parameters_and_multiply_adds_of_all_sizes".into(), counts));
    trials
}

/// Loads the weights as a user would: under the reference's names, the head found by them.
fn equals_reference(model: &str, reference: &str) -> Check {
    let fixture = Fixture::open(model, reference)?;
    let (network, report, classes) = fixture.model.load(fixture.tensors()?, &Device::Cpu)?;
    ensure(classes == CLASSES && report.fits(), || format!("{classes} classes, {report}"))?;
    fixture.compare(network.as_ref())
}

/// The tensors the network asks for are those of the reference, translated, without the counters of training steps.
fn has_its_tensors(model: &str, reference: &str) -> Check {
    let fixture = Fixture::open(model, reference)?;
    let adapted = fixture.model.adapt(fixture.tensors()?)?;
    let (_, report, _) = fixture.model.load(adapted.clone(), &Device::Cpu)?;
    let expected = adapted.keys().filter(|name| !name.ends_with("num_batches_tracked"));
    ensure(expected.eq(&report.loaded), || report.to_string())?;
    let values = |(name, tensor): (&String, &candle_core::Tensor)| {
        if is_buffer(name) { 0 } else { tensor.elem_count() }
    };
    let own: usize = adapted.iter().map(values).sum();
    let theirs: usize = fixture
        .names
        .iter()
        .filter(|named| !is_buffer(&named.name))
        .map(|named| named.shape.iter().product::<usize>())
        .sum();
    ensure(own == theirs, || format!("{own} parameters and not {theirs}"))
}

/// Both numbers are those of the references, counted in Python.
fn counts() -> Check {
    use candle_core::{DType, Tensor};
    use segbench_models::InputSpec;
    use segbench_models::encoder_decoder::Config;
    use segbench_models::zoo::{self, segformer::SegformerConfig};
    use segbench_nn::{Context, weights::Inventory};

    for line in std::fs::read_to_string(path("counts.txt"))?.lines() {
        let [reference, preset, parameters, macs] = line.split(' ').collect::<Vec<_>>()[..] else {
            return Err(format!("four columns expected: {line}").into());
        };
        let model = zoo::find(&format!("segformer-{preset}"))?;
        let mut config: Config<SegformerConfig> = serde_json::from_value(model.config())?;
        if reference == "mmseg" {
            config = config.with_conv_head();
            config.decode_head.channels = 256;
        }
        let inventory = Inventory::new();
        let vb = inventory.var_builder(&Device::Cpu);
        let network = model.build_with(&serde_json::to_value(config)?, InputSpec::rgb(150), vb)?;
        let counted = inventory.parameters();
        ensure(counted == parameters.parse::<u64>()?, || format!("{line}: counted {counted} parameters"))?;
        // The larger ones differ in nothing that this count could miss and take long.
        if macs != "-" && ["b0", "b2"].contains(&preset) {
            let ctx = Context::eval().without_gradients();
            network.forward(&Tensor::zeros((1, 3, 65, 97), DType::F32, &Device::Cpu)?, &ctx)?;
            ensure(ctx.macs() == macs.parse::<u64>()?, || {
                format!("{line}: counted {} multiply-adds", ctx.macs())
            })?;
        }
    }
    Ok(())
}
