//! From an image or a volume to a label map under a protocol's inference rule.

use candle_core::{Device, Tensor};
use image::RgbImage;
use segbench_models::{Input, Segmentor, volume_input};
use segbench_nn::Context;
use segbench_transforms::{Kernel, Normalization, View, Window, label_views, resize_image};
use segbench_types::{Alignment, InferenceRule, LabelMap, LogitSteps, Volume};

use crate::Error;

/// Windows that a device labels at once. On the CPU one window fills all threads. The number is fixed, because other batches may
/// round differently.
const WINDOWS_AT_ONCE: usize = 4;

/// A network ready to label images of any size.
pub struct Predictor {
    model: Box<dyn Segmentor>,
    normalization: Normalization,
    classes: usize,
    input: Input,
    device: Device,
}

impl Predictor {
    /// Wraps a network that was loaded for `classes` classes on `device` and looks at `input`.
    pub fn new(
        model: Box<dyn Segmentor>,
        normalization: Normalization,
        classes: usize,
        input: Input,
        device: Device,
    ) -> Self {
        Self { model, normalization, classes, input, device }
    }

    /// Number of classes predicted.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// What the network looks at.
    pub fn input(&self) -> Input {
        self.input
    }

    /// The network.
    pub fn model(&self) -> &dyn Segmentor {
        self.model.as_ref()
    }

    /// The device the network is on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Labels an image at its own size under the default rule: one view at native size.
    ///
    /// # Errors
    /// As [`Predictor::label_map_by`].
    pub fn label_map(&self, image: &RgbImage) -> Result<LabelMap, Error> {
        self.label_map_by(&InferenceRule::default(), image)
    }

    /// Labels an image at its own size. What is held of the logits is as large as the network gave them; no tensor of classes x height x
    /// width at full size is.
    ///
    /// # Errors
    /// [`Error::Transforms`] for a resize kernel that does not exist, [`Error::Candle`] or [`Error::Nn`] if the network fails.
    pub fn label_map_by(&self, rule: &InferenceRule, image: &RgbImage) -> Result<LabelMap, Error> {
        let kernel = Kernel::parse(&rule.image_resize)?;
        let mut views = Vec::new();
        for input in &rule.inputs {
            let (height, width) = input.of(image.height(), image.width());
            let mut resized = resize_image(image, width, height, kernel);
            if let Alignment::Stretched { .. } = rule.alignment {
                let (height, width) = rule.alignment.of((height, width));
                resized = resize_image(&resized, width, height, kernel);
            }
            views.push(self.view(rule, &resized, false)?);
            if rule.flip {
                image::imageops::flip_horizontal_in_place(&mut resized);
                views.push(self.view(rule, &resized, true)?);
            }
        }
        let size = (image.height() as usize, image.width() as usize);
        Ok(label_views(&views, self.classes, size, self.model.align_corners()))
    }

    /// What the network sees in a resized image.
    fn view(&self, rule: &InferenceRule, image: &RgbImage, is_mirrored: bool) -> Result<View, Error> {
        let input = normalized(image, &self.normalization, &self.device)?;
        let (height, width) = rule.alignment.of((image.height(), image.width()));
        let input = input.pad_with_zeros(2, 0, (height - image.height()) as usize)?.pad_with_zeros(
            3,
            0,
            (width - image.width()) as usize,
        )?;
        let whole = segbench_types::Window { size: [height, width], stride: [height, width] };
        let window = rule.window.unwrap_or(whole);
        let ((tops, rows), (lefts, columns)) = (window.along(0, height), window.along(1, width));
        let extent = (rows as usize, columns as usize);
        let places: Vec<(usize, usize)> = tops
            .iter()
            .flat_map(|&top| lefts.iter().map(move |&left| (top as usize, left as usize)))
            .collect();
        let at_once = if self.device.is_cpu() { 1 } else { WINDOWS_AT_ONCE };
        let mut windows = Vec::new();
        for places in places.chunks(at_once) {
            let cut =
                |&(top, left): &(usize, usize)| input.narrow(2, top, extent.0)?.narrow(3, left, extent.1);
            let parts: Vec<Tensor> = places.iter().map(cut).collect::<Result<_, _>>()?;
            let logits = self.model.forward(&Tensor::cat(&parts, 0)?.contiguous()?, &Context::eval())?.logits;
            let (_, _, rows, columns) = logits.dims4()?;
            for (index, &place) in places.iter().enumerate() {
                let logits = logits.get(index)?.flatten_all()?.to_vec1::<f32>()?;
                windows.push(Window { place, extent, size: (rows, columns), logits });
            }
        }
        Ok(View {
            windows,
            image: (image.height() as usize, image.width() as usize),
            is_mirrored,
            is_resized_twice: rule.steps == LogitSteps::InputThenLabel,
        })
    }

    /// Labels a volume at its own size: the slices of the map lie below each other.
    ///
    /// # Errors
    /// [`Error::Models`] or [`Error::Candle`] if the network fails.
    pub fn label_volume(&self, volume: &Volume) -> Result<LabelMap, Error> {
        let [depth, height, width] = volume.size();
        let output = self.model.forward(&volume_input(volume, &self.device)?, &Context::eval())?;
        let maps = self.model.labels(&output, (depth * height, width))?;
        maps.into_iter().next().ok_or_else(|| Error::BadResults { reason: "a pass without a volume".into() })
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
