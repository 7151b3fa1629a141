//! The download pages of Cityscapes, which ask for a login.
//!
//! The flow is that of the publisher's own downloader (`cityscapesscripts/download/downloader.py`): get a cookie from the login page,
//! post the form, take a redirect for success, then ask for packages by number. A session ends after a while, and the server cuts
//! long downloads; then logging in again and asking for the rest goes on.

use std::fmt;
use std::path::Path;

use reqwest::StatusCode;
use reqwest::blocking::{Client as Http, Response};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use segbench_types::Progress;
use serde::Deserialize;

use crate::download::{self, Door, Failure, Patience, builder, shown};
use crate::{Checksums, Credentials, Download, Error, Fetched, Settings};

/// Where the login page and the packages are.
pub const CITYSCAPES_SITE: &str = "https://www.cityscapes-dataset.com";

/// What the site asks for.
const LICENCE: &str = "Cityscapes licence: non-commercial research and teaching, no redistribution (https://www.cityscapes-dataset.com/license/)";

/// A package of Cityscapes and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CityscapesPackage {
    /// Its number on the download page.
    pub id: u32,
    /// Name of the file.
    pub file: &'static str,
    /// MD5, as others have published it; the site is asked first.
    pub md5: Option<&'static str>,
    /// SHA-1, as others have published it.
    pub sha1: Option<&'static str>,
}

const fn package(
    id: u32,
    file: &'static str,
    md5: Option<&'static str>,
    sha1: Option<&'static str>,
) -> CityscapesPackage {
    CityscapesPackage { id, file, md5, sha1 }
}

/// The packages that semantic segmentation needs.
///
/// # Source
/// Numbers: the download page. MD5: NVIDIA's `semantic-segmentation`, `PREPARE_DATASETS.md`. SHA-1: GluonCV's `prepare_cityscapes.py`.
pub const CITYSCAPES_PACKAGES: [CityscapesPackage; 4] = [
    package(
        1,
        "gtFine_trainvaltest.zip",
        Some("4237c19de34c8a376e9ba46b495d6f66"),
        Some("99f532cb1af174f5fcc4c5bc8feea8c66246ddbc"),
    ),
    package(
        2,
        "gtCoarse.zip",
        Some("1c7b95c84b1d36cc59a9194d8e5b989f"),
        Some("61f23198bfff5286e0d7e316ad5c4dbbaaf4717a"),
    ),
    package(
        3,
        "leftImg8bit_trainvaltest.zip",
        Some("0a6e97e94b616a514066c9e2adb0c97f"),
        Some("2c0b77ce9933cc635adda307fbba5566f5d9d404"),
    ),
    package(4, "leftImg8bit_trainextra.zip", Some("9167a331a158ce3e8989e166c95d56d4"), None),
];

/// A line of the site's list of packages.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedPackage {
    /// Name of the file.
    pub name: String,
    /// Its number.
    #[serde(rename = "packageID")]
    pub id: String,
    /// Its size, rounded, such as `241MB`.
    pub size: String,
}

/// A session with the site.
pub struct Cityscapes {
    http: Http,
    site: String,
    credentials: Credentials,
    settings: Settings,
}

impl fmt::Debug for Cityscapes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connections hold the session's cookie.
        f.debug_struct("Cityscapes").field("site", &self.site).finish_non_exhaustive()
    }
}

impl Door for Cityscapes {
    fn http(&self) -> &Http {
        &self.http
    }

    fn is_lost(&self, response: &Response) -> bool {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let is_page = kind.is_some_and(|kind| kind.starts_with("text/html"));
        response.status().is_redirection() || response.status().is_success() && is_page
    }

    fn renew(&self, progress: &dyn Progress) -> Result<(), Error> {
        progress.note(&format!("{}: logging in", self.site));
        self.log_in(progress)
    }
}

impl Cityscapes {
    /// A session with [`CITYSCAPES_SITE`], or with a copy of it at `site`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Setup`].
    pub fn new(site: &str, credentials: Credentials, settings: Settings) -> Result<Self, Error> {
        let http = builder(&settings, |builder| builder.cookie_store(true).redirect(Policy::none()))?;
        let site = settings.address(site).trim_end_matches('/').to_owned();
        Ok(Self { http, site, credentials, settings })
    }

    /// The error for a person who gave no login: where to register, how to give it, what else works.
    pub fn login_missing() -> Error {
        Error::LoginMissing {
            site: CITYSCAPES_SITE.to_owned(),
            help: format!(
                "register at {CITYSCAPES_SITE}/register/ and set `CITYSCAPES_USERNAME` and `CITYSCAPES_PASSWORD`, or name the zips you \
                 have with `--source`"
            ),
        }
    }

    /// Logs in. [`Cityscapes::fetch`] does it by itself when it is needed.
    ///
    /// # Errors
    /// [`Error::LoginRefused`] if user name or password are wrong, [`Error::Unreachable`], [`Error::Refused`].
    pub fn log_in(&self, progress: &dyn Progress) -> Result<(), Error> {
        let url = format!("{}/login", self.site);
        // Only the cookie matters.
        self.patiently(&url, progress, || send(&url, self.http.get(&url)).map(drop))?;
        let form = [
            ("username", self.credentials.username()),
            ("password", self.credentials.password()),
            ("submit", "Login"),
        ];
        self.patiently(&url, progress, || {
            let response = send(&url, self.http.post(&url).form(&form))?;
            if response.status() == StatusCode::FOUND {
                return Ok(());
            }
            Err(Failure::Final(Error::LoginRefused { site: self.site.clone() }))
        })
    }

    /// The packages that this account may download.
    ///
    /// # Errors
    /// As [`Cityscapes::log_in`], and [`Error::NotTheFile`].
    pub fn packages(&self, progress: &dyn Progress) -> Result<Vec<ListedPackage>, Error> {
        let url = format!("{}/downloads/?list", self.site);
        let text = self.text(&url, progress)?;
        serde_json::from_str(&text).map_err(|err| Error::NotTheFile {
            url: shown(&url),
            got: format!("no list of packages ({err})"),
            expected: "JSON".into(),
        })
    }

    /// The MD5 that the site gives for a package; `None` if it gives none.
    ///
    /// # Errors
    /// As [`Cityscapes::log_in`].
    pub fn md5(&self, id: u32, progress: &dyn Progress) -> Result<Option<String>, Error> {
        let url = format!("{}/md5-sum/?packageID={id}", self.site);
        let text = self.text(&url, progress)?;
        let word = text.split_whitespace().next().unwrap_or_default();
        let is_md5 = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(is_md5.then(|| word.to_ascii_lowercase()))
    }

    /// Fetches a package into `folder`, or the rest of it, unless it is there; logs in as often as the site forgets the session.
    ///
    /// # Errors
    /// As [`crate::Client::fetch`] and [`Cityscapes::log_in`].
    pub fn fetch(
        &self,
        package: &CityscapesPackage,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<Fetched, Error> {
        let mut download = Download {
            urls: vec![format!("{}/file-handling/?packageID={}", self.site, package.id)],
            size: None,
            checksums: Checksums::default(),
            destination: folder.join(package.file),
            licence: Some(LICENCE.to_owned()),
        };
        if !self.settings.is_offline && !download.destination.exists() {
            // What the site says today is right even if it has replaced the file since others noted its checksums.
            let listed = self.md5(package.id, progress)?;
            download.checksums = match (listed, package.md5) {
                (Some(listed), known) if known.is_none_or(|known| known != listed) => Checksums::md5(&listed),
                _ => Checksums {
                    md5: package.md5.map(str::to_owned),
                    sha1: package.sha1.map(str::to_owned),
                    ..Checksums::default()
                },
            };
        }
        download::fetch(self, &self.settings, &download, progress)
    }

    /// A short text, after a login if the site asks for it.
    fn text(&self, url: &str, progress: &dyn Progress) -> Result<String, Error> {
        let mut has_logged_in = false;
        loop {
            let answer = self.patiently(url, progress, || {
                let response = send(url, self.http.get(url))?;
                if self.is_lost(&response) {
                    return Ok(None);
                }
                let text = response.text().map_err(|err| Failure::of_request(url, err))?;
                Ok(Some(text))
            })?;
            match answer {
                Some(text) => return Ok(text),
                None if has_logged_in => return Err(Error::LoginRefused { site: self.site.clone() }),
                None => {
                    has_logged_in = true;
                    self.renew(progress)?;
                }
            }
        }
    }

    /// Repeats what may work in a while.
    fn patiently<T>(
        &self,
        url: &str,
        progress: &dyn Progress,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let mut patience = Patience::new(&self.settings.retry);
        loop {
            match attempt() {
                Ok(value) => return Ok(value),
                Err(Failure::Final(err)) => return Err(err),
                Err(Failure::Passing(passing)) => patience.wait(&shown(url), passing, progress)?,
                // Neither comes from a request for a text.
                Err(Failure::Lost | Failure::Restarted) => {
                    return Err(Error::LoginRefused { site: self.site.clone() });
                }
            }
        }
    }
}

/// Sends a request; redirects are answers here, not failures.
fn send(url: &str, request: reqwest::blocking::RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().map_err(|err| Failure::of_request(url, err))?;
    match Failure::of_status(url, &response) {
        Some(_) if response.status().is_redirection() => Ok(response),
        Some(failure) => Err(failure),
        None => Ok(response),
    }
}
