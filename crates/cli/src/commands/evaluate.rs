//! `evaluate`.

use segbench_benchmark::{Encoding, PredictionScores, score_against_dataset, score_against_labels};
use segbench_datasets::PreparedDataset;
use segbench_tables::Table;
use segbench_types::{Protocol, nearest};

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
    let score = |protocol: &Protocol| match (&arguments.dataset, &arguments.labels) {
        (Some(dataset), _) => {
            segbench_datasets::check_name(dataset, &global.root)?;
            let dataset = PreparedDataset::open(&global.root, dataset)?;
            score_against_dataset(&dataset, &arguments.split, &arguments.predictions, encoding, protocol)
                .map_err(Failure::from)
        }
        (None, Some(labels)) => {
            let classes = usize::from(arguments.classes.unwrap_or_default());
            score_against_labels(labels, &arguments.predictions, classes, arguments.ignore, protocol)
                .map_err(Failure::from)
        }
        (None, None) => Err(Failure::usage("nothing to score against", "give `--dataset` or `--labels`")),
    };
    let protocols = chosen(&arguments.protocol)?;
    let scores = protocols.iter().map(score).collect::<Result<Vec<_>, _>>()?;
    match (console.is_json(), scores.as_slice()) {
        (true, [one]) => console.json(one),
        (true, all) => console.json(&all),
        (false, all) => all.iter().for_each(|one| console.data(&text(one))),
    }
    Ok(())
}

fn chosen(name: &str) -> Result<Vec<Protocol>, Failure> {
    let all = Protocol::all();
    if name == "all" {
        return Ok(all);
    }
    let found = all.iter().find(|protocol| protocol.name == name).cloned();
    let found = found.ok_or_else(|| {
        let near = nearest(name, all.iter().map(|protocol| protocol.name.as_str()));
        let help = near.map_or("segbench list protocols".into(), |near| format!("did you mean `{near}`?"));
        Failure::usage(format!("unknown protocol `{name}`"), help)
    })?;
    Ok(vec![found])
}

fn text(scores: &PredictionScores) -> String {
    let percent = |value: Option<f64>| value.map(|value| value * 100.0);
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
    let means = [
        line("mIoU", scores.miou),
        line("mean recall", scores.mean_recall),
        line("mean precision", scores.mean_precision),
        line("pixel accuracy", scores.pixel_accuracy),
        line("FWIoU", scores.fw_iou),
        line("mean Dice", scores.mean_dice),
    ];
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
