//! Getting what people have to download, and reading it safely: an archive or the folder it was unpacked to, behind one [`Archive`].
//!
//! Archives come from elsewhere, so their member names are checked before anybody sees them, sizes are capped, and a member's
//! checksum is verified by every read. Members are read straight from the archive; nothing needs to be unpacked to disk first.

mod archive;
mod error;
mod space;

pub use archive::{Archive, MAX_MEMBER_BYTES, Member, RAR_TOOLS};
pub use error::Error;
