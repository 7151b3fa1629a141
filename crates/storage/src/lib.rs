//! Files, as every crate writes and reads them: complete or not there at all, and with errors that name the path.
//!
//! Whatever segbench writes goes to a temporary name in the same folder, is synced and renamed. A process that is killed leaves
//! either the old file or the new one, and at most a temporary file that the next run removes.

mod atomic;
mod error;
mod hash;
mod hash_cache;
mod read;
mod zarr;

pub use atomic::{
    TEMPORARY_MARK, create_dir, link_or_copy, remove_abandoned, remove_dir, remove_temporaries, rename,
    write, write_json, write_with,
};
pub use error::Error;
pub use hash::{Sha256, sha256_bytes, sha256_file};
pub use hash_cache::cached_sha256_file;
pub use read::{list_dir, read, read_json, read_to_string};
pub use zarr::{CHUNK as ZARR_CHUNK, ZarrArray, array_attributes, write_array};
