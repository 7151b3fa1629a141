//! Folders to run the binary in, and what they hold afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use segbench_testkit::Files;
use serde_json::Value;
use tempfile::TempDir;

/// A sample of a few small pictures.
pub(crate) const DRAW: [&str; 8] = [
    "--set",
    "datasets.sample.draw.size=64x128",
    "--set",
    "datasets.sample.draw.train=4",
    "--set",
    "datasets.sample.draw.val=3",
    "--set",
    "datasets.sample.draw.test=1",
];

/// The quickest training there is.
pub(crate) const TRAIN: [&str; 10] =
    ["train", "segformer-tiny", "--dataset", "sample", "--steps", "2", "--crop", "32x64", "--batch", "1"];

/// The accuracy of what [`TRAIN`] makes.
pub(crate) const ACCURACY: [&str; 3] = ["bench", "segformer-tiny", "--accuracy"];

/// How the binary ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails unless the exit code is `code` and stderr has all `parts`.
    #[track_caller]
    pub(crate) fn is(&self, code: i32, parts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing in {self:#?}");
        }
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|err| panic!("{err}: {self:#?}"))
    }
}

/// A folder of its own, with nothing in it but what a test puts there.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A folder with a prepared sample and weights of `segformer-tiny`, trained once for all tests.
    pub(crate) fn trained() -> Self {
        static MADE: OnceLock<PathBuf> = OnceLock::new();
        let made = MADE.get_or_init(|| {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trained");
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).expect("a folder");
            for arguments in [&["prepare", "sample"][..], &TRAIN] {
                ended(command(&path).args(arguments).args(DRAW)).is(0, &[]);
            }
            path
        });
        let place = Self::new();
        copy(made, place.path());
        place
    }

    /// A folder with files of a miniature data set in `source`.
    pub(crate) fn with(files: &Files) -> Self {
        let place = Self::new();
        files.write_folder(&place.join("source"));
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// The binary, about to start in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(self.path());
        command.args(arguments);
        command
    }

    /// Runs the binary in this folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        ended(&mut self.command(arguments))
    }

    /// The same with the tiny sample.
    pub(crate) fn run_drawn(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).args(DRAW))
    }

    /// The only folder below `reports/runs`.
    #[track_caller]
    pub(crate) fn only_run(&self) -> PathBuf {
        let runs: Vec<_> = fs::read_dir(self.join("reports/runs")).expect("runs").collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs[0].as_ref().expect("a run").path()
    }

    /// Every file below `name` with its bytes.
    pub(crate) fn tree(&self, name: &str) -> BTreeMap<String, Vec<u8>> {
        let mut tree = BTreeMap::new();
        let root = self.join(name);
        if root.is_dir() {
            collect(&root, &root, &mut tree);
        }
        tree
    }

    /// Fails if an unfinished file is anywhere.
    #[track_caller]
    pub(crate) fn has_no_temporaries(&self) {
        let tree = self.tree("");
        let left: Vec<_> = tree.keys().filter(|name| name.contains("segbench-tmp")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The names and the bytes of two trees, told apart file by file, because bytes of a picture are no message.
#[track_caller]
pub(crate) fn same_trees(got: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(got.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in expected {
        assert!(got[name] == *bytes, "`{name}` differs");
    }
}

/// Any outcome of a command.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().expect("started");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("segbench"));
    command.current_dir(folder).stdin(Stdio::null());
    for name in
        ["CITYSCAPES_USERNAME", "CITYSCAPES_PASSWORD", "NO_COLOR", "CLICOLOR_FORCE", "RAYON_NUM_THREADS"]
    {
        command.env_remove(name);
    }
    // No login of whoever runs the tests, and no proxy between them and their servers.
    command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME").env("HOME", folder);
    command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    command
}

fn collect(root: &Path, folder: &Path, tree: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, tree);
        } else {
            let name = path.strip_prefix(root).expect("below").to_string_lossy().replace('\\', "/");
            tree.insert(name, fs::read(&path).expect("read"));
        }
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("listed") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}
