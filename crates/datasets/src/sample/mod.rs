//! Street scenes drawn by the program itself, for everybody who has no data set yet.
//!
//! A scene is a list of outlines with labels in painter's order, and a picture painted along with it. The label files are drawn from
//! the outlines by the rule that Cityscapes draws its own with, and everything is laid out as in the Cityscapes archives, so the
//! ordinary converter reads it. Every picture is fixed by the seed, its split and its number, whatever else is drawn.

mod annotate;
mod buildings;
mod camera;
mod car;
mod color;
mod develop;
mod furniture;
mod geometry;
mod ground;
mod heavy;
mod label;
mod layout;
mod noise;
mod painter;
mod people;
mod sidewalk;
mod solid;
mod sprite;
mod street;
#[cfg(test)]
mod tests;
mod traffic;
mod two_wheelers;
mod vegetation;
mod writer;

pub use writer::{Error, SampleOptions, write_tree, write_zips};
