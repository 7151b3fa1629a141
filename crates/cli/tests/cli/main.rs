//! The binary as a person or a script meets it: what it prints where, how it ends, and what it leaves on disk.

#![expect(clippy::expect_used, reason = "a test that cannot make its files has failed")]

mod bench;
mod class_weights;
mod downloads;
mod errors;
mod evaluate;
mod interrupts;
mod killed_downloads;
mod parity;
mod pipeline;
mod prepare;
mod runs;
mod streams;
mod submission;
mod support;
mod tasks;
