//! Everything that talks to a server: a real one on this machine, written for these tests.
#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

mod checkpoint;
mod cityscapes;
mod contents;
mod download;
mod interruption;
mod support;
