//! Data sets from their archives to the common label format, whole and broken.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod ade20k;
mod apsis;
mod archives;
mod audit;
mod broken;
mod camvid;
mod cityscapes;
mod described;
mod formats;
mod in_place;
mod palettes;
mod support;
mod synthia;
mod volumes;
mod whole;
