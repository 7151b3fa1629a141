//! What the tests of downloads share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use segbench_fetch::{Checksums, Client, Download, ProxyUse, Retry, Settings};
use segbench_types::Rng;

/// Waits of milliseconds, and no proxy between a test and its own server.
pub(crate) fn quick() -> Settings {
    Settings {
        retry: Retry {
            attempts: 5,
            connect_attempts: 2,
            first_wait: Duration::from_millis(1),
            longest_wait: Duration::from_millis(4),
            longest_asked: Duration::from_secs(2),
            progress_bytes: 1,
        },
        stall: Duration::from_millis(250),
        is_offline: false,
        proxy: ProxyUse::None,
        ..Settings::default()
    }
}

/// One for all tests of a file, because reading the system's certificates takes longer than most of them.
pub(crate) fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| Client::new(quick()).expect("set up"))
}

/// Bytes without any pattern that could hide a wrong offset.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut rng = Rng::new(seed, &[]);
    (0..length).map(|_| rng.bits() as u8).collect()
}

/// The download of `url` into `folder`, with the SHA-256 of `bytes`.
pub(crate) fn download(url: &str, folder: &Path, bytes: &[u8]) -> Download {
    Download {
        urls: vec![url.to_owned()],
        size: Some(bytes.len() as u64),
        checksums: Checksums::sha256(&segbench_storage::sha256_bytes(bytes)),
        destination: folder.join("file.zip"),
        licence: None,
    }
}

/// The names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let list = segbench_storage::list_dir(folder).expect("listed");
    let name = |path: PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    list.into_iter().map(name).collect()
}
