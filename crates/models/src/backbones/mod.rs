//! Encoders that more than one network can build on.

pub mod mit;
