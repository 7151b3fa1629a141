//! Checks of options that several losses have.

use crate::{Error, Result};

/// What is added above and below the line of a ratio, by default: it decides only where a class is absent and not predicted.
pub(crate) const SMOOTH: f64 = 1e-5;

/// # Errors
/// [`Error::Option`] for a number that is negative, infinite or none.
pub(crate) fn not_negative(loss: &'static str, name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::Option { loss, problem: format!("`{name}` is {value}, expected 0 or more") })
}

/// # Errors
/// [`Error::Option`] for a number that is not above 0 or is infinite.
pub(crate) fn positive(loss: &'static str, name: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Option { loss, problem: format!("`{name}` is {value}, expected above 0") })
}
