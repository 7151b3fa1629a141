//! Examples: the photo, its ground truth, and what each run made of it.

use std::collections::BTreeMap;
use std::path::Path;

use segbench_metrics::image_miou;
use segbench_storage::sha256_bytes;
use segbench_tables::LeaderboardRow;

use super::classes::color;
use super::runs::Numbered;
use crate::base64;
use crate::leaderboard::{Entry, Group};
use crate::text::counted;

/// All pictures together take at most this many bytes, which is less than 14 MB of text; a page beyond it opens too slowly.
const MOST_BYTES: usize = 10 << 20;

/// One image with the predictions of every run that kept it.
pub(crate) struct Example {
    pub(crate) title: String,
    pub(crate) pictures: Vec<Picture>,
    /// Names and colors of the classes; empty if the next example has the same.
    pub(crate) legend: Vec<(String, String)>,
    key: Key,
}

/// A picture with its caption.
pub(crate) struct Picture {
    /// `image`, `truth`, `prediction` or `error`.
    pub(crate) kind: &'static str,
    /// Number of the run it is of, for predictions and errors.
    pub(crate) run: Option<usize>,
    pub(crate) uri: String,
    pub(crate) alt: String,
    pub(crate) caption: &'static str,
    pub(crate) detail: String,
}

/// Data set, split, image, and hash of its ground truth.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    dataset: String,
    split: String,
    id: String,
    truth: String,
}

impl Example {
    /// Whether it shows the image `id` of what a row was evaluated on.
    pub(crate) fn is_of(&self, row: &LeaderboardRow, id: &str) -> bool {
        (&self.key.dataset, &self.key.split, self.key.id.as_str()) == (&row.dataset, &row.split, id)
    }
}

/// A picture set that a run says it has.
struct Wanted<'a> {
    entry: &'a Entry<'a>,
    run: &'a Numbered,
    id: &'a str,
}

/// The examples of all runs, sorted; an image that several runs share is there only once. Images that most runs share come first if not
/// all fit. Adds a note for each that cannot be shown.
pub(crate) fn examples(
    groups: &[Group],
    numbered: &[Vec<Numbered>],
    notes: &mut Vec<String>,
) -> Vec<Example> {
    let mut wanted = Vec::new();
    let mut shared = BTreeMap::<(&str, &str, &str), usize>::new();
    for (group, runs) in groups.iter().zip(numbered) {
        for (entry, run) in group.entries.iter().zip(runs) {
            let ids = entry.run.record.accuracy.as_ref().map_or(&[][..], |accuracy| &accuracy.examples);
            for id in ids {
                *shared.entry((&entry.row.dataset, &entry.row.split, id)).or_default() += 1;
                wanted.push(Wanted { entry, run, id });
            }
        }
    }
    let times = |wanted: &Wanted| {
        shared.get(&(wanted.entry.row.dataset.as_str(), wanted.entry.row.split.as_str(), wanted.id)).copied()
    };
    wanted.sort_by(|a, b| times(b).cmp(&times(a)).then(a.id.cmp(b.id)).then(a.run.number.cmp(&b.run.number)));
    let mut examples = BTreeMap::<Key, Example>::new();
    let (mut bytes, mut left_out) = (0, 0);
    for wanted in wanted {
        let row = &wanted.entry.row;
        match read(&wanted.entry.run.folder, wanted.id) {
            Ok(files) => {
                let key = Key {
                    dataset: row.dataset.clone(),
                    split: row.split.clone(),
                    id: wanted.id.to_owned(),
                    truth: sha256_bytes(&files[1]),
                };
                let new = if examples.contains_key(&key) { &files[2..] } else { &files[..] };
                let size: usize = new.iter().map(Vec::len).sum();
                if bytes + size > MOST_BYTES {
                    left_out += 1;
                    continue;
                }
                bytes += size;
                add(&mut examples, key, &wanted, &files);
            }
            Err(reason) => {
                notes.push(format!("left `{}` of run {} out of the gallery: {reason}", wanted.id, row.run_id))
            }
        }
    }
    if left_out > 0 {
        notes.push(format!(
            "the gallery is full: {} of single runs left out",
            counted(left_out, "prediction")
        ));
    }
    let mut examples: Vec<Example> = examples.into_values().collect();
    for next in 1..examples.len() {
        if examples[next - 1].legend == examples[next].legend {
            examples[next - 1].legend.clear();
        }
    }
    examples
}

/// Image, ground truth, prediction and error.
fn read(folder: &Path, id: &str) -> Result<[Vec<u8>; 4], String> {
    if id.is_empty() || id.contains(['/', '\\', '\0']) {
        return Err("its name is no file name".into());
    }
    let file = |suffix: &str| {
        let path = folder.join("examples").join(format!("{id}.{suffix}"));
        segbench_storage::read(&path).map_err(|err| err.to_string())
    };
    Ok([file("image.jpg")?, file("truth.png")?, file("prediction.png")?, file("error.png")?])
}

fn add(
    examples: &mut BTreeMap<Key, Example>,
    key: Key,
    Wanted { entry, run, id }: &Wanted,
    [image, truth, prediction, error]: &[Vec<u8>; 4],
) {
    let row = &entry.row;
    let example = examples.entry(key.clone()).or_insert_with(|| Example {
        title: format!("{id} ({} {})", row.dataset, row.split),
        pictures: vec![
            picture("image", None, image, format!("Photo {id}"), "Image", String::new()),
            picture("truth", None, truth, format!("Ground truth of {id}"), "Ground truth", String::new()),
        ],
        legend: {
            let classes = &entry.run.record.dataset.catalog.classes;
            classes.iter().map(|class| (class.name.clone(), color(class.color))).collect()
        },
        key,
    });
    let label = &run.label;
    let score = entry.run.result.as_ref().and_then(|result| {
        let index = result.images.binary_search_by(|image| image.as_str().cmp(id)).ok()?;
        image_miou(result.per_image.get(index)?)
    });
    let score = score.map_or_else(String::new, |score| format!(" · {:.1} %", score * 100.0));
    let detail = format!("{label}, {}{score}", row.dtype);
    let number = Some(run.number);
    example.pictures.extend([
        picture(
            "prediction",
            number,
            prediction,
            format!("Prediction of {label} for {id}"),
            "Prediction",
            detail.clone(),
        ),
        picture("error", number, error, format!("Errors of {label} on {id}"), "Errors", detail),
    ]);
}

fn picture(
    kind: &'static str,
    run: Option<usize>,
    bytes: &[u8],
    alt: String,
    caption: &'static str,
    detail: String,
) -> Picture {
    let format = if kind == "image" { "jpeg" } else { "png" };
    let uri = format!("data:image/{format};base64,{}", base64::encode(bytes));
    Picture { kind, run, uri, alt, caption, detail }
}
