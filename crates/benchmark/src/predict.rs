//! From an image to a label map under `mmseg-whole@1`.

use candle_core::{Device, Tensor};
use image::RgbImage;
use segbench_models::Segmentor;
use segbench_nn::Context;
use segbench_transforms::{Normalization, upsample_argmax};
use segbench_types::LabelMap;

use crate::Error;

/// A network ready to label images of any size.
pub struct Predictor {
    model: Box<dyn Segmentor>,
    normalization: Normalization,
    classes: usize,
    device: Device,
}

impl Predictor {
    /// Wraps a network that was loaded for `classes` classes on `device`.
    pub fn new(
        model: Box<dyn Segmentor>,
        normalization: Normalization,
        classes: usize,
        device: Device,
    ) -> Self {
        Self { model, normalization, classes, device }
    }

    /// Number of classes predicted.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The network.
    pub fn model(&self) -> &dyn Segmentor {
        self.model.as_ref()
    }

    /// The device the network is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Labels an image at its own size: logits are resized to the input size, then to the image's size, which are the same here,
    /// and the largest wins. No tensor of classes x height x width at full size is ever held.
    ///
    /// # Errors
    /// [`Error::Candle`] or [`Error::Nn`] if the network fails.
    pub fn label_map(&self, image: &RgbImage) -> Result<LabelMap, Error> {
        let (height, width) = (image.height() as usize, image.width() as usize);
        let input = normalized(image, &self.normalization, &self.device)?;
        let output = self.model.forward(&input, &Context::eval())?;
        let (_, classes, rows, columns) = output.logits.dims4()?;
        let logits = output.logits.flatten_all()?.to_vec1::<f32>()?;
        let size = (height, width);
        Ok(upsample_argmax(&logits, classes, (rows, columns), size, size, self.model.align_corners()))
    }
}

/// An image as the network's input.
///
/// # Shapes
/// (1, 3, H, W) f32.
///
/// # Errors
/// [`Error::Candle`] if the device cannot hold it.
pub fn normalized(image: &RgbImage, normalization: &Normalization, device: &Device) -> Result<Tensor, Error> {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let mut planes = vec![0.0; 3 * height * width];
    normalization.apply(image, &mut planes);
    Ok(Tensor::from_vec(planes, (1, 3, height, width), device)?)
}
