//! What each metric means, for `segbench list metrics`, for reports and for the documentation.

use serde::Serialize;

/// A metric in words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metric {
    /// Its name in JSON and in tables.
    pub key: &'static str,
    /// Its usual symbol.
    pub symbol: &'static str,
    /// Its name in a sentence.
    pub title: &'static str,
    /// Formula over the confusion matrix `n[gt][pred]`: `TP = n[c][c]`, `FN` = the rest of row c ("no class" included), `FP` = the
    /// rest of column c, `N` = all labelled pixels, `K` = classes with a defined score.
    pub formula: &'static str,
    /// Unit in tables; JSON has fractions.
    pub unit: Unit,
    /// Lowest and highest value, as fractions.
    pub range: (f64, f64),
    /// Whether more is better.
    pub higher_is_better: bool,
    /// What happens to a class that the maps do not hold.
    pub absent_class: &'static str,
    /// Who defined it, and the code whose numbers it repeats.
    pub source: &'static str,
}

/// The unit of a metric in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Percent, with two decimals.
    Percent,
}

const fn metric(key: &'static str, symbol: &'static str, title: &'static str) -> Metric {
    Metric {
        key,
        symbol,
        title,
        formula: "",
        unit: Unit::Percent,
        range: (0.0, 1.0),
        higher_is_better: true,
        absent_class: "",
        source: "",
    }
}

const SKIPPED: &str = "classes without a defined score are left out of the mean";
const NEITHER: &str = "undefined if the class is neither in the ground truth nor predicted";

/// All metrics: those of the whole first, then those of one class.
pub const METRICS: &[Metric] = &[
    Metric {
        formula: "1/K * sum over c of TP / (TP + FP + FN)",
        absent_class: SKIPPED,
        source: "PASCAL VOC (Everingham et al. 2010); mmsegmentation IoUMetric `mIoU`",
        ..metric("miou", "mIoU", "mean intersection over union")
    },
    Metric {
        formula: "1/K * sum over c of TP / (TP + FN)",
        absent_class: SKIPPED,
        source: "Long et al. 2015 (mean accuracy); mmsegmentation IoUMetric `mAcc`",
        ..metric("mean_recall", "mAcc", "mean recall over classes")
    },
    Metric {
        formula: "1/K * sum over c of TP / (TP + FP)",
        absent_class: SKIPPED,
        source: "mmsegmentation IoUMetric `mPrecision`; some textbooks call it mean pixel accuracy (MPA)",
        ..metric("mean_precision", "mPrecision", "mean precision over classes")
    },
    Metric {
        formula: "sum over c of TP / N",
        absent_class: "a class without pixels changes nothing",
        source: "Long et al. 2015 (pixel accuracy); mmsegmentation IoUMetric `aAcc`",
        ..metric("pixel_accuracy", "aAcc", "pixel accuracy")
    },
    Metric {
        formula: "sum over c of (TP + FN) / N * TP / (TP + FP + FN)",
        absent_class: "a class without pixels in the ground truth has weight 0",
        source: "Long et al. 2015 (frequency weighted IU)",
        ..metric("fw_iou", "FWIoU", "frequency-weighted intersection over union")
    },
    Metric {
        formula: "1/K * sum over c of 2 TP / (2 TP + FP + FN)",
        absent_class: SKIPPED,
        source: "Dice 1945; mmsegmentation IoUMetric `mDice`",
        ..metric("mean_dice", "mDice", "mean Dice coefficient")
    },
    Metric {
        formula: "TP / (TP + FP + FN)",
        absent_class: NEITHER,
        source: "Jaccard 1912; mmsegmentation IoUMetric `IoU`",
        ..metric("iou", "IoU", "intersection over union of one class")
    },
    Metric {
        formula: "TP / (TP + FN)",
        absent_class: "undefined if the ground truth has no pixel of the class",
        source: "mmsegmentation IoUMetric `Acc`",
        ..metric("recall", "Acc", "recall of one class")
    },
    Metric {
        formula: "TP / (TP + FP)",
        absent_class: "undefined if the class is never predicted",
        source: "mmsegmentation IoUMetric `Precision`; some textbooks call it class pixel accuracy (CPA)",
        ..metric("precision", "Precision", "precision of one class")
    },
    Metric {
        formula: "2 TP / (2 TP + FP + FN) = 2 IoU / (1 + IoU)",
        absent_class: NEITHER,
        source: "Dice 1945; the F1 score of van Rijsbergen 1979; mmsegmentation IoUMetric `Dice`",
        ..metric("dice", "Dice", "Dice coefficient of one class, which is its F1 score")
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_fully_described_under_a_key_of_its_own() {
        for (index, metric) in METRICS.iter().enumerate() {
            let texts =
                [metric.key, metric.symbol, metric.title, metric.formula, metric.absent_class, metric.source];
            assert!(texts.iter().all(|text| !text.is_empty()), "{}", metric.key);
            assert!(METRICS[..index].iter().all(|other| other.key != metric.key), "{} twice", metric.key);
        }
    }
}
