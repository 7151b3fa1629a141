//! Which member names are safe, and what they look like afterwards.

/// The name with forward slashes, or why it is refused.
///
/// Archives made on Windows may separate with `\`; elsewhere such a member would become one file with a strange name, and a check
/// for `..` that knows only `/` would miss it. So the slashes are turned first.
pub(crate) fn normalize(name: &str) -> Result<String, &'static str> {
    let name = name.replace('\\', "/");
    if name.is_empty() {
        return Err("its name is empty");
    }
    if name.contains('\0') {
        return Err("its name holds a zero byte");
    }
    let drive = name.as_bytes();
    if name.starts_with('/') || (drive.len() > 1 && drive[1] == b':' && drive[0].is_ascii_alphabetic()) {
        return Err("its name is an absolute path");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            ".." => return Err("its name leaves the folder through `..`"),
            "" | "." => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err("its name names nothing") } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_become_slashes_and_empty_parts_vanish() {
        assert_eq!(normalize(r"RGB\0000000.png").as_deref(), Ok("RGB/0000000.png"));
        assert_eq!(normalize("./a//b.png").as_deref(), Ok("a/b.png"));
    }

    #[test]
    fn names_that_reach_outside_are_refused() {
        for name in [
            "../a",
            "a/../../b",
            r"a\..\..\b",
            "/etc/passwd",
            r"\windows",
            r"C:\a",
            "c:a",
            "a/..",
            "",
            ".",
            "a\0b",
        ] {
            assert!(normalize(name).is_err(), "{name:?} was accepted");
        }
        assert!(normalize("a..b/..c.png").is_ok());
    }
}
