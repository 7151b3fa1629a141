//! Operations and layers, seen from outside: values, gradients, names, and independence of devices and threads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "candle's operators are compared with ours"
)]

mod activations;
mod anywhere;
mod attention;
mod candle_defects;
mod conv;
mod conv3d;
mod conv_transpose;
mod convolution;
mod fixture;
mod gradients;
mod indexing;
mod layers;
mod norms;
mod oracle;
mod pooling;
mod reference;
mod resizing;
mod sampling;
mod support;
mod unfold;
