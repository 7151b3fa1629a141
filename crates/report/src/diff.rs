//! Two runs side by side: which classes and which images moved the score.

use std::path::Path;

use segbench_metrics::{decompose, image_miou, paired_bootstrap, permutation_test};
use segbench_tables::Table;
use serde::Serialize;

use crate::run::{FEWEST_IMAGES, Run, SEED, find_run};
use crate::text::{counted, fixed};
use crate::{Error, leaderboard};

/// Resamples of the interval and permutations of the test.
const RESAMPLES: usize = 1000;

/// The difference between two runs on the same images. All scores are fractions, all differences are second minus first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The run compared with.
    pub first: Side,
    /// The run compared.
    pub second: Side,
    /// Protocol whose rule the scores follow.
    pub protocol: String,
    /// Difference of the mIoU.
    pub miou: f64,
    /// Lower end of its 95 % interval (paired bootstrap over images).
    pub low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub high: Option<f64>,
    /// Probability of a difference as large if it were a coin toss, image by image, which run made which prediction.
    pub p_value: Option<f64>,
    /// Every class; the contributions add up to `miou`.
    pub classes: Vec<ClassPart>,
    /// Every image, the largest contribution first, either way; they add up to `miou`.
    pub images: Vec<ImagePart>,
}

/// One of the two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Its id.
    pub run_id: String,
    /// Its model.
    pub model: String,
    /// Its weights.
    pub weights: String,
    /// Its mIoU.
    pub miou: f64,
}

/// What a class contributed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassPart {
    /// Its name.
    pub name: String,
    /// Its IoU in the first run.
    pub first: Option<f64>,
    /// Its IoU in the second run.
    pub second: Option<f64>,
    /// Its part of the difference of the mIoU.
    pub contribution: f64,
}

/// What an image contributed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ImagePart {
    /// Its id.
    pub id: String,
    /// mIoU of the image in the first run, over the classes of its ground truth.
    pub first: Option<f64>,
    /// The same in the second run.
    pub second: Option<f64>,
    /// Its part of the difference of the mIoU.
    pub contribution: f64,
    /// The class that contributed most to that, either way.
    pub class: String,
    /// What that class contributed in this image.
    pub class_contribution: f64,
}

/// Compares two runs, named by run id, the beginning of one, or folder.
///
/// # Errors
/// [`Error::UnknownRun`], [`Error::AmbiguousRun`], [`Error::UnusableRun`] for a run that cannot be read or has no accuracy,
/// [`Error::NotComparable`] for runs on other images, labels, classes or scoring rules.
pub fn diff(runs_dir: &Path, first: &str, second: &str) -> Result<Difference, Error> {
    let read = |name: &str| -> Result<Run, Error> {
        let path = find_run(runs_dir, name)?;
        Run::read(&path).map_err(|reason| Error::UnusableRun { path, reason })
    };
    let runs = [read(first)?, read(second)?];
    let side = |run: &Run| -> Result<Side, Error> {
        let record = &run.record;
        let miou = run.result.as_ref().and_then(|result| result.scores.miou);
        let unusable = || Error::UnusableRun { path: run.folder.clone(), reason: "it has no mIoU".into() };
        Ok(Side {
            run_id: record.run_id.clone(),
            model: record.model.clone(),
            weights: record.weights.clone(),
            miou: miou.ok_or_else(unusable)?,
        })
    };
    let (one, two) = (side(&runs[0])?, side(&runs[1])?);
    let not_comparable = |reason: String| Error::NotComparable {
        first: one.run_id.clone(),
        second: two.run_id.clone(),
        reason,
    };
    if let Some(reason) = leaderboard::why_not_comparable(&runs[0], &runs[1]) {
        return Err(not_comparable(reason));
    }
    let [Some(a), Some(b)] = runs.each_ref().map(|run| run.result.as_ref()) else {
        return Err(not_comparable("one has no accuracy".into()));
    };
    let absent = runs[0].record.protocol.scoring.absent_class;
    let parts = decompose(absent, &a.per_image, &b.per_image)
        .ok_or_else(|| not_comparable("nothing is labelled".into()))?;
    let enough = a.per_image.len() >= FEWEST_IMAGES;
    let interval = paired_bootstrap(absent, &a.per_image, &b.per_image, RESAMPLES, SEED).filter(|_| enough);
    let p_value = permutation_test(absent, &a.per_image, &b.per_image, RESAMPLES, SEED).filter(|_| enough);
    let catalog = &runs[0].record.dataset.catalog;
    let names: Vec<&str> = catalog.names().collect();
    let class = |(index, name): (usize, &&str)| ClassPart {
        name: (*name).to_owned(),
        first: a.scores.classes.get(index).and_then(|class| class.iou),
        second: b.scores.classes.get(index).and_then(|class| class.iou),
        contribution: parts.iter().filter_map(|part| part.get(index)).sum(),
    };
    let image = |(index, part): (usize, &Vec<f64>)| {
        let largest = part.iter().copied().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let (class, class_contribution) = largest.unwrap_or_default();
        ImagePart {
            id: a.images.get(index).cloned().unwrap_or_default(),
            first: a.per_image.get(index).and_then(image_miou),
            second: b.per_image.get(index).and_then(image_miou),
            contribution: part.iter().sum(),
            class: names.get(class).copied().unwrap_or_default().to_owned(),
            class_contribution,
        }
    };
    let mut images: Vec<ImagePart> = parts.iter().enumerate().map(image).collect();
    images.sort_by(|a, b| b.contribution.abs().total_cmp(&a.contribution.abs()));
    Ok(Difference {
        miou: two.miou - one.miou,
        first: one,
        second: two,
        protocol: runs[0].record.protocol.name.clone(),
        low: interval.map(|interval| interval.low),
        high: interval.map(|interval| interval.high),
        p_value,
        classes: names.iter().enumerate().map(class).collect(),
        images,
    })
}

impl Difference {
    /// The difference for people: Markdown tables of all classes and of the `most` images that moved the score most.
    pub fn text(&self, most: usize) -> String {
        let points = |value: Option<f64>| value.map(|value| value * 100.0);
        let signed = |value: f64| format!("{:+.2}", value * 100.0);
        let side = |side: &Side| {
            format!("{} ({}), run {}: mIoU {:.2}", side.model, side.weights, side.run_id, side.miou * 100.0)
        };
        let mut text = format!("first   {}\nsecond  {}\n\n", side(&self.first), side(&self.second));
        text.push_str(&format!("{} points of mIoU under {}", signed(self.miou), self.protocol));
        if let (Some(low), Some(high), Some(p)) = (self.low, self.high, self.p_value) {
            let p = if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
            text.push_str(&format!(" (95 % interval {} to {}, {p})", signed(low), signed(high)));
        }
        let classes = Table::new()
            .text("class", self.classes.iter().map(|class| Some(class.name.clone())).collect())
            .float("first", Some(2), self.classes.iter().map(|class| points(class.first)).collect())
            .float("second", Some(2), self.classes.iter().map(|class| points(class.second)).collect())
            .text(
                "contribution",
                self.classes.iter().map(|class| Some(contribution(class.contribution))).collect(),
            );
        text.push_str(&format!("\n\n{}", classes.to_markdown()));
        let percent = |value: Option<f64>| fixed(points(value), 2);
        let (shown, rest) = self.images.split_at(most.min(self.images.len()));
        let mut rows: Vec<[String; 5]> = shown
            .iter()
            .map(|image| {
                let class = format!("{} {}", image.class, contribution(image.class_contribution));
                let scores = [percent(image.first), percent(image.second)];
                let [first, second] = scores;
                [image.id.clone(), first, second, contribution(image.contribution), class]
            })
            .collect();
        if !rest.is_empty() {
            let sum = contribution(rest.iter().map(|image| image.contribution).sum());
            let name = format!("{} more", counted(rest.len(), "image"));
            rows.push([name, String::new(), String::new(), sum, String::new()]);
        }
        let titles = ["image", "first", "second", "contribution", "most in"];
        let images = titles.iter().enumerate().fold(Table::new(), |table, (column, title)| {
            table.text(title, rows.iter().map(|row| Some(row[column].clone())).collect())
        });
        text.push_str(&format!("\n{}", images.to_markdown().trim_end()));
        text.push_str(
            "\n\nContributions are in points of mIoU. Those of all classes add up to the difference, and so do those of all images.",
        );
        text
    }
}

/// A contribution in points, with four digits because many small ones make a large one.
fn contribution(value: f64) -> String {
    format!("{:+.4}", value * 100.0)
}
