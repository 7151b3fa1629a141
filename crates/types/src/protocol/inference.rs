//! How an image becomes a label map of its own size: what every toolkit decides and few papers say.

use serde::{Deserialize, Serialize};

/// How an image becomes a prediction of the same size.
///
/// The image is resized to every entry of `inputs`, normalized and cut into windows; the logits of the windows are resized to the
/// input and averaged where windows overlap, then resized to the label map. With several views the softmax of each is added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceRule {
    /// Kernel by name that resizes the 8-bit image to the network's input size.
    pub image_resize: String,
    /// How the logits reach the size of the label map.
    pub logit_resize: String,
    /// The sizes that the network sees; a view each.
    #[serde(default = "native")]
    pub inputs: Vec<InputSize>,
    /// How sides become what the network divides.
    #[serde(default)]
    pub alignment: Alignment,
    /// The windows that the input is cut into; `None` for the whole input at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Whether every view is also seen in a mirror.
    #[serde(default)]
    pub flip: bool,
    /// Whether logits are resized to the size of the input first.
    #[serde(default)]
    pub steps: LogitSteps,
}

/// The size to which an image is resized for the network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputSize {
    /// That of the image.
    Native,
    /// A multiple of that of the image.
    ///
    /// # Source
    /// mmcv 2.1, `Resize` with `scale_factor` and `keep_ratio`: sides are rounded, and the image is then fitted into them.
    Scaled {
        /// By how much.
        factor: f64,
    },
    /// As large as fits both sides.
    ///
    /// # Source
    /// mmcv 2.1, `rescale_size`: sides are rounded half up.
    Within {
        /// Longest long side in pixels.
        long: u32,
        /// Longest short side in pixels.
        short: u32,
    },
    /// The short side of this length, unless the long one becomes too long.
    ///
    /// # Source
    /// detectron2, `ResizeShortestEdge.get_output_shape`: sides are rounded half up.
    ShortestEdge {
        /// Short side in pixels.
        short: u32,
        /// Longest long side in pixels.
        longest: u32,
    },
    /// The same with sides cut to whole pixels and then rounded up to a multiple.
    ///
    /// # Source
    /// CSAILVision/semantic-segmentation-pytorch, `ValDataset`.
    ShortestEdgeOfMultiples {
        /// Short side in pixels.
        short: u32,
        /// Longest long side in pixels.
        longest: u32,
        /// What both sides are multiples of.
        multiple: u32,
    },
    /// This size, whatever the shape of the image.
    Exactly {
        /// Height in pixels.
        height: u32,
        /// Width in pixels.
        width: u32,
    },
}

/// How the sides of a resized image become what the network divides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alignment {
    /// They stay as they are.
    #[default]
    Free,
    /// The resized image is resized again, to the next multiple.
    Stretched {
        /// What both sides are multiples of.
        multiple: u32,
    },
    /// Zeros stand to the right of and below the normalized image; their logits are cut off.
    Padded {
        /// What both sides are multiples of.
        multiple: u32,
    },
}

/// Overlapping windows of one size.
///
/// # Source
/// mmsegmentation 1.2.2, `EncoderDecoder.slide_inference`: the last window of a row or column is moved back inside, logits are added
/// and divided by how many windows saw a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Height and width.
    pub size: [u32; 2],
    /// Rows and columns from one window to the next.
    pub stride: [u32; 2],
}

/// On which way logits reach the label map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogitSteps {
    /// To the size of the input, then to that of the label map.
    #[default]
    InputThenLabel,
    /// To the size of the label map at once.
    Label,
}

impl InferenceRule {
    /// Number of label maps' worth of scores that are added up.
    pub fn views(&self) -> usize {
        self.inputs.len() * if self.flip { 2 } else { 1 }
    }

    /// What the rule says, part by part: what it is about, and what it is.
    pub fn parts(&self) -> Vec<(&'static str, String)> {
        let sizes: Vec<String> = self.inputs.iter().map(InputSize::describe).collect();
        let window = match self.window {
            None => "the whole input at once".to_owned(),
            Some(Window { size, stride }) => format!(
                "windows of {}x{} every {}x{}, their logits averaged",
                size[0], size[1], stride[0], stride[1]
            ),
        };
        let views = match self.views() {
            1 => "one".to_owned(),
            views => format!(
                "{views}{}; the softmax of all is averaged",
                if self.flip { ", half of them in a mirror" } else { "" }
            ),
        };
        vec![
            ("Image to input", format!("{}, {}", sizes.join(" / "), self.image_resize)),
            ("Alignment", self.alignment.describe()),
            ("Windows", window),
            ("Views", views),
            ("Logits to labels", self.logit_resize.clone()),
        ]
    }
}

impl InputSize {
    /// Height and width at which the network sees an image of this height and width.
    pub fn of(&self, height: u32, width: u32) -> (u32, u32) {
        let (h, w) = (f64::from(height), f64::from(width));
        let (long, short) = (h.max(w), h.min(w));
        // All sources round half up, by adding a half and cutting the rest off.
        let scaled = |factor: f64| ((h * factor + 0.5) as u32, (w * factor + 0.5) as u32);
        let within = |most: (u32, u32)| {
            let (most_long, most_short) = (most.0.max(most.1), most.0.min(most.1));
            scaled((f64::from(most_long) / long).min(f64::from(most_short) / short))
        };
        let (height, width) = match *self {
            Self::Native => (height, width),
            Self::Scaled { factor } => within(scaled(factor)),
            Self::Within { long, short } => within((long, short)),
            Self::ShortestEdge { short: edge, longest } => {
                let factor = f64::from(edge) / short;
                let (mut new_h, mut new_w) = if height < width {
                    (f64::from(edge), factor * w)
                } else {
                    (factor * h, f64::from(edge))
                };
                if new_h.max(new_w) > f64::from(longest) {
                    let factor = f64::from(longest) / new_h.max(new_w);
                    (new_h, new_w) = (new_h * factor, new_w * factor);
                }
                ((new_h + 0.5) as u32, (new_w + 0.5) as u32)
            }
            Self::ShortestEdgeOfMultiples { short: edge, longest, multiple } => {
                let factor = (f64::from(edge) / short).min(f64::from(longest) / long);
                let up = |side: f64| ((side * factor) as u32).next_multiple_of(multiple);
                (up(h), up(w))
            }
            Self::Exactly { height, width } => (height, width),
        };
        (height.max(1), width.max(1))
    }

    fn describe(&self) -> String {
        match self {
            Self::Native => "native size".into(),
            Self::Scaled { factor } => format!("{factor}x"),
            Self::Within { long, short } => format!("within {long}x{short}"),
            Self::ShortestEdge { short, longest } => format!("short side {short}, at most {longest}"),
            Self::ShortestEdgeOfMultiples { short, longest, multiple } => {
                format!("short side {short}, at most {longest}, multiples of {multiple}")
            }
            Self::Exactly { height, width } => format!("{height}x{width} whatever the shape"),
        }
    }
}

impl Alignment {
    /// Height and width of the network's input for a resized image of this height and width.
    pub fn of(self, (height, width): (u32, u32)) -> (u32, u32) {
        match self {
            Self::Free => (height, width),
            Self::Stretched { multiple } | Self::Padded { multiple } => {
                (height.next_multiple_of(multiple), width.next_multiple_of(multiple))
            }
        }
    }

    fn describe(self) -> String {
        match self {
            Self::Free => "none".into(),
            Self::Stretched { multiple } => format!("resized again to multiples of {multiple}"),
            Self::Padded { multiple } => format!("padded with zeros to multiples of {multiple}"),
        }
    }
}

impl Window {
    /// First positions and length of the windows along a side: the axis is 0 for rows, 1 for columns.
    pub fn along(&self, axis: usize, side: u32) -> (Vec<u32>, u32) {
        let (size, stride) = (self.size[axis].max(1), self.stride[axis].max(1));
        let length = size.min(side);
        let count = (side.saturating_sub(size)).div_ceil(stride) + 1;
        ((0..count).map(|index| (index * stride).min(side - length)).collect(), length)
    }
}

fn native() -> Vec<InputSize> {
    vec![InputSize::Native]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_that_the_toolkits_compute() {
        // mmcv.rescale_size((683, 512), (2048, 512)), ((500, 375), ...), ((375, 500), ...), as (w, h).
        let ade = InputSize::Within { long: 2048, short: 512 };
        assert_eq!(
            [ade.of(512, 683), ade.of(375, 500), ade.of(500, 375)],
            [(512, 683), (512, 683), (683, 512)]
        );
        // Twice as long as 2048 allows: 100 x 900 becomes 228 x 2048.
        assert_eq!(ade.of(100, 900), (228, 2048));
        // mmcv's Resize(scale_factor=0.75, keep_ratio=True) of 37 x 53: 28 x 40 by rounding, fitted by min(40/53, 28/37).
        assert_eq!(InputSize::Scaled { factor: 0.75 }.of(37, 53), (28, 40));
        // 0.5 of 37 x 53: (19, 27) by rounding, the factor is 27/53, and 37 * 27/53 + 0.5 = 19.3.
        assert_eq!(InputSize::Scaled { factor: 0.5 }.of(37, 53), (19, 27));
        // detectron2: ResizeShortestEdge.get_output_shape(375, 500, 512, 2048), (100, 900, ...)
        let edge = InputSize::ShortestEdge { short: 512, longest: 2048 };
        assert_eq!([edge.of(375, 500), edge.of(100, 900)], [(512, 683), (228, 2048)]);
        // CSAIL: 512 x 683 at 375: factor 0.732, 375 x 500 (500.2 cut), rounded up to 376 x 504.
        let csail = InputSize::ShortestEdgeOfMultiples { short: 375, longest: 1000, multiple: 8 };
        assert_eq!(csail.of(512, 683), (376, 504));
        assert_eq!(Alignment::Padded { multiple: 32 }.of((512, 683)), (512, 704));
        assert_eq!(Alignment::Stretched { multiple: 32 }.of((513, 640)), (544, 640));
    }

    #[test]
    fn the_last_window_is_moved_back_inside_and_a_small_image_has_one() {
        let window = Window { size: [1024, 1024], stride: [768, 768] };
        assert_eq!(window.along(1, 2048), (vec![0, 768, 1024], 1024));
        assert_eq!(window.along(0, 1024), (vec![0], 1024));
        assert_eq!(window.along(0, 700), (vec![0], 700));
        assert_eq!(window.along(1, 1793), (vec![0, 768, 769], 1024));
    }
}
