//! What can be wrong with a download or an archive.

use std::path::PathBuf;

use segbench_types::{ErrorKind, Explain};

use crate::archive::RAR_TOOLS;

/// A file that cannot be fetched, or an archive or a member of it that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is no archive, or its list of members is damaged.
    #[error("`{archive}` is not a readable archive ({reason})")]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
        /// What the reader met.
        reason: String,
    },
    /// A rar on a machine without a program that unpacks it.
    #[error("`{archive}` is a rar archive, and none of {} is installed", RAR_TOOLS.map(|tool| format!("`{tool}`")).join(", "))]
    NoTool {
        /// The archive.
        archive: PathBuf,
    },
    /// A member whose name or type could reach outside a folder.
    #[error("refused the member `{member}` of `{archive}`: {reason}")]
    UnsafeMember {
        /// The archive.
        archive: PathBuf,
        /// The member's name as it stands in the archive.
        member: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A member that is damaged or cut off.
    #[error("the member `{member}` of `{archive}` is damaged ({reason})")]
    DamagedMember {
        /// The archive.
        archive: PathBuf,
        /// The member.
        member: String,
        /// What is wrong.
        reason: String,
    },
    /// A member that is larger than any image or label map.
    #[error("the member `{member}` of `{archive}` has {bytes} bytes unpacked, expected at most {limit}")]
    LargeMember {
        /// The archive.
        archive: PathBuf,
        /// The member.
        member: String,
        /// Its size.
        bytes: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// The archive has no member of this name.
    #[error("`{archive}` has no member `{member}`")]
    NoSuchMember {
        /// The archive.
        archive: PathBuf,
        /// What was asked for.
        member: String,
    },
    /// The disk has no room for what would be written.
    #[error("`{folder}` needs {needed} more bytes and has {free} free")]
    NoSpace {
        /// Where it would be written.
        folder: PathBuf,
        /// Bytes still to be written.
        needed: u64,
        /// Bytes that may be written.
        free: u64,
    },
    /// A file is missing and fetching is forbidden.
    #[error("`{file}` is not there, and `--offline` forbids to fetch it")]
    Offline {
        /// The file.
        file: PathBuf,
        /// Where it could be fetched.
        url: String,
    },
    /// The server answered that it will not give the file.
    #[error("{url} answered {status}")]
    Refused {
        /// The address.
        url: String,
        /// The status of the answer, with its words.
        status: String,
    },
    /// Every attempt failed for a reason that might have passed.
    #[error("{url} could not be fetched in {attempts} attempts; the last one: {reason}")]
    Unreachable {
        /// The address.
        url: String,
        /// How often it was tried without getting further.
        attempts: usize,
        /// Why the last attempt failed.
        reason: String,
    },
    /// The server sent something else than the file.
    #[error("{url} sent {got}, expected {expected}")]
    NotTheFile {
        /// The address.
        url: String,
        /// What came.
        got: String,
        /// What should have come.
        expected: String,
    },
    /// The file arrived with another checksum than the one published.
    #[error("`{file}` has the {algorithm} {got}, expected {expected}")]
    WrongChecksum {
        /// Where the file would have been.
        file: PathBuf,
        /// Which checksum.
        algorithm: &'static str,
        /// That of what arrived.
        got: String,
        /// That which is published.
        expected: String,
        /// Where what arrived lies now, for whoever wants to look at it.
        kept: Option<PathBuf>,
    },
    /// An archive arrived whose members are not those published.
    #[error("`{file}` is not the archive that is known: {reason}")]
    WrongContents {
        /// Where the file would have been.
        file: PathBuf,
        /// The first difference.
        reason: String,
        /// Where what arrived lies now.
        kept: Option<PathBuf>,
    },
    /// A file that is there already, of another size than the one published.
    #[error("`{file}` has {got} bytes, expected {expected}")]
    WrongSize {
        /// The file.
        file: PathBuf,
        /// Its size.
        got: u64,
        /// The size published.
        expected: u64,
    },
    /// Several addresses were tried and none gave the file.
    #[error("`{file}` could not be fetched from any of its {} addresses", failures.len())]
    NoMirror {
        /// The file.
        file: PathBuf,
        /// What happened at each address, the last one as it is shown first.
        #[source]
        last: Box<Error>,
        /// What happened at each address, in words.
        failures: Vec<String>,
    },
    /// Another process is fetching the same file.
    #[error("`{file}` is being fetched by another process")]
    Busy {
        /// The file.
        file: PathBuf,
    },
    /// A site wants a login that nobody gave.
    #[error("{site} asks for a login")]
    LoginMissing {
        /// The site.
        site: String,
        /// Where to register, and how to give the login.
        help: String,
    },
    /// A site does not take the login.
    #[error("{site} did not accept the user name and password")]
    LoginRefused {
        /// The site.
        site: String,
    },
    /// A file with a login that cannot be used.
    #[error("the login in `{file}` is not used: {reason}")]
    Credentials {
        /// The file.
        file: PathBuf,
        /// Why.
        reason: &'static str,
    },
    /// A checkpoint that differs from the one seen first, or from the one pinned.
    #[error("`{file}` has the sha256 {got}, and `{record}` says {expected}")]
    ChangedCheckpoint {
        /// The checkpoint.
        file: PathBuf,
        /// Its hash.
        got: String,
        /// The hash that was recorded.
        expected: String,
        /// Where it was recorded.
        record: PathBuf,
    },
    /// The connections cannot be set up: a proxy that is no address, or no certificates.
    #[error("cannot set up connections: {reason}")]
    Setup {
        /// Why.
        reason: String,
    },
    /// A file or folder that could not be read or written.
    #[error(transparent)]
    Storage(#[from] segbench_storage::Error),
}

impl Explain for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAnArchive { .. }
            | Self::UnsafeMember { .. }
            | Self::DamagedMember { .. }
            | Self::LargeMember { .. } => ErrorKind::InvalidData,
            Self::NoSuchMember { .. }
            | Self::NoTool { .. }
            | Self::Offline { .. }
            | Self::LoginMissing { .. }
            | Self::LoginRefused { .. }
            | Self::Credentials { .. } => ErrorKind::MissingInput,
            Self::NoSpace { .. } => ErrorKind::OutputNotWritable,
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::NotTheFile { .. }
            | Self::WrongChecksum { .. }
            | Self::WrongContents { .. }
            | Self::WrongSize { .. }
            | Self::Busy { .. }
            | Self::ChangedCheckpoint { .. }
            | Self::Setup { .. } => ErrorKind::Download,
            Self::NoMirror { last, .. } => last.kind(),
            Self::Storage(source) => source.kind(),
        }
    }

    fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotAnArchive { archive, .. } => format!(
                "compare the size of `{}` with the one on the download page and download it again if it is shorter",
                archive.display()
            ),
            Self::NoTool { .. } => "install one of them (Debian: `libarchive-tools` has `bsdtar`), or unpack the archive elsewhere and name \
                 the folder with `--source`"
                .into(),
            Self::UnsafeMember { .. } => {
                "use the archive as its publisher offers it; this one was changed or made by another tool".into()
            }
            Self::DamagedMember { archive, .. } => format!("download `{}` again", archive.display()),
            Self::NoSpace { .. } => {
                "free some space, or choose a folder on another disk with `--root`; what is there is kept".into()
            }
            Self::Offline { file, url } => format!(
                "run again without `--offline`, or fetch {url} elsewhere and put it at `{}`",
                file.display()
            ),
            Self::Refused { url, .. } => format!(
                "open {url} in a browser to see whether the file has moved; name a file you have with `--source`"
            ),
            Self::Unreachable { .. } => {
                "check the network and the proxy, then run the same command again; it goes on where it stopped"
                    .into()
            }
            Self::NotTheFile { url, .. } => format!(
                "open {url} in a browser to see what it offers; name a file you have with `--source`"
            ),
            Self::WrongChecksum { kept: Some(kept), .. } | Self::WrongContents { kept: Some(kept), .. } => format!(
                "run the same command again to fetch it anew; what arrived is kept as `{}`",
                kept.display()
            ),
            Self::WrongChecksum { file, kept: None, .. }
            | Self::WrongContents { file, kept: None, .. }
            | Self::WrongSize { file, .. } => format!(
                "remove `{}` and run the same command again to fetch it anew",
                file.display()
            ),
            Self::NoMirror { last, failures, .. } => {
                let tried = failures.join("; ");
                last.help().map_or_else(|| tried.clone(), |help| format!("{tried}; {help}"))
            }
            Self::Busy { .. } => "wait for it, then run the same command again".into(),
            Self::LoginMissing { help, .. } => help.clone(),
            Self::LoginRefused { site } => {
                format!("log in at {site} in a browser with the same user name and password; a new account has to be approved first")
            }
            Self::Credentials { file, .. } => format!(
                "write {{\"username\": \"...\", \"password\": \"...\"}} to `{0}` and run `chmod 600 {0}`",
                file.display()
            ),
            Self::ChangedCheckpoint { file, record, .. } => format!(
                "if the publisher has replaced the file and you want the new one, remove `{}` and `{}`",
                file.display(),
                record.display()
            ),
            Self::Setup { .. } => "check the variables `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` and `SSL_CERT_FILE`".into(),
            Self::LargeMember { .. } | Self::NoSuchMember { .. } => return None,
            Self::Storage(source) => return source.help(),
        })
    }
}
