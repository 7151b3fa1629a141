//! The one way a file comes into being.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::Error;

/// Part of the name of every file that is not finished yet.
pub const TEMPORARY_MARK: &str = ".segbench-tmp-";

/// Writes `bytes` to `path`, creating parent folders.
///
/// # Errors
/// [`Error::Write`]; the old contents of `path`, if any, are then still in place.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_with(path, |file| file.write_all(bytes))
}

/// Writes `value` as indented JSON with a final line break.
///
/// # Errors
/// As [`write()`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), Error> {
    let mut text =
        serde_json::to_vec_pretty(value).map_err(|source| Error::Json { path: path.to_owned(), source })?;
    text.push(b'\n');
    write(path, &text)
}

/// Lets `fill` write the file, which appears under its name only when it is complete and on disk.
///
/// # Errors
/// [`Error::Write`]; nothing of the attempt stays behind.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Error> {
    let temporary = temporary_name(path);
    let attempt = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = BufWriter::new(File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, path)
    };
    attempt().map_err(|source| {
        // The first error is the one to report; a leftover is found by its name.
        let _ = fs::remove_file(&temporary);
        Error::writing(path, source)
    })
}

/// Gives a file that is complete and on disk its name, in place of what had it before.
///
/// # Errors
/// [`Error::Write`]; both files are then as they were.
pub fn rename(complete: &Path, path: &Path) -> Result<(), Error> {
    fs::rename(complete, path).map_err(|source| Error::writing(path, source))
}

/// Makes `target` a hard link to `source`, or a copy where the file system cannot link.
///
/// # Errors
/// [`Error::Write`] if neither works.
pub fn link_or_copy(source: &Path, target: &Path) -> Result<(), Error> {
    let temporary = temporary_name(target);
    let attempt = || -> io::Result<()> {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        // A link into another file system, or on one without links, fails: then copy.
        if fs::hard_link(source, &temporary).is_err() {
            fs::copy(source, &temporary)?;
            File::open(&temporary)?.sync_all()?;
        }
        fs::rename(&temporary, target)?;
        // Renaming one link of a file onto another of the same file does nothing and leaves both.
        match fs::remove_file(&temporary) {
            Err(err) if err.kind() != io::ErrorKind::NotFound => Err(err),
            _ => Ok(()),
        }
    };
    attempt().map_err(|err| {
        let _ = fs::remove_file(&temporary);
        Error::writing(target, err)
    })
}

/// Creates a folder and those above it.
///
/// # Errors
/// [`Error::Write`].
pub fn create_dir(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(|source| Error::writing(path, source))
}

/// Removes a folder with everything in it; one that is not there is no error.
///
/// # Errors
/// [`Error::Write`].
pub fn remove_dir(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::writing(path, source)),
        _ => Ok(()),
    }
}

/// Removes what killed processes left unfinished below `dir`. Call it only while nobody else writes there.
///
/// # Errors
/// [`Error::Read`] or [`Error::Write`]; a folder that is not there holds nothing to remove.
pub fn remove_temporaries(dir: &Path) -> Result<(), Error> {
    if !dir.exists() {
        return Ok(());
    }
    for entry in crate::list_dir(dir)? {
        if entry.is_dir() && !entry.is_symlink() {
            remove_temporaries(&entry)?;
        } else if entry.file_name().is_some_and(|name| name.to_string_lossy().contains(TEMPORARY_MARK)) {
            fs::remove_file(&entry).map_err(|source| Error::writing(&entry, source))?;
        }
    }
    Ok(())
}

/// Removes what killed processes left unfinished in `dir` itself, where others may be writing at this moment.
///
/// # Errors
/// [`Error::Read`] or [`Error::Write`]; a folder that is not there holds nothing to remove.
pub fn remove_abandoned(dir: &Path) -> Result<(), Error> {
    if !dir.exists() {
        return Ok(());
    }
    for entry in crate::list_dir(dir)? {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        let process = name.split_once(TEMPORARY_MARK).and_then(|(_, rest)| rest.split('-').next());
        if process.is_some_and(|process| !may_be_running(process, &entry)) {
            match fs::remove_file(&entry) {
                Err(err) if err.kind() != io::ErrorKind::NotFound => return Err(Error::writing(&entry, err)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether the process that made a temporary file may still be there. Where the system does not say, a file that was written to
/// within the hour counts as somebody's.
fn may_be_running(process: &str, temporary: &Path) -> bool {
    let processes = Path::new("/proc");
    if processes.join("self").exists() {
        return processes.join(process).exists();
    }
    let age = temporary.metadata().and_then(|data| data.modified()).map(|time| time.elapsed());
    !matches!(age, Ok(Ok(age)) if age > Duration::from_secs(3600))
}

fn temporary_name(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let serial = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!("{TEMPORARY_MARK}{}-{serial}", std::process::id()));
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("table.csv");
        write(&path, b"old").expect("written");
        let failed = write_with(&path, |file| {
            file.write_all(b"half of the n")?;
            Err(io::Error::other("power cut"))
        });
        assert!(matches!(failed, Err(Error::Write { .. })));
        assert_eq!(fs::read(&path).expect("still there"), b"old");
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn temporaries_are_removed_and_finished_files_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        let kept = dir.path().join("a/kept.png");
        write(&kept, b"x").expect("written");
        fs::write(temporary_name(&kept), b"half").expect("written");
        remove_temporaries(dir.path()).expect("removed");
        assert_eq!(crate::list_dir(&dir.path().join("a")).expect("listed"), [kept]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn only_temporaries_of_processes_that_are_gone_are_removed_beside_others_work() {
        let dir = tempfile::tempdir().expect("a folder");
        let own = temporary_name(&dir.path().join("table.csv"));
        // Process numbers end at 2^22 on Linux.
        let gone = dir.path().join(format!("table.csv{TEMPORARY_MARK}4194305-0"));
        let inside = dir.path().join(format!("runs/table.csv{TEMPORARY_MARK}4194305-0"));
        for path in [&own, &gone, &inside] {
            write(path, b"half").expect("written");
        }
        remove_abandoned(dir.path()).expect("removed");
        assert!(own.exists() && inside.exists() && !gone.exists());
    }

    #[test]
    fn linking_twice_leaves_one_file() {
        let dir = tempfile::tempdir().expect("a folder");
        let (source, target) = (dir.path().join("source"), dir.path().join("out/target"));
        write(&source, b"pixels").expect("written");
        for _ in 0..2 {
            link_or_copy(&source, &target).expect("linked");
        }
        assert_eq!(fs::read(&target).expect("there"), b"pixels");
        assert_eq!(crate::list_dir(&dir.path().join("out")).expect("listed").len(), 1);
    }
}
