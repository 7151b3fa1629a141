//! Miniature data sets in their original layouts, whole and broken, for the tests of every crate.
//!
//! A data set is a map from member names to bytes ([`Files`]), which a test changes as it likes and writes as a folder or a zip.
//! Pictures are 53x37, so that nothing works by chance on round sizes.

#![expect(clippy::expect_used, reason = "a test that cannot make its files has failed")]

mod ade20k;
mod apsis;
mod camvid;
mod cityscapes;
mod files;
mod fuzz;
mod http;
mod mat;
mod png_file;
mod synthia;
mod voc;

pub use ade20k::{ADE20K_FULL_CODES, ade20k, ade20k_full, ade20k_value};
pub use apsis::{ApsisLayout, apsis, apsis_is_person};
pub use camvid::{CAMVID_IMAGES, camvid, camvid_label_id, camvid_original};
pub use cityscapes::{CITYSCAPES_FRAMES, Frame, cityscapes, cityscapes_coarse, cityscapes_label_id};
pub use files::{Files, gzip, replace_in_file};
pub use fuzz::fuzz;
pub use http::{HttpReply, HttpRequest, HttpServer};
pub use mat::mat_matrix;
pub use png_file::{
    HEIGHT, WIDTH, grey_alpha16, grey8, grey16, jpeg_grey, jpeg_street, packed, palette8, rgb8, rgb16, rgba8,
    street,
};
pub use synthia::{synthia, synthia_cvpr16, synthia_id, synthia_seqs};
pub use voc::{gta5, gta5_id, voc_id, voc2012};
