//! Examples: the photo, its ground truth, and what each run made of it.

use std::path::Path;

use segbench_storage::sha256_bytes;

use super::classes::color;
use crate::base64;
use crate::leaderboard::{Entry, Group};

/// All pictures together take at most this many bytes; a page beyond it opens too slowly.
const MOST_BYTES: usize = 48 << 20;

/// One image with the predictions of every run that kept it.
pub(crate) struct Example {
    pub(crate) title: String,
    pub(crate) pictures: Vec<Picture>,
    /// Names and colors of the classes; empty if the next example has the same.
    pub(crate) legend: Vec<(String, String)>,
    key: (String, String, String, String),
}

/// A picture with its caption.
pub(crate) struct Picture {
    pub(crate) uri: String,
    pub(crate) alt: String,
    pub(crate) caption: String,
    pub(crate) detail: String,
}

/// The examples of all runs, an image that several runs share only once. Adds a note for each that cannot be shown.
pub(crate) fn examples(groups: &[Group], notes: &mut Vec<String>) -> Vec<Example> {
    let mut examples = Vec::<Example>::new();
    let mut bytes = 0;
    for group in groups {
        for (entry, label) in group.entries.iter().zip(group.labels()) {
            let ids = entry.run.record.accuracy.as_ref().map_or(&[][..], |accuracy| &accuracy.examples);
            for id in ids {
                match read(&entry.run.folder, id) {
                    Ok(files) => {
                        let size: usize = files.iter().map(Vec::len).sum();
                        if bytes + size > MOST_BYTES {
                            notes.push(format!(
                                "left `{id}` of run {} out of the gallery, which is full",
                                entry.row.run_id
                            ));
                            continue;
                        }
                        bytes += size;
                        add(&mut examples, entry, &label, id, &files);
                    }
                    Err(reason) => {
                        notes.push(format!(
                            "left `{id}` of run {} out of the gallery: {reason}",
                            entry.row.run_id
                        ));
                    }
                }
            }
        }
    }
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
    examples: &mut Vec<Example>,
    entry: &Entry,
    label: &str,
    id: &str,
    [image, truth, prediction, error]: &[Vec<u8>; 4],
) {
    let row = &entry.row;
    let key = (row.dataset.clone(), row.split.clone(), id.to_owned(), sha256_bytes(truth));
    let position = examples.iter().position(|example| example.key == key).unwrap_or_else(|| {
        let classes = &entry.run.record.dataset.catalog.classes;
        examples.push(Example {
            title: format!("{id} ({} {})", row.dataset, row.split),
            pictures: vec![
                picture("jpeg", image, format!("Photo {id}"), "Image", String::new()),
                picture("png", truth, format!("Ground truth of {id}"), "Ground truth", String::new()),
            ],
            legend: classes.iter().map(|class| (class.name.clone(), color(class.color))).collect(),
            key,
        });
        examples.len() - 1
    });
    let detail = format!("{label}, {}", row.dtype);
    if let Some(example) = examples.get_mut(position) {
        example.pictures.extend([
            picture(
                "png",
                prediction,
                format!("Prediction of {label} for {id}"),
                "Prediction",
                detail.clone(),
            ),
            picture("png", error, format!("Errors of {label} on {id}"), "Error", detail),
        ]);
    }
}

fn picture(kind: &str, bytes: &[u8], alt: String, caption: &str, detail: String) -> Picture {
    let uri = format!("data:image/{kind};base64,{}", base64::encode(bytes));
    Picture { uri, alt, caption: caption.to_owned(), detail }
}
