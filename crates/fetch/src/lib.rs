//! Getting what people have to download, and reading it safely.
//!
//! [`Client`] fetches a [`Download`]: it goes on where an earlier attempt stopped, tries again after what may pass, and compares size
//! and checksums before the file appears under its name. [`Cityscapes`] does the same behind a login, [`fetch_checkpoint`] for
//! weights. An [`Archive`] is a file in any of the formats that data sets come in, or the folder it was unpacked to: member names are
//! checked before anybody sees them, sizes are capped, and a member's checksum is verified by every read. Members are read straight
//! from the archive; nothing needs to be unpacked to disk first.

mod archive;
mod checkpoint;
mod cityscapes;
mod credentials;
mod download;
mod error;
mod parallel;
mod record;
mod space;

pub use archive::{Archive, MAX_MEMBER_BYTES, Member, RAR_TOOLS, rar_tool};
pub use checkpoint::{Checkpoint, CheckpointSource, fetch_checkpoint};
pub use cityscapes::{CITYSCAPES_PACKAGES, CITYSCAPES_SITE, Cityscapes, CityscapesPackage, ListedPackage};
pub use credentials::{Credentials, Prompt};
pub use download::{Checksums, Client, Download, Fetched, Probe, ProxyUse, Retry, Settings, file_checksums};
pub use error::Error;
pub use parallel::in_parallel;
pub use record::SourceRecord;
