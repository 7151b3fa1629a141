//! Scores beyond single classes that some protocols have: categories, and objects weighted by their size.

use segbench_types::{ClassCatalog, ScoringRule};
use serde::Serialize;

use crate::scores::{mean, ratio};
use crate::{ConfusionMatrix, ObjectCounts};

/// The scores of one category, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategoryScores {
    /// Its name.
    pub name: String,
    /// Intersection over union, its classes taken for one.
    pub iou: Option<f64>,
    /// The same with objects weighted by their size; undefined unless all its classes have objects.
    pub iiou: Option<f64>,
}

/// Scores of categories and of objects, as fractions.
///
/// In an instance-weighted IoU (iIoU) every pixel of an object, found or missed, counts as the mean size of the class's objects
/// over the size of this one, so that small objects weigh as much as large ones; false positives belong to no object and count plain.
///
/// # Source
/// Cordts et al. 2016, <https://arxiv.org/abs/1604.01685>, section 4.1; cityscapesScripts 2.3.0,
/// `evaluation/evalPixelLevelSemanticLabeling.py`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupScores {
    /// Categories that have a class in the catalog.
    pub categories: Vec<CategoryScores>,
    /// Mean of the categories' IoU.
    pub category_iou: Option<f64>,
    /// Mean of the categories' iIoU.
    pub category_iiou: Option<f64>,
    /// iIoU of every class; undefined for classes without objects.
    pub class_iiou: Vec<Option<f64>>,
    /// Mean iIoU over classes.
    pub iiou: Option<f64>,
}

impl GroupScores {
    /// The scores of all images together, `None` for a protocol without categories and for a catalog that has none of their classes.
    /// Without the objects of all images, the instance-weighted scores are undefined.
    pub fn by(
        rule: &ScoringRule,
        catalog: &ClassCatalog,
        matrix: &ConfusionMatrix,
        objects: Option<&[ObjectCounts]>,
    ) -> Option<Self> {
        let index = |name: &String| catalog.names().position(|class| class == name).map(|index| index as u8);
        let groups: Vec<(&str, Vec<u8>)> = rule
            .categories
            .iter()
            .map(|category| (category.name.as_str(), category.classes.iter().filter_map(index).collect()))
            .filter(|(_, classes): &(&str, Vec<u8>)| !classes.is_empty())
            .collect();
        if groups.is_empty() {
            return None;
        }
        let sizes: Vec<(u8, f64)> =
            rule.instance_sizes.iter().filter_map(|size| Some((index(&size.class)?, size.pixels))).collect();
        let weighted = |classes: &[u8]| weighted_iou(matrix, objects?, classes, &sizes);
        let categories: Vec<CategoryScores> = groups
            .iter()
            .map(|(name, classes)| CategoryScores {
                name: (*name).to_owned(),
                iou: iou(matrix, classes),
                iiou: weighted(classes),
            })
            .collect();
        let class_iiou: Vec<_> = (0..catalog.len()).map(|class| weighted(&[class as u8])).collect();
        Some(Self {
            category_iou: mean(categories.iter().map(|category| category.iou)),
            category_iiou: mean(categories.iter().map(|category| category.iiou)),
            iiou: mean(class_iiou.iter().copied()),
            categories,
            class_iiou,
        })
    }
}

/// Found, missed and wrongly predicted pixels of some classes taken for one.
fn areas(matrix: &ConfusionMatrix, classes: &[u8]) -> (u64, u64, u64) {
    let (mut found, mut missed, mut wrong) = (0, 0, 0);
    for (truth, predicted, pixels) in matrix.cells() {
        let is_predicted = predicted.is_some_and(|label| classes.contains(&label));
        match (classes.contains(&truth), is_predicted) {
            (true, true) => found += pixels,
            (true, false) => missed += pixels,
            (false, true) => wrong += pixels,
            (false, false) => {}
        }
    }
    (found, missed, wrong)
}

fn iou(matrix: &ConfusionMatrix, classes: &[u8]) -> Option<f64> {
    let (found, missed, wrong) = areas(matrix, classes);
    ratio(found, found + missed + wrong)
}

fn weighted_iou(
    matrix: &ConfusionMatrix,
    objects: &[ObjectCounts],
    classes: &[u8],
    sizes: &[(u8, f64)],
) -> Option<f64> {
    let size = |class: u8| sizes.iter().find(|(of, _)| *of == class).map(|(_, pixels)| *pixels);
    if classes.iter().any(|&class| size(class).is_none()) {
        return None;
    }
    let (mut found, mut missed) = (0.0, 0.0);
    for object in objects.iter().filter(|object| classes.contains(&object.class)) {
        let Some(size) = size(object.class) else { continue };
        let (pixels, hit) = (object.pixels(), object.found(classes));
        let weight = size / pixels as f64;
        found += hit as f64 * weight;
        missed += (pixels - hit) as f64 * weight;
    }
    let (_, _, wrong) = areas(matrix, classes);
    let whole = found + missed + wrong as f64;
    (whole > 0.0).then(|| found / whole)
}

#[cfg(test)]
mod tests {
    use segbench_types::{Category, InstanceSize};

    use super::*;

    fn rule() -> ScoringRule {
        ScoringRule {
            categories: vec![
                Category { name: "ground".into(), classes: vec!["class 0".into(), "class 1".into()] },
                Category { name: "things".into(), classes: vec!["class 2".into()] },
                Category { name: "elsewhere".into(), classes: vec!["class 9".into()] },
            ],
            instance_sizes: vec![InstanceSize { class: "class 2".into(), pixels: 10.0 }],
            ..ScoringRule::default()
        }
    }

    #[test]
    fn a_category_does_not_mind_which_of_its_classes_is_predicted() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.count(&[0, 0, 1, 1, 2, 2], &[1, 2, 0, 255, 2, 0]).expect("maps fit");
        let scores = GroupScores::by(&rule(), &ClassCatalog::numbered(3), &matrix, None).expect("categories");
        let ious: Vec<_> = scores.categories.iter().map(|category| category.iou).collect();
        // ground: 2 found, 2 missed, 1 wrong; things: 1, 1, 1.
        assert_eq!(ious, [Some(2.0 / 5.0), Some(1.0 / 3.0)]);
        assert_eq!((scores.iiou, scores.category_iiou), (None, None));
        assert_eq!(GroupScores::by(&ScoringRule::default(), &ClassCatalog::numbered(3), &matrix, None), None);
    }

    #[test]
    fn small_objects_weigh_as_much_as_large_ones() {
        let mut matrix = ConfusionMatrix::new(3);
        matrix.add(2, Some(2), 20).expect("a class");
        matrix.add(2, Some(0), 2).expect("a class");
        matrix.add(0, Some(2), 5).expect("a class");
        let object = |instance, predicted| ObjectCounts { instance, class: 2, predicted };
        let objects = [object(1, vec![(Some(2), 20)]), object(2, vec![(Some(0), 2)])];
        let scores = GroupScores::by(&rule(), &ClassCatalog::numbered(3), &matrix, Some(&objects))
            .expect("categories");
        // Each object weighs 10 pixels: 10 found, 10 missed, 5 wrong.
        assert_eq!(scores.class_iiou, [None, None, Some(0.4)]);
        assert_eq!((scores.iiou, scores.category_iiou), (Some(0.4), Some(0.4)));
        assert_eq!(scores.categories[0].iiou, None);
    }
}
