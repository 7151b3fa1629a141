//! Programs of others that unpack rar: where they are, what they list, what they print.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Error;

/// The programs that are looked for, in this order. bsdtar stands last because version 3.6 notices a cut rar, but no changed byte.
pub const RAR_TOOLS: [&str; 4] = ["unrar", "7z", "7zz", "bsdtar"];

/// The first of [`RAR_TOOLS`] that is installed.
pub fn rar_tool() -> Option<&'static str> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    RAR_TOOLS.into_iter().find(|name| Tool::find(name, &folders).is_some())
}

/// An installed program.
#[derive(Debug)]
pub(super) struct Tool {
    program: PathBuf,
    kind: Kind,
}

/// How a program is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// unrar: lists with checksums and prints contents.
    Unrar,
    /// 7-Zip: lists with checksums and prints contents.
    SevenZip,
    /// bsdtar: lists without checksums, but turns a rar into a tar, which tells one member from the next.
    Tar,
}

/// A line of a listing.
#[derive(Debug, Default)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) crc32: Option<u32>,
    pub(super) is_folder: bool,
    pub(super) is_file: bool,
    pub(super) is_encrypted: bool,
}

impl Tool {
    /// The program of this name in one of `folders`, which are separated as in `PATH`.
    pub(super) fn find(name: &str, folders: &OsStr) -> Option<Self> {
        let kind = match name {
            "unrar" => Kind::Unrar,
            "bsdtar" => Kind::Tar,
            _ => Kind::SevenZip,
        };
        let name = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let program = std::env::split_paths(folders)
            .filter(|folder| !folder.as_os_str().is_empty())
            .map(|folder| folder.join(&name))
            .find(|program| program.is_file())?;
        Some(Self { program, kind })
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The program's name for a message.
    pub(super) fn name(&self) -> String {
        self.program.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// What the program lists, in the archive's order.
    ///
    /// # Errors
    /// [`Error::NotAnArchive`] with what the program says.
    pub(super) fn list(&self, archive: &Path) -> Result<Vec<Listed>, Error> {
        let fail = |reason| Error::NotAnArchive { archive: archive.to_owned(), reason };
        let arguments: &[&str] = match self.kind {
            Kind::Unrar => &["vt", "-p-", "-cfg-", "--"],
            Kind::SevenZip | Kind::Tar => &["l", "-slt", "-ba", "-p", "--"],
        };
        let output = self
            .command(arguments, archive)
            .stderr(Stdio::piped())
            .output()
            .map_err(|err| fail(err.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let said = format!("{}\n{text}", String::from_utf8_lossy(&output.stderr));
            let reason = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(2);
            return Err(fail(format!("{} ({})", reason.collect::<Vec<_>>().join(", "), output.status)));
        }
        match self.kind {
            Kind::Unrar => parse(&text, ": ", "Name"),
            Kind::SevenZip | Kind::Tar => parse(&text, " = ", "Path"),
        }
        .ok_or_else(|| fail("its listing cannot be understood".into()))
    }

    /// Starts the program, which prints the contents.
    ///
    /// # Errors
    /// [`Error::NotAnArchive`] if it cannot be started.
    pub(super) fn unpack(&self, archive: &Path) -> Result<Unpacking, Error> {
        let fail = |err: io::Error| Error::NotAnArchive {
            archive: archive.to_owned(),
            reason: format!("{} cannot be started: {err}", self.program.display()),
        };
        let mut command = match self.kind {
            Kind::Unrar => self.command(&["p", "-inul", "-p-", "-cfg-", "--"], archive),
            Kind::SevenZip => self.command(&["x", "-so", "-bd", "-y", "-p", "--"], archive),
            Kind::Tar => {
                let mut whole = std::ffi::OsString::from("@");
                whole.push(archive);
                self.command(&["-c", "-f", "-", "--format", "pax"], whole.as_ref())
            }
        };
        let mut child = command.stderr(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(fail)?;
        let Some(output) = child.stdout.take() else {
            return Err(fail(io::Error::other("it has no output")));
        };
        Ok(Unpacking { child, output, name: self.name() })
    }

    fn command(&self, arguments: &[&str], archive: &Path) -> Command {
        let mut command = Command::new(&self.program);
        // Names outside ASCII come as UTF-8, words in English.
        command.args(arguments).arg(archive).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }
}

/// The output of a running program, which is stopped when nobody reads on.
#[derive(Debug)]
pub(super) struct Unpacking {
    child: Child,
    output: ChildStdout,
    name: String,
}

impl Read for Unpacking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.output.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            let status = self.child.wait()?;
            if !status.success() {
                return Err(io::Error::other(format!("{} ended with {status}", self.name)));
            }
        }
        Ok(count)
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        // Both fail for a program that has ended and was waited for, which is what they are for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Members from lines `key<separator>value`, each beginning with the key `first`.
fn parse(text: &str, separator: &str, first: &str) -> Option<Vec<Listed>> {
    let mut listed: Vec<Listed> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(separator).or_else(|| line.split_once(separator.trim_end()))
        else {
            continue;
        };
        let key = key.trim();
        if key == first {
            listed.push(Listed { name: value.to_owned(), is_file: true, ..Listed::default() });
            continue;
        }
        // What stands before the first member is about the archive.
        let Some(member) = listed.last_mut() else { continue };
        let value = value.trim();
        match key {
            "Size" if !value.is_empty() => member.size = value.parse().ok()?,
            "CRC32" | "CRC" => member.crc32 = u32::from_str_radix(value, 16).ok(),
            "Type" => (member.is_folder, member.is_file) = (value == "Directory", value == "File"),
            "Folder" => member.is_folder = value == "+",
            "Symbolic Link" | "Hard Link" if !value.is_empty() => member.is_file = false,
            "Encrypted" => member.is_encrypted = value == "+",
            "Flags" => member.is_encrypted = value.contains("encrypted"),
            _ => {}
        }
    }
    Some(listed)
}
