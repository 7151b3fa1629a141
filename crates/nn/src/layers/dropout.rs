//! Dropout as layers: the identity in a pass that predicts.

use candle_core::Tensor;

use crate::{Context, Result, ops};

/// Drops elements; see [`ops::dropout`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout(f32);

/// Drops channels; see [`ops::dropout2d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout2d(f32);

/// Drops samples; see [`ops::drop_path`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropPath(f32);

macro_rules! dropout_layer {
    ($layer:ident, $operation:path) => {
        impl $layer {
            /// Drops with the given probability, in 0..1.
            pub fn new(probability: f32) -> Self {
                Self(probability)
            }

            /// Applies the layer.
            ///
            /// # Errors
            ///
            /// [`crate::Error::Shape`] if the probability is outside `0..1` or `x` has too few dimensions.
            pub fn forward(&self, x: &Tensor, ctx: &Context) -> Result<Tensor> {
                $operation(x, self.0, ctx)
            }
        }
    };
}

dropout_layer!(Dropout, ops::dropout);
dropout_layer!(Dropout2d, ops::dropout2d);
dropout_layer!(DropPath, ops::drop_path);
