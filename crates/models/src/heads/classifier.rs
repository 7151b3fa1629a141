//! The last layer of mmsegmentation's heads.

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};
use segbench_nn::layers::{Conv2d, Conv2dConfig, Dropout2d};
use segbench_nn::{Context, Result};

/// Dropout of whole channels and a 1x1 convolution to the classes; parameters `conv_seg.*` of the head.
///
/// # Source
///
/// mmsegmentation 1.2.2 `models/decode_heads/decode_head.py BaseDecodeHead.cls_seg`.
#[derive(Debug)]
pub struct Classifier {
    dropout: Dropout2d,
    conv: Conv2d,
}

impl Classifier {
    /// A classifier of maps with `channels` channels; `vb` is the head's.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn new(channels: usize, classes: usize, dropout: f32, vb: VarBuilder) -> Result<Self> {
        let init = Init::Randn { mean: 0.0, stdev: 0.01 };
        let config = Conv2dConfig { init: Some(init), ..Conv2dConfig::default() };
        Ok(Self {
            dropout: Dropout2d::new(dropout),
            conv: Conv2d::new(channels, classes, [1; 2], config, vb.pp("conv_seg"))?,
        })
    }

    /// The scores `(B, classes, H, W)` of `x: (B, channels, H, W)`.
    ///
    /// # Errors
    ///
    /// [`segbench_nn::Error::Shape`] if `x` has other channels.
    pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
        self.conv.forward(&self.dropout.forward(x, ctx)?, ctx)
    }
}

/// What is wrong with the channels and the dropout that every head has.
pub(crate) fn problems(channels: usize, drop_rate: f32) -> Vec<String> {
    let mut problems = Vec::new();
    if channels == 0 {
        problems.push("channels is 0".into());
    }
    if !(0.0..1.0).contains(&drop_rate) {
        problems.push(format!("drop_rate {drop_rate} is not in 0..1"));
    }
    problems
}
