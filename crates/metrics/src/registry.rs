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
        formula: "sum over c of TP / sum over c of (TP + FP + FN)",
        absent_class: "a class in neither map changes nothing",
        source: "micro average of the Jaccard index; torchmetrics JaccardIndex `micro`",
        ..metric("micro_iou", "micro IoU", "intersection over union of all classes' pixels together")
    },
    Metric {
        formula: "(p - e) / (1 - e), p = pixel accuracy, e = sum over c of (TP + FN) * (TP + FP) / N^2",
        range: (-1.0, 1.0),
        absent_class: "a class in neither map changes nothing; undefined if one class is all there is",
        source: "Cohen 1960; PaddleSeg `kappa`",
        ..metric("kappa", "kappa", "agreement beyond chance")
    },
    Metric {
        formula: "mean over images of the mean over the image's classes of TP / (TP + FP + FN)",
        absent_class: "a class counts in the images whose ground truth holds it",
        source: "Wang et al. 2023, https://arxiv.org/abs/2310.19252",
        ..metric("miou_i", "mIoU-I", "image-wise mean intersection over union")
    },
    Metric {
        formula: "mean over classes of the mean over images that hold the class of TP / (TP + FP + FN)",
        absent_class: "a class counts in the images whose ground truth holds it",
        source: "Wang et al. 2023, https://arxiv.org/abs/2310.19252",
        ..metric("miou_c", "mIoU-C", "class-wise mean over images of intersection over union")
    },
    Metric {
        formula: "mean over the 5 % of images with the lowest mean of TP / (TP + FP + FN) over their classes",
        absent_class: "a class counts in the images whose ground truth holds it",
        source: "Wang et al. 2023, https://arxiv.org/abs/2310.19252",
        ..metric("worst", "worst 5 %", "image-wise mean intersection over union of the worst images")
    },
    Metric {
        formula: "mean over categories of TP / (TP + FP + FN), their classes taken for one",
        absent_class: "categories in neither map are left out of the mean",
        source: "Cordts et al. 2016, https://arxiv.org/abs/1604.01685; cityscapesScripts `averageScoreCategories`",
        ..metric("category_iou", "category IoU", "mean intersection over union of categories")
    },
    Metric {
        formula: "1/K * sum over c of iTP / (iTP + FP + iFN), pixels of an object weighted by mean size / its size",
        absent_class: SKIPPED,
        source: "Cordts et al. 2016, https://arxiv.org/abs/1604.01685; cityscapesScripts `averageScoreInstClasses`",
        ..metric("iiou", "iIoU", "instance-weighted intersection over union")
    },
    Metric {
        formula: "as iIoU, with a category's classes taken for one",
        absent_class: "categories with classes that have no objects are left out of the mean",
        source: "cityscapesScripts `averageScoreInstCategories`",
        ..metric("category_iiou", "category iIoU", "instance-weighted intersection over union of categories")
    },
    Metric {
        formula: "1/K * sum over c of |G & P| / |G or P|, G and P the bands along the class's outlines, 2 % of the diagonal wide",
        absent_class: "classes without an outline in either map are left out of the mean",
        source: "Cheng et al. 2021, https://arxiv.org/abs/2103.16562; boundary-iou-api",
        ..metric("boundary_iou", "Boundary IoU", "mean intersection over union along outlines")
    },
    Metric {
        formula: "1/K * sum over c of 2 P R / (P + R), P and R the shares of both outlines with the other within reach",
        absent_class: "classes without an outline in either map are left out of the mean",
        source: "Csurka et al. 2013; Perazzi et al. 2016 (DAVIS `F`)",
        ..metric("boundary_f", "BF", "mean boundary F-score")
    },
    Metric {
        formula: "sum over 15 bins of pixels / N * |mean confidence - accuracy|",
        higher_is_better: false,
        absent_class: "a class without pixels changes nothing",
        source: "Guo et al. 2017, https://arxiv.org/abs/1706.04599; torchmetrics MulticlassCalibrationError",
        ..metric("ece", "ECE", "expected calibration error")
    },
    Metric {
        formula: "found pixels / pixels of the objects below 32^2, below 96^2, and of at least 96^2 pixels",
        absent_class: "undefined without an object of the size",
        source: "size ranges of the COCO detection evaluation",
        ..metric("recall_by_size", "recall S/M/L", "recall of small, medium and large objects")
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
    Metric {
        formula: "(TP + TN) / (TP + FP + TN + FN)",
        absent_class: "undefined without a labelled pixel",
        source: "one class against the rest; with two classes it is the pixel accuracy",
        ..metric("accuracy", "accuracy", "binary accuracy of one class")
    },
    Metric {
        formula: "2 precision * recall / (precision + recall)",
        absent_class: NEITHER,
        source: "van Rijsbergen 1979; equal to Dice",
        ..metric("f1", "F1", "binary F1 score of one class")
    },
    Metric {
        formula: "(2 TP + 1) / (2 TP + FP + FN + 1)",
        absent_class: "1 if the class is neither in the ground truth nor predicted",
        source: "the smoothed coefficient that Dice losses use; Milletari et al. 2016",
        ..metric("smoothed_dice", "smoothed Dice", "binary Dice coefficient with 1 added above and below")
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
