//! VGG-16 (Simonyan and Zisserman, ICLR 2015), <https://arxiv.org/abs/1409.1556>, without its fully connected layers.
//!
//! Thirteen 3x3 convolutions in five blocks, each block followed by a pooling. The networks on it pad, dilate and pool in their own
//! ways, and every project has its own names for the layers.

use candle_core::Tensor;
use candle_nn::VarBuilder;
use segbench_nn::layers::{Conv2d, Conv2dConfig};
use segbench_nn::ops::{self, Conv2dOptions, PoolOptions};
use segbench_nn::{Context, Result};

/// Convolutions of each block.
pub(crate) const DEPTHS: [usize; 5] = [2, 2, 3, 3, 3];

/// Channels of each block, for as many in the first. Paper: 64.
pub(crate) fn channels(base: usize) -> [usize; 5] {
    [1, 2, 4, 8, 8].map(|factor| factor * base)
}

/// What distinguishes the uses of the encoder.
pub(crate) struct Shape {
    /// Channels of the first block.
    pub(crate) base: usize,
    /// Pixels added around the image in front of the first convolution.
    pub(crate) first_padding: usize,
    /// Steps between the taps of the last block's convolutions.
    pub(crate) last_dilation: usize,
    /// How each block pools.
    pub(crate) pools: [PoolOptions; 5],
}

/// The encoder.
#[derive(Debug)]
pub(crate) struct Vgg {
    blocks: Vec<(Vec<Conv2d>, PoolOptions)>,
}

impl Vgg {
    /// An encoder for images with `inputs` channels; `name` says what the convolution of a block and a place in it, both counted
    /// from 0, is called.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub(crate) fn new(
        shape: &Shape,
        mut inputs: usize,
        name: impl Fn(usize, usize) -> String,
        vb: &VarBuilder,
    ) -> Result<Self> {
        let mut blocks = Vec::new();
        for (block, (outputs, pool)) in channels(shape.base).into_iter().zip(shape.pools).enumerate() {
            let mut convs = Vec::new();
            for place in 0..DEPTHS[block] {
                let dilation = if block == 4 { shape.last_dilation } else { 1 };
                let padding = if (block, place) == (0, 0) { shape.first_padding } else { dilation };
                let options = Conv2dOptions { dilation: [dilation; 2], ..Conv2dOptions::padded(padding) };
                let config = Conv2dConfig { options, ..Default::default() };
                convs.push(Conv2d::new(inputs, outputs, [3; 2], config, vb.pp(name(block, place)))?);
                inputs = outputs;
            }
            blocks.push((convs, pool));
        }
        Ok(Self { blocks })
    }

    /// The pooled maps of the five blocks of `x: (B, inputs, H, W)`; recorded as `backbone.0` to `backbone.4`.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if the image is too small.
    pub(crate) fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Vec<Tensor>> {
        let mut maps = Vec::with_capacity(self.blocks.len());
        let mut x = x.clone();
        for (index, (convs, pool)) in self.blocks.iter().enumerate() {
            for conv in convs {
                x = ops::relu(&conv.forward(&x, ctx)?)?;
            }
            x = ops::max_pool2d(&x, pool)?;
            ctx.record(&format!("backbone.{index}"), &x);
            maps.push(x.clone());
        }
        Ok(maps)
    }
}
