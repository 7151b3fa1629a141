//! Data sets from their archives to the common label format, whole and broken.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod broken;
mod camvid;
mod formats;
mod support;
mod whole;
