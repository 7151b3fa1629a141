//! The login for a site: from the environment, a file, or the person in front of the terminal.

use std::path::PathBuf;

use segbench_datasets::LoginSite;
use segbench_fetch::{CITYSCAPES_SITE, Credentials, Error};

use crate::Project;

/// The first that is there: `CITYSCAPES_USERNAME` and `CITYSCAPES_PASSWORD`, `segbench/cityscapes.json` in the folder of settings, the
/// file that the official downloader stores, what the person in front of the terminal types.
///
/// # Errors
/// [`Error::Credentials`] for a file that others may read or that holds something else, and [`Error::Storage`].
pub fn find_login(site: LoginSite, project: &Project) -> Result<Option<Credentials>, Error> {
    let LoginSite::Cityscapes = site;
    let variable = |name: &str| std::env::var(name).ok();
    let folder = |name: &str, below_home: &str| -> Option<PathBuf> {
        let named = std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        named.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(below_home)))
    };
    let own = folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("segbench/cityscapes.json"));
    let official = folder("XDG_DATA_HOME", ".local/share")
        .map(|folder| folder.join("cityscapesscripts/credentials.json"));
    let files: Vec<PathBuf> = own.into_iter().chain(official).collect();
    let mut ask = || project.ask_login.and_then(|ask| ask(CITYSCAPES_SITE));
    Credentials::find("CITYSCAPES", variable, &files, Some(&mut ask))
}
