//! What a reference computed, and the weights and the input it computed it with.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use libtest_mimic::Failed;
use segbench_models::zoo::{self, Model};
use segbench_models::{Input, Segmentor, Tensors};
use segbench_nn::Context;
use segbench_nn::weights::{Tracked, seeded};

use crate::{Check, ensure};

/// Models and the references whose outputs are stored.
pub(crate) const PAIRS: [(&str, &str); 4] = [
    ("segformer-tiny", "hf"),
    ("segformer-tiny", "mmseg"),
    ("segformer-b0", "hf"),
    ("segformer-b0", "mmseg"),
];

/// Classes of the stored networks.
pub(crate) const CLASSES: usize = 19;
/// Shape of the input that the references were given: odd, not square, more than one image.
pub(crate) const INPUT: [usize; 4] = [2, 3, 65, 97];
/// Largest deviation, as a share of the range of a stage's values: f32 sums in another order stay below it, every mutation that
/// the fixtures are made for goes above.
const TOLERANCE: f64 = 1e-4;

/// One line of a list of names: a tensor of the reference and the factor on its seeded values.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) scale: f32,
}

pub(crate) struct Fixture {
    pub(crate) model: Model,
    pub(crate) names: Vec<Named>,
    stages: HashMap<String, Tensor>,
}

pub(crate) fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file)
}

impl Fixture {
    pub(crate) fn open(model: &str, reference: &str) -> Result<Self, Failed> {
        let text = std::fs::read_to_string(path(&format!("names/{model}-{reference}.txt")))?;
        let stages =
            candle_core::safetensors::load(path(&format!("{model}-{reference}.safetensors")), &Device::Cpu)?;
        Ok(Self {
            model: zoo::find(model)?,
            names: text.lines().map(parse).collect::<Result<_, _>>()?,
            stages,
        })
    }

    /// The weights under the reference's own names.
    pub(crate) fn tensors(&self) -> Result<Tensors, Failed> {
        self.names.iter().map(|named| Ok((named.name.clone(), named.tensor()?))).collect()
    }

    /// The images, without the borders that a reference with a divisor does not take, or the volumes.
    pub(crate) fn input(&self) -> Result<Tensor, Failed> {
        if self.model.input() == Input::Volume {
            return self.volumes();
        }
        let values = seeded("input", &[INPUT.iter().product()]).into_iter().map(|value| 20.0 * value);
        let images = Tensor::from_vec(values.collect(), &INPUT, &Device::Cpu)?;
        let divisor = self.model.card().preprocessing.divisor as usize;
        let [height, width] = [INPUT[2], INPUT[3]].map(|side| side / divisor * divisor);
        Ok(images.narrow(2, 0, height)?.narrow(3, 0, width)?.contiguous()?)
    }

    /// As large as the stored logits of a prediction.
    fn volumes(&self) -> Result<Tensor, Failed> {
        let shape: Vec<u32> = self.stored("head", "shape")?.to_vec1()?;
        let sides = shape.iter().skip(2).map(|&side| side as usize);
        let dims: Vec<usize> = [shape[0] as usize, 1].into_iter().chain(sides).collect();
        let values = seeded("volume", &[dims.iter().product()]).into_iter().map(|value| 2.0 * value);
        Ok(Tensor::from_vec(values.collect(), dims, &Device::Cpu)?)
    }

    /// The network with these weights in place of the stored ones and with these settings, whatever the weights show.
    pub(crate) fn build(
        &self,
        tensors: Tensors,
        config: &serde_json::Value,
    ) -> Result<Box<dyn Segmentor>, Failed> {
        let tracked = Tracked::new(self.model.adapt(tensors)?);
        Ok(self.model.build_with(config, self.model.spec(CLASSES), tracked.var_builder(&Device::Cpu))?)
    }

    /// Compares every stage of a pass with the stored one.
    pub(crate) fn compare(&self, network: &dyn Segmentor) -> Check {
        self.largest_error(network).map(|_| ())
    }

    /// [`Fixture::compare`], and the largest deviation as a share of the range of a stage's values.
    pub(crate) fn largest_error(&self, network: &dyn Segmentor) -> Result<f64, Failed> {
        let ctx = Context::eval().with_trace();
        network.forward(&self.input()?, &ctx)?;
        let trace: BTreeMap<String, Tensor> = ctx.trace().into_iter().collect();
        let expected: Vec<String> = ["backbone.", "head", "neck."].map(|part| self.stages(part)).concat();
        ensure(trace.keys().eq(&expected), || format!("the trace has {:?}", trace.keys()))?;
        trace.iter().try_fold(0.0, |largest: f64, (stage, tensor)| {
            Ok(largest.max(self.compare_stage(stage, tensor)?))
        })
    }

    /// Compares one stage at the stored positions, and the mean and deviation of all its values, with the tolerance that is stored
    /// with it or else with that of a forward pass. The result is the largest deviation at a position, as a share of the range.
    pub(crate) fn compare_stage(&self, stage: &str, tensor: &Tensor) -> Result<f64, Failed> {
        let tolerance = match self.stages.get(&format!("{stage}.tolerance")) {
            Some(stored) => stored.to_scalar::<f64>()?,
            None => TOLERANCE,
        };
        let shape: Vec<u32> = self.stored(stage, "shape")?.to_vec1()?;
        ensure(tensor.dims().iter().map(|&size| size as u32).eq(shape.iter().copied()), || {
            format!("{stage} has the shape {:?} and not {shape:?}", tensor.dims())
        })?;
        let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let positions: Vec<u32> = self.stored(stage, "positions")?.to_vec1()?;
        let expected: Vec<f32> = self.stored(stage, "values")?.to_vec1()?;
        let [mean, deviation, low, high] = self.stored(stage, "summary")?.to_vec1::<f64>()?[..] else {
            return Err("four numbers in a summary".into());
        };
        let allowed = tolerance * (high - low);
        let apart = |a: f64, b: f64| if (a - b).is_nan() { f64::INFINITY } else { (a - b).abs() };
        let mut largest = 0.0_f64;
        for (&position, &b) in positions.iter().zip(&expected) {
            let a = values[position as usize];
            largest = largest.max(apart(f64::from(a), f64::from(b)) / (high - low));
            ensure(apart(f64::from(a), f64::from(b)) <= allowed, || {
                format!("{stage} at {position}: {a} and not {b} (allowed: {allowed:.2e})")
            })?;
        }
        let count = values.len() as f64;
        let own_mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let squares = values.iter().map(|&value| (f64::from(value) - own_mean).powi(2)).sum::<f64>();
        let own_deviation = (squares / count).sqrt();
        ensure(apart(own_mean, mean) <= allowed && apart(own_deviation, deviation) <= allowed, || {
            format!("{stage}: mean {own_mean}, deviation {own_deviation} and not {mean}, {deviation}")
        })?;
        Ok(largest)
    }

    /// The stored stages whose names begin so, sorted.
    pub(crate) fn stages(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.stages.keys().filter_map(|key| key.strip_suffix(".values").map(str::to_owned)).collect();
        names.retain(|name| name.starts_with(prefix));
        names.sort();
        names
    }

    /// Whether a stage is stored.
    pub(crate) fn has(&self, stage: &str) -> bool {
        self.stages.contains_key(&format!("{stage}.values"))
    }

    fn stored(&self, stage: &str, what: &str) -> Result<&Tensor, Failed> {
        self.stages
            .get(&format!("{stage}.{what}"))
            .ok_or_else(|| format!("no `{stage}.{what}` in the fixture").into())
    }
}

impl Named {
    fn tensor(&self) -> Result<Tensor, Failed> {
        if self.name.ends_with("num_batches_tracked") {
            return Ok(Tensor::zeros(self.shape.as_slice(), DType::I64, &Device::Cpu)?);
        }
        let values = seeded(&self.name, &self.shape).into_iter().map(|value| value * self.scale);
        Ok(Tensor::from_vec(values.collect(), self.shape.as_slice(), &Device::Cpu)?)
    }
}

fn parse(line: &str) -> Result<Named, Failed> {
    let [name, shape, scale] = line.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("three columns expected: {line}").into());
    };
    let sizes = if shape == "scalar" { Vec::new() } else { shape.split('x').collect() };
    let shape = sizes.into_iter().map(str::parse).collect::<Result<_, _>>()?;
    Ok(Named { name: name.to_owned(), shape, scale: scale.parse()? })
}
