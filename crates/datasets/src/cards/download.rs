//! The part of a description that says where files are fetched from.

use std::collections::{BTreeMap, BTreeSet};

use segbench_fetch::{CITYSCAPES_PACKAGES, Checksums};
use serde::{Deserialize, Serialize};

/// What `prepare` fetches into `data/raw/<name>` where nothing else lies there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Download {
    /// The site whose login the files need.
    #[serde(default)]
    pub login: Option<LoginSite>,
    /// The files, most of them archives.
    pub files: Vec<RemoteFile>,
    /// Files fetched at the same time. Default: 1.
    #[serde(default = "one")]
    pub at_once: usize,
    /// Photos that a list in one of the files gives the addresses of.
    #[serde(default)]
    pub photos: Option<PhotoList>,
}

fn one() -> usize {
    1
}

/// A site with a login of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginSite {
    /// <https://www.cityscapes-dataset.com>
    Cityscapes,
}

/// A file to fetch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    /// Its name in `data/raw/<name>`.
    pub file: String,
    /// Its addresses: the publisher's first, then mirrors.
    #[serde(default)]
    pub urls: Vec<String>,
    /// Number of the package, behind the login of Cityscapes.
    #[serde(default)]
    pub package: Option<u32>,
    /// Its size in words, such as `11 GB`.
    #[serde(default)]
    pub about: String,
    /// Its size in bytes, where the publisher gives it.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its published MD5.
    #[serde(default)]
    pub md5: Option<String>,
    /// Its published SHA-1.
    #[serde(default)]
    pub sha1: Option<String>,
    /// Its SHA-256.
    #[serde(default)]
    pub sha256: Option<String>,
    /// A table of lines `sha256  member`, for an archive that its host packs anew now and then; it lies beside the description.
    #[serde(default)]
    pub contents: Option<String>,
    /// The splits that need it. Default: all.
    #[serde(default)]
    pub splits: Vec<String>,
    /// Whether the data set can be converted without it. Default: no.
    #[serde(default)]
    pub optional: bool,
    /// Data sets that have the same file in their folders.
    #[serde(default)]
    pub also_in: Vec<String>,
    /// What the table says.
    #[serde(skip)]
    pub(crate) members: BTreeMap<String, String>,
}

/// Photos by their addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhotoList {
    /// End of the list's path. Its lines are a file name and an address, or a word that is none.
    pub list: String,
    /// Folder in `data/raw/<name>` for the photos.
    pub folder: String,
    /// Beginnings of addresses that have moved; a `*` is any text without a slash. The new address is tried first.
    #[serde(default)]
    pub moved: Vec<Moved>,
    /// Files up to this many bytes are pictures that say "not available".
    #[serde(default)]
    pub placeholder_bytes: u64,
}

/// A beginning of addresses that has moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// As it stands in the list.
    pub from: String,
    /// Where it leads now.
    pub to: String,
}

impl RemoteFile {
    /// Everything that is published of its bytes.
    pub fn checksums(&self) -> Checksums {
        Checksums {
            md5: self.md5.clone(),
            sha1: self.sha1.clone(),
            sha256: self.sha256.clone(),
            members: self.members.clone(),
        }
    }
}

impl Moved {
    /// The new address; `None` for one that has not moved.
    pub(crate) fn apply(&self, url: &str) -> Option<String> {
        let Some((before, after)) = self.from.split_once('*') else {
            return Some(format!("{}{}", self.to, url.strip_prefix(self.from.as_str())?));
        };
        let rest = url.strip_prefix(before)?;
        let end = rest.find(after)?;
        let is_one_name = !rest[..end].contains('/');
        is_one_name.then(|| format!("{}{}", self.to, &rest[end + after.len()..]))
    }
}

/// What is wrong with it, with the place of each problem below `download`. `splits` are the names of the data set's splits.
pub(super) fn problems(download: &Download, splits: &BTreeSet<&str>) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let is_plain = |name: &str| {
        let is_good = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        !name.is_empty() && !name.starts_with('.') && name.chars().all(is_good)
    };
    let mut names = BTreeSet::new();
    for (index, file) in download.files.iter().enumerate() {
        let mut problem = |reason: String| problems.push((format!("download.files[{index}]"), reason));
        if !is_plain(&file.file) {
            problem(format!("`{}` is no plain name of a file", file.file));
        }
        if !names.insert(&file.file) {
            problem(format!("`{}` stands there twice", file.file));
        }
        match (file.package, file.urls.is_empty()) {
            (None, true) => problem("it has no address".into()),
            (Some(_), false) => problem("`package` and `urls` exclude each other".into()),
            (Some(package), true) => {
                if download.login.is_none() {
                    problem("`package` needs a `login`".into());
                }
                if CITYSCAPES_PACKAGES.iter().all(|known| known.id != package) {
                    problem(format!("there is no package {package}"));
                }
            }
            (None, false) => {}
        }
        for (algorithm, hash, digits) in
            [("md5", &file.md5, 32), ("sha1", &file.sha1, 40), ("sha256", &file.sha256, 64)]
        {
            let is_hex =
                |hash: &String| hash.len() == digits && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
            if hash.as_ref().is_some_and(|hash| !is_hex(hash)) {
                problem(format!("`{algorithm}` has {digits} hex digits"));
            }
        }
        for split in file.splits.iter().filter(|split| !splits.contains(split.as_str())) {
            problem(format!("there is no split `{split}`"));
        }
    }
    if let Some(photos) = download.photos.as_ref().filter(|photos| !is_plain(&photos.folder)) {
        problems
            .push(("download.photos".into(), format!("`{}` is no plain name of a folder", photos.folder)));
    }
    problems
}

/// Lines as `sha256sum` prints them.
pub(super) fn parse_contents(text: &str) -> Result<BTreeMap<String, String>, String> {
    let line = |(number, line): (usize, &str)| {
        let pair = line.split_once("  ").filter(|(hash, name)| hash.len() == 64 && !name.is_empty());
        let (hash, name) = pair.ok_or_else(|| format!("line {number} is not `sha256  member`: `{line}`"))?;
        Ok((name.to_owned(), hash.to_owned()))
    };
    (1..).zip(text.lines()).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moved_addresses_keep_what_follows() {
        let moved = Moved {
            from: "http://farm*.static.flickr.com/".into(),
            to: "https://live.staticflickr.com/".into(),
        };
        assert_eq!(
            moved.apply("http://farm4.static.flickr.com/3001/1_a_b.jpg").as_deref(),
            Some("https://live.staticflickr.com/3001/1_a_b.jpg")
        );
        for other in ["http://farm4.flickr.com/3001/1.jpg", "http://farm4/x.static.flickr.com/1.jpg", "None"]
        {
            assert_eq!(moved.apply(other), None, "{other}");
        }
        let plain = Moved { from: "http://old/".into(), to: "http://new/a/".into() };
        assert_eq!(plain.apply("http://old/1.jpg").as_deref(), Some("http://new/a/1.jpg"));
    }

    #[test]
    fn every_problem_of_a_download_is_told() {
        let bad = RemoteFile {
            file: "../a.zip".into(),
            md5: Some("12".into()),
            splits: vec!["vla".into()],
            ..RemoteFile::default()
        };
        let package = RemoteFile { file: "b.zip".into(), package: Some(99), ..RemoteFile::default() };
        let download = Download { files: vec![bad, package.clone(), package], ..Download::default() };
        let told: Vec<String> =
            problems(&download, &BTreeSet::from(["val"])).into_iter().map(|(_, reason)| reason).collect();
        for part in
            ["no plain name", "no address", "md5", "`vla`", "needs a `login`", "no package 99", "twice"]
        {
            assert!(told.iter().any(|reason| reason.contains(part)), "`{part}` is missing in {told:?}");
        }
    }

    #[test]
    fn contents_are_lines_of_sha256sum() {
        let hash = "a".repeat(64);
        let table = parse_contents(&format!("{hash}  a b/c.png\n")).expect("a table");
        assert_eq!(table["a b/c.png"], hash);
        assert!(parse_contents("12  a.png").is_err());
    }
}
