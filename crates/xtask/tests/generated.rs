//! Generated files are committed as the code would write them.

use std::path::Path;

#[test]
fn generated_files_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, contents) in segbench_xtask::generated() {
        let committed = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert_eq!(committed, contents, "`{path}` is out of date: run `just generate`");
    }
}
