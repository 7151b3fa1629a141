//! Which member names are safe, and what they look like afterwards.

/// The name with forward slashes, or why it is refused.
///
/// Archives made on Windows may separate with `\`; elsewhere such a member would become one file with a strange name, and a check
/// for `..` that knows only `/` would miss it. So the slashes are turned first.
pub(super) fn normalize(name: &str) -> Result<String, &'static str> {
    let name = name.replace('\\', "/");
    if name.is_empty() {
        return Err("its name is empty");
    }
    if name.contains('\0') {
        return Err("its name holds a zero byte");
    }
    if name.starts_with('/') {
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
    // Only what is left decides: `./C:/a` is harmless on one system and a drive on the other.
    match parts.first().map(|part| part.as_bytes()) {
        None => Err("its name names nothing"),
        Some([letter, b':', ..]) if letter.is_ascii_alphabetic() => Err("its name is an absolute path"),
        Some(_) => Ok(parts.join("/")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    /// Names made of the parts that matter, in any order.
    fn name() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("..".to_owned()),
            Just(".".to_owned()),
            Just("/".to_owned()),
            Just("\\".to_owned()),
            Just("C:".to_owned()),
            Just("\0".to_owned()),
            Just(" ".to_owned()),
            "[a-z]{1,3}",
            "\\PC",
        ];
        prop::collection::vec(part, 0..9).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_name_that_passes_stays_below_the_folder(name in name()) {
            if let Ok(safe) = normalize(&name) {
                let inside = |part: Component<'_>| matches!(part, Component::Normal(_));
                prop_assert!(Path::new(&safe).components().all(inside), "{safe:?}");
                prop_assert!(!safe.contains(['\\', '\0']) && !safe.contains("//"), "{safe:?}");
                prop_assert_eq!(Path::new("/data").join(&safe).components().count(), 2 + safe.split('/').count());
                prop_assert_eq!(normalize(&safe), Ok(safe.clone()), "a second time changes nothing");
            }
        }

        #[test]
        fn plain_names_pass_as_they_are(parts in prop::collection::vec("[a-zA-Z_][a-zA-Z0-9_. -]{0,8}", 1..5)) {
            let name = parts.join("/");
            prop_assert_eq!(normalize(&name), Ok(name.clone()));
        }

        #[test]
        fn a_step_upwards_is_refused_wherever_it_stands(before in "[a-z/\\\\]{0,6}", after in "([/\\\\][a-z]{0,3})?") {
            let joint = if before.is_empty() { "" } else { "/" };
            let name = format!("{before}{joint}..{after}");
            prop_assert!(normalize(&name).is_err(), "{name:?}");
        }
    }

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
            "./C:/a",
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
