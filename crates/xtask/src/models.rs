//! docs/models.md: every network and preset, what it is equal to, how large and how fast it is.

use std::collections::BTreeMap;

use segbench_models::InputSpec;
use segbench_models::zoo::{self, Model};

/// Classes of the networks in the table, as in Cityscapes.
const CLASSES: usize = 19;
/// Parameters counted in the references: model, number.
const COUNTED: [&str; 2] = [
    include_str!("../../models/tests/fixtures/mmseg_counts.txt"),
    include_str!("../../models/tests/fixtures/vgg_counts.txt"),
];
/// Largest deviations from the references: model, reference, share of the range.
const ERRORS: &str = include_str!("../../models/tests/fixtures/errors.txt");
/// What `crates/models/benches/measure_models.py` wrote.
const MEASURED: &str = include_str!("../../models/benches/models.csv");

/// The reference page of all networks.
pub(crate) fn page() -> String {
    let measured = Measured::read(MEASURED);
    let mut text = format!(
        "# Networks\n\n\
         Written by `just generate`.\n\n\
         **Equal to.** Each network predicts what its reference, executed in Python with the same weights, predicts: every stage of the\n\
         encoder and the scores, for images of 65x97. *Error* is the largest deviation at the stored positions, as a share of the range\n\
         of the stage's values; more than 1e-4 fails the tests. Presets without a number are the same code in another size. Training\n\
         passes and gradients are compared for the small presets; `crates/models/tests/fixtures/` has the scripts, with versions.\n\n\
         **Parameters** are those of a prediction of {CLASSES} classes, without auxiliary heads. `=` says that the reference was counted\n\
         too and has as many.\n\n\
         **Speed and memory** stand below for one preset of each network.\n\n\
         | model | reference | status | error | parameters |\n| --- | --- | --- | --- | ---: |\n"
    );
    for model in zoo::models() {
        let name = model.name();
        let references = model.card().references.iter();
        let mut projects: Vec<&str> = references.map(|reference| reference.project).collect();
        projects.dedup();
        let status = model.card().status.name();
        let line = [projects.join(", "), status.into(), error(&name), parameters(&model)].join(" | ");
        text.push_str(&format!("| `{name}` | {line} |\n"));
    }
    text.push_str(&measured.table());
    text
}

/// The largest deviation from any reference.
fn error(model: &str) -> String {
    let errors = ERRORS.lines().filter_map(|line| {
        let mut words = line.split(' ');
        (words.next() == Some(model)).then(|| words.nth(1)?.parse::<f64>().ok())?
    });
    errors.reduce(f64::max).map(|error| format!("{error:.0e}")).unwrap_or_default()
}

fn parameters(model: &Model) -> String {
    let name = model.name();
    let Ok(own) = model.parameters(InputSpec::rgb(CLASSES)) else { return String::new() };
    let lines = COUNTED.iter().flat_map(|text| text.lines());
    let counted = lines.filter_map(|line| line.split_once(' ')).find(|(counted, _)| *counted == name);
    let same = counted.is_some_and(|(_, count)| count == own.to_string());
    format!("{}{}", thousands(own), if same { " =" } else { "" })
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A CSV without quotes: a row of names by column for each model.
struct Measured(Vec<BTreeMap<&'static str, &'static str>>);

impl Measured {
    fn read(text: &'static str) -> Self {
        let mut lines = text.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        Self(lines.map(|line| columns.iter().copied().zip(line.split(',')).collect()).collect())
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "\n## Speed and memory\n\n\
             One image, f32, on a CPU, measured by `crates/models/benches/measure_models.py`, beside the reference in PyTorch in the same\n\
             run. A number in parentheses is that of the reference. Memory is what the process needed at most beyond what it had before\n\
             it built the network. GMACs are 10⁹ multiply-adds of convolutions, linear layers and matrix products.\n\n\
             | model | GMACs at 512x512 | at 1024x2048 | image | ms, 1 thread | ms, 2 threads | MiB |\n\
             | --- | ---: | ---: | --- | ---: | ---: | ---: |\n",
        );
        for row in &self.0 {
            let cell = |column: &str| row.get(column).copied().unwrap_or_default();
            let pair = |column: &str| match cell(&format!("peer_{column}")) {
                "" => cell(column).to_owned(),
                peer => format!("{} ({peer})", cell(column)),
            };
            text.push_str(&format!(
                "| `{}` | {} | {} | {} | {} | {} | {} |\n",
                cell("model"),
                cell("gmacs_512x512"),
                cell("gmacs_1024x2048"),
                cell("size"),
                pair("ms_1"),
                pair("ms_2"),
                pair("mib"),
            ));
        }
        text
    }
}
