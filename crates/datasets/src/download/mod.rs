//! From a card's addresses to `data/raw/<name>`.

mod files;
mod photos;

pub use files::{Login, download};
