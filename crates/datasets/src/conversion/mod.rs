//! From archives to the tree of a prepared data set.
//!
//! [`Conversion::plan`] lists and pairs the files without reading them. The work is cut into tasks of a few images each, which may
//! run in any order, in any number of threads or processes, and more than once. [`Conversion::finish`] writes the manifest and the
//! description last, so a tree with a description is a complete one.

mod convert;
mod drawn;
mod findings;
mod in_place;
mod item;
mod lists;
mod pairing;
mod sources;
mod splits;
mod state;
mod sweep;
mod unpacked;

pub use convert::{Conversion, ConversionPlan, IMAGES_PER_TASK};
pub use drawn::{draw, is_drawn};
pub use findings::{Findings, Skipped, TaskRecords};
pub use in_place::{InPlace, write_train_ids};
pub use sources::ConversionOptions;
pub(crate) use sources::is_archive;
pub use state::is_up_to_date;
pub(crate) use unpacked::UNPACKED;
