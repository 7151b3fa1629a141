//! Safe reading of what people download: a zip file or the folder it was unpacked to, behind one [`Archive`].
//!
//! Archives come from elsewhere, so their member names are checked before anybody sees them, sizes are capped, and a member's
//! checksum is verified by every read. Nothing here unpacks to disk.

mod archive;
mod error;
mod folder;
mod name;
mod zip_file;

pub use archive::{Archive, MAX_MEMBER_BYTES, Member};
pub use error::Error;
