//! Where every number comes from: protocol, data, weights, training, machine.

use segbench_types::{AbsentClass, IGNORE, NoClass, Protocol, RunRecord};

use crate::leaderboard::{Entry, Group};
use crate::text::{counted, grouped};

/// A titled list of facts.
pub(crate) struct Sheet {
    pub(crate) title: String,
    pub(crate) facts: Vec<(&'static str, String)>,
}

/// Everything known of one run.
pub(crate) struct RunSheet {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) run_id: String,
    /// What to bear in mind with its numbers.
    pub(crate) warnings: Vec<String>,
    pub(crate) sheets: Vec<Sheet>,
}

/// Each protocol once.
pub(crate) fn protocols(groups: &[Group]) -> Vec<Sheet> {
    let mut seen = Vec::<&Protocol>::new();
    for entry in groups.iter().flat_map(|group| &group.entries) {
        if !seen.contains(&&entry.run.record.protocol) {
            seen.push(&entry.run.record.protocol);
        }
    }
    seen.into_iter().map(protocol).collect()
}

fn protocol(protocol: &Protocol) -> Sheet {
    let absent = match protocol.scoring.absent_class {
        AbsentClass::Skipped => {
            "a class in neither ground truth nor predictions is left out of means, which divide by the classes that remain"
        }
        AbsentClass::SkippedUnlessLabelled => {
            "a class without a labelled pixel is left out of means, which divide by the classes that remain"
        }
        AbsentClass::Zero => {
            "a class without a score counts as 0, and means divide by the number of all classes"
        }
    };
    let no_class = match protocol.scoring.no_class {
        NoClass::Missed => "a labelled pixel without a predicted class is a miss",
        NoClass::LeftOut => "a labelled pixel without a predicted class counts nowhere",
    };
    let pooled = match protocol.scoring.pooled {
        true => "pixels of all images are counted together before a score is taken",
        false => "a score is taken per image, then averaged over images",
    };
    let ignored = format!("pixels labelled {IGNORE} count nowhere, whatever is predicted there; {no_class}");
    let mut facts = vec![("In short", protocol.description.clone())];
    facts.extend(protocol.inference.parts());
    facts.extend([
        ("Ignored pixels", ignored),
        ("Absent classes", absent.to_owned()),
        ("Averaging", pooled.to_owned()),
    ]);
    Sheet { title: protocol.name.clone(), facts }
}

/// A sheet per run, in the order of the leaderboard.
pub(crate) fn runs(groups: &[Group]) -> Vec<RunSheet> {
    let mut sheets = Vec::new();
    for group in groups {
        for (entry, label) in group.entries.iter().zip(group.labels()) {
            let record = &entry.run.record;
            sheets.push(RunSheet {
                title: label,
                subtitle: format!("{} {}, run {}", record.dataset.name, record.split, record.run_id),
                run_id: record.run_id.clone(),
                warnings: warnings(entry),
                sheets: vec![run(record), weights(record), data(record), machine(record)],
            });
        }
    }
    sheets
}

/// What to bear in mind with the numbers of a run.
pub(crate) fn warnings(Entry { run, row }: &Entry) -> Vec<String> {
    let mut warnings = Vec::new();
    if let (true, Some(accuracy)) = (run.is_partial(), &run.record.accuracy) {
        let (images, all) = (grouped(accuracy.images), grouped(accuracy.available));
        warnings.push(format!("evaluated on {images} of {all} images of the split"));
    }
    if run.result.is_some() && row.rank.is_none() {
        warnings.push("has no rank, because the others saw other images or labels".into());
    }
    if row.miou.is_some() && row.miou_low.is_none() {
        warnings.push("too few images for an interval".into());
    }
    if let Some(speed) = run.record.speed.as_ref().filter(|speed| speed.validity != "VALID") {
        warnings.push(format!("speed is {}", speed.validity));
    }
    if row.verdict.as_deref() == Some("mismatch") {
        warnings.push("its score is not the published one, and nothing known explains it".into());
    }
    if run.result.is_some() && run.result.as_ref().is_some_and(|result| result.confusion.no_class() > 0) {
        warnings.push("some labelled pixels were given no class".into());
    }
    warnings
}

fn run(record: &RunRecord) -> Sheet {
    let mut facts = vec![
        ("Run id", record.run_id.clone()),
        ("Network", record.model.clone()),
        ("Parameters", grouped(record.parameters)),
        ("Protocol", record.protocol.name.clone()),
    ];
    if let Some(accuracy) = &record.accuracy {
        let of = if accuracy.images < accuracy.available {
            format!(" of {} in the split", grouped(accuracy.available))
        } else {
            String::new()
        };
        facts.push(("Images", format!("{}{of}", grouped(accuracy.images))));
        facts.push(("Ignored pixels", grouped(accuracy.ignored_pixels)));
    }
    if let Some(published) = record.published_miou {
        facts.push(("Published mIoU", format!("{published:.2} %")));
    }
    Sheet { title: "Run".into(), facts }
}

fn weights(record: &RunRecord) -> Sheet {
    let mut facts = vec![("File or tag", record.weights.clone()), ("SHA-256", record.weights_sha256.clone())];
    match &record.training {
        Some(training) => facts.extend([
            ("Trained on", training.dataset.clone()),
            ("Loss", training.loss.clone()),
            ("Class weights", training.class_weights.clone().unwrap_or_else(|| "none".into())),
            ("Steps", grouped(training.steps)),
            ("Seed", training.seed.to_string()),
        ]),
        None => facts.push(("Training", "not known to segbench".into())),
    }
    Sheet { title: "Weights".into(), facts }
}

fn data(record: &RunRecord) -> Sheet {
    let dataset = &record.dataset;
    let splits: Vec<_> = dataset
        .splits
        .iter()
        .map(|(name, split)| {
            let images = counted(usize::try_from(split.images).unwrap_or(usize::MAX), "image");
            format!("{name} {images}, {} labelled", grouped(split.labelled))
        })
        .collect();
    Sheet {
        title: "Data".into(),
        facts: vec![
            ("Data set", format!("{}, split {}", dataset.name, record.split)),
            ("Source", dataset.source.clone()),
            ("Licence", dataset.licence.clone()),
            ("Splits", splits.join("; ")),
            ("Classes", format!("{} ({})", dataset.catalog.len(), dataset.catalog.name)),
            ("Images", dataset.images.clone()),
            ("Converter", format!("version {}", dataset.converter_version)),
            ("Manifest SHA-256", record.manifest_sha256.clone()),
        ],
    }
}

fn machine(record: &RunRecord) -> Sheet {
    let environment = &record.environment;
    Sheet {
        title: "Machine".into(),
        facts: vec![
            ("Device", format!("{}, {}", record.device, environment.hardware)),
            ("Threads", environment.threads.to_string()),
            ("Number format", record.dtype.clone()),
            ("System", environment.system.clone()),
            ("segbench", environment.segbench.clone()),
            ("Accuracy pass", format!("{:.1} s", record.timing.accuracy_seconds)),
            ("Speed pass", format!("{:.1} s", record.timing.speed_seconds)),
        ],
    }
}
