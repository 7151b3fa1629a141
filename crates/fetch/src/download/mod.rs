//! Downloads that go on where they stopped and end in the right bytes or in an error that says why.

mod answer;
mod checksum;
mod client;
mod exchange;
mod part;
mod patience;
mod probe;
mod transfer;

pub use checksum::{Checksums, file_checksums};
pub use client::{Client, ProxyUse, Settings};
pub use patience::Retry;
pub use probe::Probe;
pub use transfer::{Download, Fetched};

pub(crate) use answer::{Failure, shown};
pub(crate) use client::{Door, builder};
pub(crate) use patience::Patience;
pub(crate) use transfer::fetch;
