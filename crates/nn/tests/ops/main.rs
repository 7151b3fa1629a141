//! Operations and layers, seen from outside: values, gradients, names, and independence of devices and threads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod anywhere;
mod gradients;
mod layers;
mod reference;
mod support;
