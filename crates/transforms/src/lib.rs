//! Image and label geometry: resizing by kernel name, augmentation, normalization, and the last step from logits to labels.
//!
//! Everything here is a function of its arguments: no files, no global state, and the same bytes whatever the number of threads.
//! Sizes that do not fit their buffers are mistakes of the calling code and panic; nothing here depends on what a user typed
//! except [`Kernel::parse`].

mod augment;
mod axis;
mod color;
mod error;
mod kernels;
mod logit_rows;
mod normalize;
mod photometric;
mod resize;
mod softmax;
mod upsample;
mod views;

pub use augment::Augmentation;

pub use error::Error;
pub use normalize::Normalization;

pub use resize::{Kernel, resize_image, resize_labels};
pub use upsample::upsample_argmax;
pub use views::{View, Window, label_views};
