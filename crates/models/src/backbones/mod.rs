//! Encoders, and what is built like one.

pub mod bisenet;
pub mod bisenetv2;
pub mod hrnet;
pub mod mit;
pub mod resnet;
pub mod swin;
pub mod unet;
pub(crate) mod vgg;

use candle_nn::VarBuilder;
use segbench_nn::Result;
use serde::{Deserialize, Serialize};

use crate::features::{Backbone, Stage};

/// Settings of any backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Config {
    /// The paths of BiSeNet, one of them this ResNet.
    Bisenet(resnet::Config),
    /// The branches of BiSeNet V2.
    Bisenetv2(bisenetv2::Config),
    /// A network of branches of all sizes.
    Hrnet(hrnet::Config),
    /// A Mix Transformer.
    Mit(mit::Config),
    /// A residual network.
    Resnet(resnet::Config),
    /// A Swin Transformer.
    Swin(swin::Config),
    /// An encoder with a decoder that mirrors it.
    Unet(unet::Config),
}

impl Config {
    /// Everything that is wrong with the settings.
    pub fn problems(&self) -> Vec<String> {
        match self {
            Self::Bisenet(config) | Self::Resnet(config) => config.problems(),
            Self::Bisenetv2(config) => config.problems(),
            Self::Hrnet(config) => config.problems(),
            Self::Mit(config) => config.problems(),
            Self::Swin(config) => config.problems(),
            Self::Unet(config) => config.problems(),
        }
    }

    /// The maps it makes.
    pub fn stages(&self) -> Vec<Stage> {
        match self {
            Self::Bisenet(config) => bisenet::stages(config),
            Self::Bisenetv2(config) => config.stages(),
            Self::Hrnet(config) => config.stages(),
            Self::Mit(config) => config.stages(),
            Self::Resnet(config) => config.stages(),
            Self::Swin(config) => config.stages(),
            Self::Unet(config) => config.stages(),
        }
    }

    /// A parameter whose second dimension is the channels of the image.
    pub fn first_weight(&self) -> &'static str {
        match self {
            Self::Bisenet(_) => "spatial_path.layer1.conv.weight",
            Self::Bisenetv2(_) => "detail.detail_branch.0.0.conv.weight",
            Self::Hrnet(_) | Self::Resnet(resnet::Config { variant: resnet::Variant::V1, .. }) => {
                "conv1.weight"
            }
            Self::Mit(_) => "patch_embeddings.0.proj.weight",
            Self::Resnet(_) => "stem.0.weight",
            Self::Swin(_) => "patch_embed.projection.weight",
            Self::Unet(_) => "encoder.0.0.convs.0.conv.weight",
        }
    }

    /// Builds the backbone for images with `channels` channels.
    ///
    /// # Errors
    ///
    /// Whatever `vb` reports for a parameter.
    pub fn build(&self, channels: usize, vb: VarBuilder) -> Result<Box<dyn Backbone>> {
        Ok(match self {
            Self::Bisenet(config) => Box::new(bisenet::BiSeNet::new(config, channels, vb)?),
            Self::Bisenetv2(config) => Box::new(bisenetv2::BiSeNetV2::new(config, channels, vb)?),
            Self::Hrnet(config) => Box::new(hrnet::HrNet::new(config, channels, vb)?),
            Self::Mit(config) => Box::new(mit::MixTransformer::new(config, channels, vb)?),
            Self::Resnet(config) => Box::new(resnet::ResNet::new(config, channels, vb)?),
            Self::Swin(config) => Box::new(swin::Swin::new(config, channels, vb)?),
            Self::Unet(config) => Box::new(unet::UNet::new(config, channels, vb)?),
        })
    }
}
