//! HRNet (Sun et al., 2019), <https://arxiv.org/abs/1904.04514>: branches of four sizes that run side by side and exchange what they
//! see.
//!
//! Reference: mmsegmentation 1.2.2 `models/backbones/hrnet.py`, whose tensor names it has. Differences from the reference: none.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{BatchNorm, Conv2d};
use segbench_nn::{Context, Result, ops};
use serde::{Deserialize, Serialize};

use super::resnet::{Block, BlockShape};
use crate::blocks::{Window, batch_norm, resize_like, size};
use crate::card::Reference;
use crate::features::{Backbone, Stage};

/// Channels behind the two convolutions of the stem.
const STEM: usize = 64;
const BRANCHES: usize = 4;

/// What the cards of networks on it refer to.
pub(crate) const REFERENCE: Reference = Reference::mmsegmentation("models/backbones/hrnet.py HRNet");

/// Settings of an HRNet; the default is HRNetV2-W18.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Channels of the largest map; each smaller one has twice as many. Paper: 18, 32, 40 or 48.
    pub width: usize,
    /// Channels inside the blocks of the first stage. Paper: 64.
    pub first_channels: usize,
    /// Blocks of each branch between two exchanges, and of the first stage. Paper: 4; mmsegmentation's W18-small: 2.
    pub num_blocks: usize,
    /// Exchanges in the stages with two, three and four branches. Paper: 1, 4, 3; mmsegmentation's W18-small: 1, 3, 2.
    pub num_modules: [usize; 3],
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 18, first_channels: 64, num_blocks: 4, num_modules: [1, 4, 3] }
    }
}

impl Config {
    /// W18 with half the blocks.
    pub fn small() -> Self {
        Self { num_blocks: 2, num_modules: [1, 3, 2], ..Self::default() }
    }

    /// W48.
    pub fn wide() -> Self {
        Self { width: 48, ..Self::default() }
    }

    /// Below 200,000 parameters, for tests.
    pub fn tiny() -> Self {
        Self { width: 4, first_channels: 8, num_blocks: 1, num_modules: [1, 2, 1] }
    }

    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.width * self.first_channels * self.num_blocks == 0 || self.num_modules.contains(&0) {
            problems.push(format!("{self:?} contains 0"));
        }
        problems
    }

    /// The maps of the four branches.
    pub fn stages(&self) -> Vec<Stage> {
        (0..BRANCHES).map(|branch| Stage { channels: self.channels(branch), stride: 4 << branch }).collect()
    }

    /// The sum of the channels of all maps.
    pub fn total_channels(&self) -> usize {
        (0..BRANCHES).map(|branch| self.channels(branch)).sum()
    }

    fn channels(&self, branch: usize) -> usize {
        self.width << branch
    }
}

/// The backbone.
#[derive(Debug)]
pub struct HrNet {
    stem: [Unit; 2],
    first: Vec<Block>,
    /// With two, three and four branches.
    parts: Vec<Part>,
    stages: Vec<Stage>,
}

impl HrNet {
    /// A backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(config: &Config, channels: usize, vb: VarBuilder) -> Result<Self> {
        let stem = |inputs, number: usize| {
            let window = Window::new(3).stride(2);
            Ok::<_, segbench_nn::Error>(Unit {
                conv: window.conv(inputs, STEM, 1, vb.pp(format!("conv{number}")))?,
                norm: batch_norm(STEM, vb.pp(format!("bn{number}")))?,
                has_relu: true,
            })
        };
        let inner = config.first_channels;
        let outputs = 4 * inner;
        let first = blocks(STEM, inner, outputs, config.num_blocks, vb.pp("layer1"));
        let parts = (0..config.num_modules.len()).map(|index| Part::new(config, index, outputs, &vb));
        Ok(Self {
            stem: [stem(channels, 1)?, stem(STEM, 2)?],
            first: first?,
            parts: parts.collect::<Result<_>>()?,
            stages: config.stages(),
        })
    }
}

impl Backbone for HrNet {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let mut x = x.clone();
        for unit in &self.stem {
            x = unit.forward(&x, ctx)?;
        }
        for block in &self.first {
            x = block.forward(&x, ctx)?;
        }
        let mut maps = vec![x];
        for part in &self.parts {
            maps = part.forward(&maps, ctx)?;
        }
        Ok(maps)
    }
}

fn blocks(
    inputs: usize,
    channels: usize,
    outputs: usize,
    count: usize,
    vb: VarBuilder,
) -> Result<Vec<Block>> {
    let block = |place: usize| {
        let inputs = if place == 0 { inputs } else { outputs };
        let shape = BlockShape { inputs, channels, outputs, stride: 1, dilation: 1, pools: false };
        Block::new(&shape, place == 0, vb.pp(place.to_string()))
    };
    (0..count).map(block).collect()
}

/// A convolution and BatchNorm, perhaps with ReLU; parameters `0.*` and `1.*`.
#[derive(Debug)]
struct Unit {
    conv: Conv2d,
    norm: BatchNorm,
    has_relu: bool,
}

impl Unit {
    fn new(inputs: usize, outputs: usize, window: Window, has_relu: bool, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            conv: window.conv(inputs, outputs, 1, vb.pp("0"))?,
            norm: batch_norm(outputs, vb.pp("1"))?,
            has_relu,
        })
    }

    fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        let x = self.norm.forward(&self.conv.forward(x, ctx)?, ctx)?;
        if self.has_relu { ops::relu(&x) } else { Ok(x) }
    }
}

/// The modules with the same number of branches, and the convolutions that open the branches.
#[derive(Debug)]
struct Part {
    /// For each branch what makes its map of the previous maps; None where the map just goes on.
    transitions: Vec<Option<Unit>>,
    modules: Vec<Module>,
}

impl Part {
    fn new(config: &Config, index: usize, first: usize, vb: &VarBuilder) -> Result<Self> {
        let count = index + 2;
        let open = |branch: usize| {
            let vb = vb.pp(format!("transition{}.{branch}", index + 1));
            let outputs = config.channels(branch);
            let previous = if index == 0 { first } else { config.channels(count - 2) };
            Ok(if branch + 1 == count {
                Some(Unit::new(previous, outputs, Window::new(3).stride(2), true, vb.pp("0"))?)
            } else if index == 0 && first != outputs {
                Some(Unit::new(previous, outputs, Window::new(3), true, vb)?)
            } else {
                None
            })
        };
        let modules = (0..config.num_modules[index])
            .map(|module| Module::new(config, count, vb.pp(format!("stage{count}.{module}"))));
        Ok(Self {
            transitions: (0..count).map(open).collect::<Result<_>>()?,
            modules: modules.collect::<Result<_>>()?,
        })
    }

    fn forward(&self, previous: &[Tensor], ctx: &Context) -> Result<Vec<Tensor>> {
        let last = &previous[previous.len() - 1];
        let open = |(branch, unit): (usize, &Option<Unit>)| match unit {
            Some(unit) => unit.forward(last, ctx),
            None => Ok(previous[branch].clone()),
        };
        let mut maps = self.transitions.iter().enumerate().map(open).collect::<Result<Vec<_>>>()?;
        for module in &self.modules {
            maps = module.forward(&maps, ctx)?;
        }
        Ok(maps)
    }
}

/// Blocks on every branch, and the exchange behind them.
#[derive(Debug)]
struct Module {
    branches: Vec<Vec<Block>>,
    /// For each branch how every other one becomes a summand: `exchanges[to][from]`, empty where they are the same.
    exchanges: Vec<Vec<Vec<Unit>>>,
}

impl Module {
    fn new(config: &Config, count: usize, vb: VarBuilder) -> Result<Self> {
        let branch = |index: usize| {
            let channels = config.channels(index);
            blocks(channels, channels, channels, config.num_blocks, vb.pp(format!("branches.{index}")))
        };
        let exchange = |to: usize, from: usize| {
            let vb = vb.pp(format!("fuse_layers.{to}.{from}"));
            let (inputs, outputs) = (config.channels(from), config.channels(to));
            if from > to {
                return Ok(vec![Unit::new(inputs, outputs, Window::new(1), false, vb)?]);
            }
            let halvings = to - from;
            let halve = |step: usize| {
                let last = step + 1 == halvings;
                let outputs = if last { outputs } else { inputs };
                Unit::new(inputs, outputs, Window::new(3).stride(2), !last, vb.pp(step.to_string()))
            };
            (0..halvings).map(halve).collect()
        };
        let exchanges = (0..count).map(|to| (0..count).map(|from| exchange(to, from)).collect());
        Ok(Self {
            branches: (0..count).map(branch).collect::<Result<_>>()?,
            exchanges: exchanges.collect::<Result<_>>()?,
        })
    }

    fn forward(&self, maps: &[Tensor], ctx: &Context) -> Result<Vec<Tensor>> {
        let run = |(blocks, x): (&Vec<Block>, &Tensor)| {
            blocks.iter().try_fold(x.clone(), |x, block| block.forward(&x, ctx))
        };
        let maps = self.branches.iter().zip(maps).map(run).collect::<Result<Vec<_>>>()?;
        let fuse = |(to, sources): (usize, &Vec<Vec<Unit>>)| {
            let mut sum: Option<Tensor> = None;
            for (from, units) in sources.iter().enumerate() {
                let mut x = units.iter().try_fold(maps[from].clone(), |x, unit| unit.forward(&x, ctx))?;
                if from > to {
                    // In two steps, as the reference: odd sizes make a difference.
                    let [height, width] = size(&x)?.map(|side| side << (from - to));
                    x = resize_like(&ops::resize_bilinear(&x, height, width, false)?, &maps[to], false)?;
                }
                sum = Some(match sum {
                    Some(sum) => (sum + x)?,
                    None => x,
                });
            }
            ops::relu(&sum.unwrap_or_else(|| maps[to].clone()))
        };
        self.exchanges.iter().enumerate().map(fuse).collect()
    }
}
