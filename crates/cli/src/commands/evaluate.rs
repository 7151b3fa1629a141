//! `evaluate`.

use segbench_benchmark::{
    ArrayLayout, Encoding, PredictionFiles, PredictionScores, TargetClasses, score_against_dataset,
    score_against_labels, submit_to_cityscapes,
};
use segbench_datasets::{PreparedDataset, remapped_table, taxonomy};
use segbench_tables::Table;
use segbench_types::{Progress as _, Protocol};

use crate::arguments::{ArrayOrder, Coding, EvaluateArguments, Global, Server};
use crate::console::Console;
use crate::failure::Failure;

pub(crate) fn evaluate(
    arguments: EvaluateArguments,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let predictions = PredictionFiles {
        dir: &arguments.predictions,
        encoding: match arguments.encoding {
            Coding::TrainId => Encoding::TrainId,
            Coding::SourceId => Encoding::SourceId,
            Coding::Color => Encoding::Color,
        },
        layout: arguments.layout.map(|layout| match layout {
            ArrayOrder::Chw => ArrayLayout::ClassesFirst,
            ArrayOrder::Hwc => ArrayLayout::ClassesLast,
        }),
    };
    if let Some(Server::Cityscapes) = arguments.export {
        return export(&arguments, &predictions, global, console);
    }
    let protocols = match arguments.protocol.as_str() {
        "all" => Protocol::all(),
        name => vec![Protocol::find(name)?],
    };
    let scores = match (&arguments.dataset, &arguments.labels) {
        (Some(name), _) => {
            let split = arguments.split.as_deref().unwrap_or("val");
            let (dataset, target) = open(name, arguments.taxonomy.as_deref(), global)?;
            score_against_dataset(&dataset, split, &predictions, target, &protocols)?
        }
        (None, Some(labels)) => {
            let classes = usize::from(arguments.classes.unwrap_or_default());
            score_against_labels(labels, &predictions, classes, arguments.ignore, &protocols)?
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
    if let (false, Some(report)) = (console.is_json(), scores.first().and_then(|one| one.remapped.as_ref())) {
        console.data(&format!(
            "\nWhat became of the labelled pixels:\n\n{}",
            remapped_table(report).to_markdown().trim_end()
        ));
    }
    Ok(())
}

/// The prepared data set, and the classes to score in. `name@classes` is a tree of its own where it was prepared, and otherwise
/// the data set `name` with its labels converted here.
fn open(
    name: &str,
    other: Option<&str>,
    global: &Global,
) -> Result<(PreparedDataset, TargetClasses<'static>), Failure> {
    segbench_datasets::check_name(name, &global.root)?;
    let own = segbench_datasets::raw_name(name);
    let behind = name.strip_prefix(own).and_then(|rest| rest.strip_prefix('@'));
    let is_prepared = global.root.join("prepared").join(name).join("dataset.yaml").is_file();
    match (behind, other) {
        (Some(classes), None) if !is_prepared => {
            let dataset = PreparedDataset::open(&global.root, own)?;
            let taxonomy = taxonomy(&dataset.info.catalog.name, classes)?;
            Ok((dataset, TargetClasses::Predicted(taxonomy)))
        }
        (_, Some(classes)) => {
            let dataset = PreparedDataset::open(&global.root, name)?;
            let taxonomy = taxonomy(&dataset.info.catalog.name, classes)?;
            Ok((dataset, TargetClasses::Converted(taxonomy)))
        }
        (_, None) => Ok((PreparedDataset::open(&global.root, name)?, TargetClasses::Own)),
    }
}

/// Writes a submission. The frames are those of the prepared split; where it is not prepared, those that the files are named after.
fn export(
    arguments: &EvaluateArguments,
    predictions: &PredictionFiles<'_>,
    global: &Global,
    console: &Console,
) -> Result<(), Failure> {
    let split = arguments.split.as_deref().unwrap_or("test");
    let dataset = match &arguments.dataset {
        Some(name) => {
            segbench_datasets::check_name(name, &global.root)?;
            Some(PreparedDataset::open(&global.root, name)?)
        }
        None => match PreparedDataset::open(&global.root, "cityscapes") {
            Ok(dataset) => Some(dataset).filter(|dataset| !dataset.records(split).is_empty()),
            Err(segbench_datasets::Error::NotPrepared { .. }) => None,
            Err(err) => return Err(err.into()),
        },
    };
    if dataset.is_none() {
        console.note(&format!(
            "the split `{split}` of Cityscapes is not prepared: frames are taken from the names of the files"
        ));
    }
    let submission = submit_to_cityscapes(dataset.as_ref(), split, predictions, &arguments.output, console)?;
    for note in &submission.notes {
        console.note(note);
    }
    if console.is_json() {
        console.json(&submission);
    } else {
        console.data(&format!(
            "{}: {} frames with label ids, {} pixels without a class",
            submission.output.display(),
            submission.images,
            submission.unpredicted_pixels
        ));
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

/// The means that some protocols and predictions have.
const GROUP_MEANS: [Mean; 4] = [
    ("category IoU", |scores| scores.groups.as_ref()?.category_iou),
    ("iIoU", |scores| scores.groups.as_ref()?.iiou),
    ("category iIoU", |scores| scores.groups.as_ref()?.category_iiou),
    ("ECE", |scores| scores.calibration.as_ref()?.ece),
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
