//! Everything that people download data sets as, behind one [`Archive`]: folders, zip, tar, tar.gz and rar.

mod folder;
mod format;
mod name;
mod rar;
mod reading;
mod rules;
mod stream;
mod tar_file;
mod tool;
mod zip_file;

pub use reading::{Archive, MAX_MEMBER_BYTES, Member};
pub use tool::{RAR_TOOLS, rar_tool};
