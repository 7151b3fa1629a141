//! Resizing 8-bit images and label maps exactly as the toolkits do.
//!
//! A published score depends on the resize kernel of the toolkit that measured it, so a kernel goes by the name of the
//! implementation that it reproduces bit for bit. They differ by more than rounding: only Pillow looks at every pixel when it makes
//! an image smaller.

mod cv2;
mod pillow;
mod torch;

use image::RgbImage;
use segbench_types::{LabelMap, nearest};

pub(crate) use self::cv2::{linear as cv2_linear, nearest as cv2_nearest};
use crate::Error;

/// Output rows that one thread resizes before it takes the next ones.
const BAND: usize = 32;
/// Values of a pixel.
const CHANNELS: usize = 3;

/// A way to resize an image, under the name of the implementation it reproduces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// OpenCV's `INTER_LINEAR` on 8-bit images, which mmsegmentation and PaddleSeg use.
    #[default]
    Cv2Linear,
    /// Pillow's `BILINEAR`, which detectron2, CSAIL's toolkit and Hugging Face's processors use: a triangle as wide as the step
    /// between target pixels, so that a smaller image is an average.
    PillowBilinear,
    /// PyTorch's `interpolate` with `mode="bilinear"` on f32, rounded to 8 bits half to even, without anti-aliasing.
    TorchBilinear,
    /// The same with `align_corners=True`.
    TorchBilinearCorners,
}

impl Kernel {
    /// All kernels, sorted by name.
    pub const ALL: &'static [Self] =
        &[Self::Cv2Linear, Self::PillowBilinear, Self::TorchBilinear, Self::TorchBilinearCorners];

    /// The name that protocols use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cv2Linear => "cv2-linear",
            Self::PillowBilinear => "pillow-bilinear",
            Self::TorchBilinear => "torch-bilinear",
            Self::TorchBilinearCorners => "torch-bilinear-corners",
        }
    }

    /// The kernel with this name.
    ///
    /// # Errors
    /// [`Error::UnknownKernel`] with the nearest name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|kernel| kernel.name() == name).ok_or_else(|| Error::UnknownKernel {
            name: name.to_owned(),
            known: Self::ALL.iter().map(|kernel| kernel.name()).collect::<Vec<_>>().join(", "),
            suggestion: nearest(name, Self::ALL.iter().map(|kernel| kernel.name())),
        })
    }
}

/// A rectangle of the resized image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Window {
    /// Everything of an image of this size.
    pub(crate) fn whole(width: u32, height: u32) -> Self {
        Self { x: 0, y: 0, width, height }
    }
}

/// The image at another size.
///
/// # Panics
/// If the image is empty and the size asked for is not.
pub fn resize_image(image: &RgbImage, width: u32, height: u32, kernel: Kernel) -> RgbImage {
    let size = (width, height);
    match kernel {
        Kernel::Cv2Linear => cv2_linear(image, size, Window::whole(width, height)),
        Kernel::PillowBilinear => pillow::bilinear(image, size),
        Kernel::TorchBilinear => torch::bilinear(image, size, false),
        Kernel::TorchBilinearCorners => torch::bilinear(image, size, true),
    }
}

/// The label map at another size: each pixel takes the label at `floor(x * source / target)`, as OpenCV's `INTER_NEAREST`.
///
/// # Panics
/// If the map is empty and the size asked for is not.
pub fn resize_labels(labels: &LabelMap, width: u32, height: u32) -> LabelMap {
    cv2_nearest(labels, (width, height), Window::whole(width, height))
}
