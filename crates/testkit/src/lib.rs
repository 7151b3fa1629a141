//! Miniature data sets in their original layouts, whole and broken, for the tests of every crate.
//!
//! A data set is a map from member names to bytes ([`Files`]), which a test changes as it likes and writes as a folder or a zip.
//! Pictures are 53x37, so that nothing works by chance on round sizes.

#![expect(clippy::expect_used, reason = "a test that cannot make its files has failed")]

mod camvid;
mod cityscapes;
mod files;
mod http;
mod mat;
mod png_file;

pub use camvid::{CAMVID_IMAGES, camvid, camvid_label_id};
pub use cityscapes::{CITYSCAPES_FRAMES, Frame, cityscapes, cityscapes_label_id};
pub use files::{Files, gzip, replace_in_file};
pub use http::{HttpReply, HttpRequest, HttpServer};
pub use mat::mat_matrix;
pub use png_file::{HEIGHT, WIDTH, grey8, grey16, packed, palette8, rgb8, rgba8, street};
