//! `evaluate`.

use segbench_benchmark::{Encoding, PredictionScores, score_against_dataset, score_against_labels};
use segbench_datasets::PreparedDataset;
use segbench_tables::Table;
use segbench_types::Protocol;

use crate::arguments::{Coding, EvaluateArguments, Global};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn evaluate(
    arguments: EvaluateArguments,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let encoding = match arguments.encoding {
        Coding::TrainId => Encoding::TrainId,
        Coding::SourceId => Encoding::SourceId,
        Coding::Color => Encoding::Color,
    };
    let protocols = match arguments.protocol.as_str() {
        "all" => Protocol::all(),
        name => vec![Protocol::find(name)?],
    };
    let scores = match (&arguments.dataset, &arguments.labels) {
        (Some(dataset), _) => {
            segbench_datasets::check_name(dataset, &global.root)?;
            let dataset = PreparedDataset::open(&global.root, dataset)?;
            score_against_dataset(&dataset, &arguments.split, &arguments.predictions, encoding, &protocols)?
        }
        (None, Some(labels)) => {
            let classes = usize::from(arguments.classes.unwrap_or_default());
            score_against_labels(labels, &arguments.predictions, classes, arguments.ignore, &protocols)?
        }
        (None, None) => {
            return Err(Failure::usage("nothing to score against", "give `--dataset` or `--labels`"));
        }
    };
    match (console.is_json(), scores.as_slice()) {
        (true, [one]) => console.json(one),
        (true, all) => console.json(&all),
        (false, [one]) => console.data(&text(one)),
        (false, all) => console.data(&side_by_side(all)),
    }
    Ok(())
}

/// A mean by the name it is printed under.
type Mean = (&'static str, fn(&PredictionScores) -> Option<f64>);

/// The means that every protocol has.
const MEANS: [Mean; 11] = [
    ("mIoU", |scores| scores.miou),
    ("mean recall", |scores| scores.mean_recall),
    ("mean precision", |scores| scores.mean_precision),
    ("pixel accuracy", |scores| scores.pixel_accuracy),
    ("FWIoU", |scores| scores.fw_iou),
    ("mean Dice", |scores| scores.mean_dice),
    ("micro IoU", |scores| scores.micro_iou),
    ("kappa", |scores| scores.kappa),
    ("mIoU-I", |scores| scores.per_image.miou_i),
    ("mIoU-C", |scores| scores.per_image.miou_c),
    ("worst 5 %", |scores| scores.per_image.worst),
];

/// The means that some protocols have.
const GROUP_MEANS: [Mean; 3] = [
    ("category IoU", |scores| scores.groups.as_ref()?.category_iou),
    ("iIoU", |scores| scores.groups.as_ref()?.iiou),
    ("category iIoU", |scores| scores.groups.as_ref()?.category_iiou),
];

fn percent(value: Option<f64>) -> Option<f64> {
    value.map(|value| value * 100.0)
}

/// All protocols' means: a row per score, a column per protocol.
fn side_by_side(all: &[PredictionScores]) -> String {
    let is_any = |&&(_, value): &&Mean| all.iter().any(|scores| value(scores).is_some());
    let rows: Vec<&Mean> = MEANS.iter().chain(GROUP_MEANS.iter().filter(is_any)).collect();
    let table = Table::new().text("score", rows.iter().map(|(name, _)| Some((*name).to_owned())).collect());
    let column = |table: Table, scores: &PredictionScores| {
        table.float(&scores.protocol, Some(2), rows.iter().map(|(_, value)| percent(value(scores))).collect())
    };
    let table = all.iter().fold(table, column);
    let counted = all.first().map_or_else(String::new, |scores| {
        format!(
            "{} images, in percent; {} pixels ignored, {} labelled pixels without a predicted class",
            scores.images, scores.ignored_pixels, scores.unpredicted_pixels
        )
    });
    format!("{}\n\n{counted}", table.to_markdown().trim_end())
}

fn text(scores: &PredictionScores) -> String {
    let column = |value: fn(&segbench_benchmark::ClassRow) -> Option<f64>| -> Vec<Option<f64>> {
        scores.classes.iter().map(|class| percent(value(class))).collect()
    };
    let table = Table::new()
        .text("class", scores.classes.iter().map(|class| Some(class.name.clone())).collect())
        .float("IoU", Some(2), column(|class| class.iou))
        .float("recall", Some(2), column(|class| class.recall))
        .float("precision", Some(2), column(|class| class.precision))
        .float("Dice", Some(2), column(|class| class.dice));
    let line = |name: &str, value: Option<f64>| match percent(value) {
        Some(value) => format!("{name:<16} {value:6.2}"),
        None => format!("{name:<16} undefined"),
    };
    let extra = GROUP_MEANS.iter().filter(|(_, value)| value(scores).is_some());
    let means: Vec<String> =
        MEANS.iter().chain(extra).map(|(name, value)| line(name, value(scores))).collect();
    format!(
        "{}\n\n{} images, {}, in percent; {} pixels ignored, {} labelled pixels without a predicted class\n{}",
        table.to_markdown().trim_end(),
        scores.images,
        scores.protocol,
        scores.ignored_pixels,
        scores.unpredicted_pixels,
        means.join("\n")
    )
}
