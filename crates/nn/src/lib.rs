//! Differentiable layers, devices and weight files on candle.
//!
//! [`ops`] are functions on tensors whose gradients are right in every size, [`layers`] put parameters around them, and a
//! [`Context`] travels through a forward pass: it says whether the network trains, counts its multiply-adds, feeds dropout
//! with seeded random numbers and records tensors for comparison with a reference. [`cpu`] is what fused functions on the CPU are
//! made of, here and in the losses.

mod context;
pub mod cpu;
pub mod device;
mod error;
pub mod layers;
pub mod ops;
pub mod weights;

pub use context::Context;
pub use error::{Error, Result};
