//! What a server's answer means: the file, a part of it, a failure that may pass, or one that will not.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, LAST_MODIFIED, RETRY_AFTER};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Why an attempt failed.
pub(crate) enum Failure {
    /// It may work in a while.
    Passing(Passing),
    /// The session is over: log in, then try again.
    Lost,
    /// What is there does not fit what comes, and was thrown away; try again at once.
    Restarted,
    /// It will not work at this address.
    Final(Error),
}

/// A failure that may pass.
pub(crate) struct Passing {
    pub(super) reason: String,
    /// How long the server wants to be left alone.
    pub(super) asked: Option<Duration>,
    /// Whether nobody was there.
    pub(super) is_unanswered: bool,
}

impl Passing {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), asked: None, is_unanswered: false }
    }
}

impl From<Error> for Failure {
    fn from(err: Error) -> Self {
        Self::Final(err)
    }
}

impl Failure {
    pub(crate) fn passing(reason: impl Into<String>) -> Self {
        Self::Passing(Passing::new(reason))
    }

    /// The failure that a request without answer stands for.
    pub(crate) fn of_request(url: &str, err: reqwest::Error) -> Self {
        if err.is_builder() || err.is_redirect() {
            let expected = "an address that leads to a file".to_owned();
            return Self::Final(Error::NotTheFile { url: shown(url), got: reason(&err), expected });
        }
        Self::Passing(Passing { is_unanswered: err.is_connect(), ..Passing::new(reason(&err)) })
    }

    /// The failure that a status stands for; `None` for the statuses that bring bytes.
    pub(crate) fn of_status(url: &str, response: &Response) -> Option<Self> {
        let status = response.status();
        if status.is_success() {
            return None;
        }
        let may_pass = status.is_server_error()
            || matches!(
                status,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            );
        Some(if may_pass {
            let asked = header(response.headers(), &RETRY_AFTER).and_then(|text| retry_after(&text));
            Self::Passing(Passing { asked, ..Passing::new(format!("the server answered {status}")) })
        } else {
            Self::Final(Error::Refused { url: shown(url), status: status.to_string() })
        })
    }
}

/// What tells one version of a file on a server from the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Validators {
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl Validators {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self { etag: header(headers, &ETAG), last_modified: header(headers, &LAST_MODIFIED) }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The value of `If-Range`. A weak tag says that two versions are as good as equal, which is not enough to join them.
    pub(super) fn if_range(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|etag| !etag.starts_with("W/"));
        strong.or(self.last_modified.as_deref())
    }

    /// Whether an answer says that it is about another version.
    pub(super) fn contradict(&self, other: &Self) -> bool {
        let differ = |a: &Option<String>, b: &Option<String>| matches!((a, b), (Some(a), Some(b)) if a != b);
        differ(&self.etag, &other.etag) || differ(&self.last_modified, &other.last_modified)
    }
}

/// Which bytes an answer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    /// The first byte; `None` where the server says that it has no such bytes.
    pub(super) start: Option<u64>,
    /// Bytes of the whole file.
    pub(super) total: Option<u64>,
}

impl ContentRange {
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        Self::parse(&header(headers, &CONTENT_RANGE)?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.trim().strip_prefix("bytes")?.trim().split_once('/')?;
        let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
        let start = match range.trim() {
            "*" => None,
            range => Some(range.split_once('-')?.0.trim().parse().ok()?),
        };
        Some(Self { start, total })
    }
}

/// Whether an answer is a page for people.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    header(headers, &CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/html") || kind.starts_with("application/xhtml")
    })
}

fn header(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// An address as it may be shown and stored: without user name, password and query, which may hold secrets.
pub(crate) fn shown(url: &str) -> String {
    let Ok(mut parsed) = reqwest::Url::parse(url) else {
        return "(no valid address)".into();
    };
    // Both fail only for addresses that cannot have them.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    let has_query = parsed.query().is_some();
    parsed.set_query(None);
    parsed.set_fragment(None);
    if has_query { format!("{parsed}?...") } else { parsed.to_string() }
}

/// An error of the HTTP library with its causes, without the address, which may hold secrets.
pub(crate) fn reason(err: &reqwest::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut cause: Option<&dyn StdError> = err.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if parts.last() != Some(&text) {
            parts.push(text);
        }
        cause = inner.source();
    }
    if err.is_timeout() {
        parts.insert(0, "nothing came for too long".into());
    }
    if parts.is_empty() { "the request failed".into() } else { parts.join(": ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_in_all_their_forms() {
        let range = |start, total| Some(ContentRange { start, total });
        assert_eq!(ContentRange::parse("bytes 5-9/10"), range(Some(5), Some(10)));
        assert_eq!(ContentRange::parse("bytes 5-9/*"), range(Some(5), None));
        assert_eq!(ContentRange::parse("bytes */10"), range(None, Some(10)));
        for wrong in ["", "5-9/10", "bytes 5/10", "bytes x-9/10", "bytes 5-9", "items 5-9/10"] {
            assert_eq!(ContentRange::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = SystemTime::now() + Duration::from_secs(90);
        let wait = retry_after(&httpdate::fmt_http_date(soon)).expect("a date");
        assert!((85..=90).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(retry_after("tomorrow"), None);
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        assert_eq!(shown("https://me:hidden@host/a/b.zip?token=hidden#top"), "https://host/a/b.zip?...");
        assert_eq!(shown("//hidden"), "(no valid address)");
    }

    #[test]
    fn a_weak_tag_never_joins_two_parts() {
        let weak = Validators { etag: Some("W/\"a\"".into()), last_modified: None };
        assert_eq!(weak.if_range(), None);
        let both = Validators { last_modified: Some("Sun".into()), ..weak };
        assert_eq!(both.if_range(), Some("Sun"));
    }
}
