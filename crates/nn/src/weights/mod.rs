//! Weights: where the tensors of a network come from and where they go.
//!
//! A network asks a `VarBuilder` for named tensors and never knows what answers:
//!
//! * [`Parameters`] creates trainable values from a seed,
//! * [`Tracked`] serves a checkpoint and keeps book of what fitted,
//! * [`Seeded`] computes the values that a reference run in Python computes too,
//! * [`Inventory`] serves zeros and lists what was asked for.
//!
//! [`read_checkpoint`] and [`write_checkpoint`] move tensors between memory and disk, and a [`WeightMap`] translates the names
//! and shapes of one framework into those of another, both ways.

mod checkpoint;
mod inventory;
mod map;
mod parameters;
mod report;
mod seeded;
mod template;
mod tracked;

pub use checkpoint::{decode_checkpoint, read_checkpoint, read_metadata, write_checkpoint};
pub use inventory::Inventory;
pub use map::{Mapped, Rule, WeightMap};
pub use parameters::{Parameters, is_buffer};
pub use report::{Allowed, BATCH_COUNTERS, LoadReport, Mismatched, Missing};
pub use seeded::{Seeded, seeded};
pub use tracked::Tracked;
