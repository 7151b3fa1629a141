//! Descriptions that nobody meant (see [`segbench_testkit::fuzz`]).

use segbench_testkit::fuzz;

use super::build::parse;
use super::builtin::{DESCRIPTIONS, read_table};

#[test]
fn descriptions_become_cards_that_work_or_problems() {
    let seeds: Vec<Vec<u8>> = DESCRIPTIONS.iter().map(|text| text.as_bytes().to_vec()).collect();
    let words = [
        "{id}",
        "{split}",
        "{",
        "}",
        "*",
        "/",
        "..",
        "\\",
        "\n",
        ": ",
        "- ",
        "~",
        "&a ",
        "*a",
        "<<: ",
        "!!binary ",
        "|",
        "\"",
        "pattern: ",
        "ignored:",
        "splits:",
        "list:",
        "color: [0, 0, 0]",
        "short_side: 1",
        "crop: true",
        "share: 1",
        "members: x",
        "digits: 4",
    ];
    let paths = [
        "leftImg8bit/train/ulm/ulm_000000_000019_leftImg8bit.png",
        "RGB\\0000000.png",
        "a/b/c.png",
        "{split}.txt",
        "",
    ];
    fuzz("description", &seeds, &words, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        match parse(&text, false, &read_table) {
            Ok(card) => {
                assert!(card.catalog().len() <= 255);
                let found =
                    paths.iter().filter(|path| card.layout.recognize(path, &card.splits).is_some()).count();
                format!("{found} recognized")
            }
            Err(problems) => {
                assert!(problems.iter().all(|problem| !problem.is_empty()));
                problems.join("; ")
            }
        }
    });
}
