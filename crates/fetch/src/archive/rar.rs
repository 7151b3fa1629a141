//! Rar archives, through whichever program for them is installed.

use std::ffi::OsStr;
use std::path::Path;

use super::reading::Member;
use super::stream::{Origin, StreamFile};
use super::tool::{Kind, Listed, RAR_TOOLS, Tool};
use super::{rules, tar_file};
use crate::Error;

/// The members, and the program that unpacks them.
pub(super) fn open(path: &Path) -> Result<(Vec<Member>, StreamFile), Error> {
    open_with(path, &std::env::var_os("PATH").unwrap_or_default())
}

/// As [`open`], with the programs found in `folders`. A program may be there and yet be built without rar, so the next one is tried.
fn open_with(path: &Path, folders: &OsStr) -> Result<(Vec<Member>, StreamFile), Error> {
    // Programs take a relative name that begins with `-` or `@` for an option or a list.
    let file = path.canonicalize().map_err(|source| segbench_storage::Error::reading(path, source))?;
    let mut failures = Vec::new();
    for tool in RAR_TOOLS.iter().filter_map(|name| Tool::find(name, folders)) {
        let members = match tool.kind() {
            Kind::Tar => tool.unpack(&file).and_then(|stream| tar_file::list_stream(path, stream)),
            Kind::Unrar | Kind::SevenZip => tool.list(&file).and_then(|listed| members(path, listed)),
        };
        match members {
            Ok(members) => return Ok((members, StreamFile::new(Origin::Tool(tool)))),
            Err(refused @ (Error::UnsafeMember { .. } | Error::DamagedMember { .. })) => return Err(refused),
            Err(Error::NotAnArchive { reason, .. }) => failures.push(format!("{}: {reason}", tool.name())),
            Err(err) => failures.push(format!("{}: {err}", tool.name())),
        }
    }
    if failures.is_empty() {
        return Err(Error::NoTool { archive: path.to_owned() });
    }
    Err(Error::NotAnArchive { archive: path.to_owned(), reason: failures.join("; ") })
}

/// The members of a listing, whose bytes the program prints without anything between them.
fn members(path: &Path, listed: Vec<Listed>) -> Result<Vec<Member>, Error> {
    let mut members = Vec::new();
    let mut place = 0_u64;
    for Listed { name, size, crc32, is_folder, is_file, is_encrypted } in listed {
        if is_folder {
            continue;
        }
        if !is_file {
            return Err(rules::unsafe_member(path, &name, "it is a link or a device, not a file"));
        }
        if is_encrypted {
            return Err(rules::unsafe_member(path, &name, "it is encrypted"));
        }
        let Some(crc32) = crc32 else {
            return Err(rules::unsafe_member(path, &name, "it has no checksum"));
        };
        let name = rules::normalized(path, &name)?;
        let member = Member { name, size, stamp: crc32.into(), crc32: Some(crc32), place };
        rules::push(path, &mut members, member)?;
        place = place.saturating_add(size);
    }
    Ok(members)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// A folder with one program, which answers a listing with `listing` and everything else with `contents`.
    fn program(name: &str, listing: &str, contents: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let script = format!(
            "#!/bin/sh\ncase $1 in vt|l) printf '%s' '{listing}';; *) printf '%s' '{contents}';; esac\n"
        );
        let path = dir.path().join(name);
        fs::write(&path, script).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        dir
    }

    fn rar() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("SYNTHIA.rar");
        fs::write(&path, b"Rar!\x1a\x07\x01\0").expect("written");
        (dir, path)
    }

    fn unrar_listing(kind: &str, name: &str) -> String {
        format!(
            "\nUNRAR 6.21 freeware\n\nArchive: SYNTHIA.rar\nDetails: RAR 5\n\n        Name: GT\n        Type: Directory\n \
             Attributes: drwxr-xr-x\n\n        Name: GT\\a.png\n        Type: File\n        Size: 5\n Packed size: 5\n       \
             CRC32: 3610A686\n\n        Name: {name}\n        Type: {kind}\n        Size: 3\n       CRC32: 352441C2\n"
        )
    }

    const SEVEN_ZIP_LISTING: &str = "Path = GT\nFolder = +\nSize = 0\nCRC = \n\nPath = GT/a.png\nFolder = -\nSize = 5\nAttributes = A\nCRC = \
         3610A686\n\nPath = b.png\nFolder = -\nSize = 3\nCRC = 352441C2\n";

    #[test]
    fn listings_of_both_programs_lead_to_the_same_members() {
        let (_dir, rar) = rar();
        let unrar = program("unrar", &unrar_listing("File", "b.png"), "helloabc");
        let seven_zip = program("7z", SEVEN_ZIP_LISTING, "helloabc");
        for tools in [&unrar, &seven_zip] {
            let (members, stream) = open_with(&rar, tools.path().as_os_str()).expect("opened");
            let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
            assert_eq!(names, ["GT/a.png", "b.png"]);
            // The second one first, so that the program has to be started twice.
            for (member, bytes) in members.iter().zip([b"hello".as_slice(), b"abc"]).rev() {
                let read = stream.read(&rar, member).expect("read");
                rules::check_contents(&rar, member, &read).expect("whole");
                assert_eq!(read, bytes);
            }
        }
    }

    #[test]
    fn contents_of_another_checksum_are_damaged() {
        let (_dir, rar) = rar();
        let tools = program("unrar", &unrar_listing("File", "b.png"), "hellO");
        let (members, stream) = open_with(&rar, tools.path().as_os_str()).expect("opened");
        let outcomes: Vec<bool> = members
            .iter()
            .map(|member| {
                let bytes = stream.read(&rar, member).expect("read");
                rules::check_contents(&rar, member, &bytes).is_ok()
            })
            .collect();
        assert_eq!(outcomes, [false, false]);
    }

    #[test]
    fn links_and_names_that_leave_the_folder_are_refused() {
        let (_dir, rar) = rar();
        for listing in [unrar_listing("Unix symbolic link", "b.png"), unrar_listing("File", "..\\b.png")] {
            let tools = program("unrar", &listing, "");
            let refused = open_with(&rar, tools.path().as_os_str());
            assert!(matches!(refused, Err(Error::UnsafeMember { .. })), "{refused:?}");
        }
    }

    #[test]
    fn a_program_that_cannot_read_rar_is_passed_over() {
        let (_dir, rar) = rar();
        let broken = tempfile::tempdir().expect("a folder");
        let path = broken.path().join("unrar");
        fs::write(&path, "#!/bin/sh\necho cannot open >&2; exit 2\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        let works = program("7z", SEVEN_ZIP_LISTING, "helloabc");
        let both = std::env::join_paths([broken.path(), works.path()]).expect("joined");
        assert_eq!(open_with(&rar, &both).expect("opened").0.len(), 2);
        let err = open_with(&rar, broken.path().as_os_str()).expect_err("nothing reads it").to_string();
        assert!(err.contains("unrar") && err.contains("cannot open"), "{err}");
    }

    #[test]
    fn without_a_program_the_message_names_those_that_would_do() {
        use segbench_types::Explain as _;
        let (_dir, rar) = rar();
        let err = open_with(&rar, OsStr::new("")).expect_err("no program");
        let text = format!("{err} {}", err.help().unwrap_or_default());
        assert!(RAR_TOOLS.iter().all(|tool| text.contains(tool)) && text.contains("SYNTHIA.rar"), "{text}");
    }
}
