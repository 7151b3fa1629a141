//! User name and password for a site, from the environment, a file or the person in front of the terminal.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;

/// A user name and a password. Neither shows up in what is printed for debugging.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    username: String,
    password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Asks the person in front of the terminal; `None` if there is nobody.
pub type Prompt<'a> = &'a mut dyn FnMut() -> Option<Credentials>;

impl Credentials {
    /// The two words.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: password.into() }
    }

    /// The first that is there: the variables `<prefix>_USERNAME` and `<prefix>_PASSWORD`, the first of `files` that exists, what
    /// `prompt` returns.
    ///
    /// # Errors
    /// [`Error::Credentials`] for a file that others may read or that holds something else, and [`Error::Storage`].
    pub fn find(
        prefix: &str,
        variable: impl Fn(&str) -> Option<String>,
        files: &[PathBuf],
        prompt: Option<Prompt<'_>>,
    ) -> Result<Option<Self>, Error> {
        let given = |name: &str| variable(&format!("{prefix}_{name}")).filter(|value| !value.is_empty());
        if let (Some(username), Some(password)) = (given("USERNAME"), given("PASSWORD")) {
            return Ok(Some(Self { username, password }));
        }
        if let Some(file) = files.iter().find(|file| file.exists()) {
            return Self::read(file).map(Some);
        }
        Ok(prompt.and_then(|prompt| prompt()))
    }

    /// Reads a JSON file with `username` and `password`, such as the one the official downloader of Cityscapes stores.
    ///
    /// # Errors
    /// As [`Credentials::find`].
    pub fn read(file: &Path) -> Result<Self, Error> {
        let unusable = |reason| Error::Credentials { file: file.to_owned(), reason };
        if is_open_to_others(file) {
            return Err(unusable("other users of this machine may read it"));
        }
        let text = segbench_storage::read_to_string(file)?;
        // The error of the JSON reader could quote the password.
        serde_json::from_str(&text).map_err(|_| unusable("it is no JSON with `username` and `password`"))
    }

    pub(crate) fn username(&self) -> &str {
        &self.username
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

#[cfg(unix)]
fn is_open_to_others(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_file: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_comes_before_the_prompt_and_needs_both_words() {
        let variable = |name: &str| match name {
            "SITE_USERNAME" => Some("me".to_owned()),
            "SITE_PASSWORD" => Some("secret".to_owned()),
            _ => None,
        };
        let mut ask = || Some(Credentials::new("asked", "asked"));
        let found = Credentials::find("SITE", variable, &[], Some(&mut ask)).expect("no file is read");
        assert_eq!(found, Some(Credentials::new("me", "secret")));
        let half = |name: &str| variable(name).filter(|_| name.ends_with("USERNAME"));
        let found = Credentials::find("SITE", half, &[], Some(&mut ask)).expect("no file is read");
        assert_eq!(found, Some(Credentials::new("asked", "asked")));
        assert_eq!(Credentials::find("SITE", half, &[], None).expect("no file is read"), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_used_only_if_nobody_else_can_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("credentials.json");
        std::fs::write(&file, r#"{"username": "me", "password": "secret"}"#).expect("written");
        let set = |mode| {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("changed");
        };
        set(0o644);
        assert!(matches!(Credentials::read(&file), Err(Error::Credentials { .. })));
        set(0o600);
        assert_eq!(Credentials::read(&file).expect("read"), Credentials::new("me", "secret"));
        std::fs::write(&file, "password: secret").expect("written");
        let err = Credentials::read(&file).expect_err("no JSON");
        assert!(!format!("{err} {err:?}").contains("secret"), "{err:?}");
    }

    #[test]
    fn nothing_printed_for_debugging_holds_the_words() {
        let text = format!("{:?}", Credentials::new("somebody", "secret"));
        assert!(!text.contains("somebody") && !text.contains("secret"), "{text}");
    }
}
