//! Whether an address is there, without fetching what it leads to.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT_ENCODING, RANGE};

use super::answer::{ContentRange, is_page, reason, shown};
use super::client::{Client, Door as _};
use crate::Error;

/// What a server says about an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Status of the answer.
    pub status: u16,
    /// Bytes of the file, where the server says them.
    pub bytes: Option<u64>,
    /// Whether the answer is a page for people.
    pub is_page: bool,
}

impl Probe {
    /// Whether the status is one that brings the file.
    pub fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

impl Client {
    /// Asks once for the first byte of a file. Many hosts answer that where they refuse to answer without a body, and the rest is
    /// not waited for.
    ///
    /// # Errors
    /// [`Error::Unreachable`] if nobody answers.
    pub fn probe(&self, url: &str) -> Result<Probe, Error> {
        let url = self.settings().address(url);
        let request =
            self.http().get(url.as_ref()).header(ACCEPT_ENCODING, "identity").header(RANGE, "bytes=0-0");
        let response = request.send().map_err(|err| Error::Unreachable {
            url: shown(&url),
            attempts: 1,
            reason: reason(&err),
        })?;
        let range = ContentRange::of(response.headers());
        let bytes = match response.status() {
            StatusCode::PARTIAL_CONTENT => range.and_then(|range| range.total),
            _ => response.content_length(),
        };
        Ok(Probe { status: response.status().as_u16(), bytes, is_page: is_page(response.headers()) })
    }
}
