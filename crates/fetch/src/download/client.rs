//! The connections, and who opens them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::blocking::{Client as Http, ClientBuilder, Response};
use reqwest::redirect::Policy;
use segbench_types::Progress;

use super::answer::reason;
use super::patience::Retry;
use super::transfer::{self, Download, Fetched};
use crate::{Error, in_parallel};

/// How downloads are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// When to try again.
    pub retry: Retry,
    /// Nothing may come for this long before a connection counts as dead. Default: 60 s.
    pub stall: Duration,
    /// Fetch nothing; a file that is missing is an error. Default: no.
    pub is_offline: bool,
    /// Whether connections go through a proxy. Default: as the environment says.
    pub proxy: ProxyUse,
    /// Beginnings of addresses, and what is asked in their place: mirrors of whole hosts. The longest that fits counts. Default: none.
    pub addresses: BTreeMap<String, String>,
}

impl Settings {
    /// The address to ask for what `url` names.
    pub fn address<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let fits =
            self.addresses.iter().filter_map(|(from, to)| Some((from, to, url.strip_prefix(from.as_str())?)));
        match fits.max_by_key(|(from, ..)| from.len()) {
            Some((_, to, rest)) => Cow::Owned(format!("{to}{rest}")),
            None => Cow::Borrowed(url),
        }
    }
}

/// Whether connections go through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyUse {
    /// Through the one in `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, except to the hosts in `NO_PROXY`.
    Environment,
    /// Straight to the host.
    None,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retry: Retry::default(),
            stall: Duration::from_secs(60),
            is_offline: false,
            proxy: ProxyUse::Environment,
            addresses: BTreeMap::new(),
        }
    }
}

/// Opens connections for one kind of site.
pub(crate) trait Door {
    /// The connections.
    fn http(&self) -> &Http;

    /// Whether an answer means that the site has forgotten who asks.
    fn is_lost(&self, _response: &Response) -> bool {
        false
    }

    /// Logs in again.
    fn renew(&self, _progress: &dyn Progress) -> Result<(), Error> {
        Ok(())
    }
}

/// Fetches files from sites that ask for no login.
#[derive(Debug)]
pub struct Client {
    http: Http,
    settings: Settings,
}

impl Door for Client {
    fn http(&self) -> &Http {
        &self.http
    }
}

impl Client {
    /// Sets up the connections; none is opened yet.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn new(settings: Settings) -> Result<Self, Error> {
        let http = builder(&settings, |builder| builder.redirect(safe_redirects()))?;
        Ok(Self { http, settings })
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Fetches a file, or the rest of it, unless it is there.
    ///
    /// # Errors
    /// [`Error::Offline`] if it is missing and fetching is forbidden; [`Error::Refused`], [`Error::Unreachable`],
    /// [`Error::NotTheFile`] or [`Error::WrongChecksum`] for the only address, [`Error::NoMirror`] for several;
    /// [`Error::WrongSize`] for a file that is there and is another; [`Error::NoSpace`], [`Error::Busy`], [`Error::Storage`].
    pub fn fetch(&self, download: &Download, progress: &dyn Progress) -> Result<Fetched, Error> {
        transfer::fetch(self, &self.settings, download, progress)
    }

    /// Fetches several files, `at_once` at the same time; outcomes are in the order of `downloads`.
    pub fn fetch_all(
        &self,
        downloads: &[Download],
        at_once: usize,
        progress: &dyn Progress,
    ) -> Vec<Result<Fetched, Error>> {
        in_parallel(downloads, at_once, |download| self.fetch(download, progress))
    }
}

/// Connections with what all kinds of sites have in common, and with what `adapt` adds.
pub(crate) fn builder(
    settings: &Settings,
    adapt: impl Fn(ClientBuilder) -> ClientBuilder,
) -> Result<Http, Error> {
    // Fails only if somebody in this process has chosen before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let base = || {
        let builder = Http::builder()
            .user_agent(concat!("segbench/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.stall.min(Duration::from_secs(30)))
            // This is the time for each piece that is read, not for the whole.
            .timeout(settings.stall);
        adapt(match settings.proxy {
            ProxyUse::Environment => builder,
            ProxyUse::None => builder.no_proxy(),
        })
    };
    // Without the system's certificates, addresses without TLS still work, and the others say what is missing.
    base()
        .build()
        .or_else(|_| base().tls_certs_only([]).build())
        .map_err(|err| Error::Setup { reason: reason(&err) })
}

/// Follows where servers point to, but never from an address with TLS to one without.
fn safe_redirects() -> Policy {
    Policy::custom(|attempt| {
        let was_secret = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
        if was_secret && attempt.url().scheme() != "https" {
            return attempt.error("the server points to an address without TLS");
        }
        if attempt.previous().len() > 10 {
            return attempt.error("the server points from one address to the next without end");
        }
        attempt.follow()
    })
}
