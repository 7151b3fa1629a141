//! One prediction set under the rules of every protocol, against the evaluators themselves; `fixtures/make_originals.py` ran them.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use segbench_metrics::{BoundaryCounts, ClassTotals, ConfusionMatrix, GroupScores, ObjectCounts, Scores};
use segbench_types::{ClassCatalog, LabelMap, Protocol};
use serde_json::Value;

/// Sums of f64 in another order; CSAIL's 1e-10 in every denominator.
const TOLERANCE: f64 = 1e-9;

struct Originals {
    fixture: Value,
    catalog: ClassCatalog,
    truths: Vec<Vec<u8>>,
    predictions: Vec<Vec<u8>>,
    instances: Vec<Vec<u16>>,
}

impl Originals {
    fn read() -> Self {
        let fixture: Value = serde_json::from_str(include_str!("fixtures/originals.json")).expect("JSON");
        let mut catalog = ClassCatalog::numbered(19);
        for (index, class) in catalog.classes.iter_mut().enumerate() {
            class.name = fixture["names"][index].as_str().expect("a name").into();
            class.source_id = fixture["source_ids"][index].as_u64().expect("an id") as u16;
        }
        let maps = |key: &str| -> Vec<Vec<u64>> {
            let images = fixture["images"].as_array().expect("images");
            let map = |image: &Value| {
                image[key].as_array().expect("a map").iter().filter_map(Value::as_u64).collect()
            };
            images.iter().map(map).collect()
        };
        let bytes = |key: &str| -> Vec<Vec<u8>> {
            maps(key).into_iter().map(|map| map.into_iter().map(|label| label as u8).collect()).collect()
        };
        let words = |map: Vec<u64>| map.into_iter().map(|id| id as u16).collect();
        Self {
            truths: bytes("truth"),
            predictions: bytes("predicted"),
            instances: maps("instances").into_iter().map(words).collect(),
            catalog,
            fixture,
        }
    }

    fn confusion(&self) -> ConfusionMatrix {
        let mut confusion = ConfusionMatrix::new(19);
        for (truth, predicted) in self.truths.iter().zip(&self.predictions) {
            confusion.count(truth, predicted).expect("maps fit");
        }
        confusion
    }

    fn objects(&self) -> Vec<ObjectCounts> {
        let class_of = |instance| self.catalog.class_of_instance(instance);
        let pairs = self.instances.iter().zip(&self.predictions);
        pairs
            .flat_map(|(instances, predicted)| {
                ObjectCounts::count(instances, predicted, 19, class_of).expect("maps fit")
            })
            .collect()
    }
}

fn assert_close(what: &str, got: Option<f64>, expected: &Value) {
    match (got, expected.as_f64()) {
        (Some(got), Some(expected)) => {
            assert!((got - expected).abs() < TOLERANCE, "{what}: {got} instead of {expected}");
        }
        (got, expected) => assert_eq!(got, expected, "{what}"),
    }
}

#[test]
fn cityscapes_scores_of_classes_categories_and_objects_are_those_of_its_scripts() {
    let originals = Originals::read();
    let (confusion, objects) = (originals.confusion(), originals.objects());
    assert!(objects.len() > 8 && confusion.ignored() > 0);
    let rule = Protocol::cityscapes().scoring;
    let expected = &originals.fixture["cityscapes"];
    let scores = Scores::by(&rule, &confusion);
    let groups = GroupScores::by(&rule, &originals.catalog, &confusion, Some(&objects)).expect("categories");
    for (class, name) in originals.catalog.names().enumerate() {
        assert_close(name, scores.classes[class].iou, &expected["classes"][class]);
        assert_close(&format!("iIoU of {name}"), groups.class_iiou[class], &expected["class_iiou"][class]);
    }
    for category in &groups.categories {
        assert_close(&category.name, category.iou, &expected["categories"][&category.name]);
        assert_close(
            &format!("iIoU of {}", category.name),
            category.iiou,
            &expected["category_iiou"][&category.name],
        );
    }
    assert_close("IoU", scores.miou, &expected["averageScoreClasses"]);
    assert_close("iIoU", groups.iiou, &expected["averageScoreInstClasses"]);
    assert_close("category IoU", groups.category_iou, &expected["averageScoreCategories"]);
    assert_close("category iIoU", groups.category_iiou, &expected["averageScoreInstCategories"]);
}

#[test]
fn counts_are_those_of_mmsegmentation_and_scores_those_of_each_toolkit() {
    let originals = Originals::read();
    let confusion = originals.confusion();
    let totals = ClassTotals::of(&confusion);
    let counts = |key: &str| -> Vec<u64> {
        let areas = originals.fixture["mmseg"][key].as_array().expect("areas");
        areas.iter().filter_map(Value::as_f64).map(|area| area as u64).collect()
    };
    assert_eq!(totals.correct, counts("intersect"));
    assert_eq!(totals.ground_truth, counts("label"));
    assert_eq!((0..19).map(|class| totals.union(class)).collect::<Vec<_>>(), counts("union"));
    for (key, protocol) in [
        ("mmseg", Protocol::mmseg_whole()),
        ("hf", Protocol::hf_evaluate()),
        ("csail", Protocol::ade_mit()),
        ("detectron2", Protocol::detectron2()),
    ] {
        let scores = Scores::by(&protocol.scoring, &confusion);
        let expected = originals.fixture[key].as_object().expect("scores");
        for (name, got) in [
            ("miou", scores.miou),
            ("mean_recall", scores.mean_recall),
            ("pixel_accuracy", scores.pixel_accuracy),
            ("fw_iou", scores.fw_iou),
        ] {
            if let Some(expected) = expected.get(name) {
                assert_close(&format!("{key} {name}"), got, expected);
            }
        }
    }
}

#[test]
fn a_class_without_a_labelled_pixel_has_no_score_in_detectron2() {
    let originals = Originals::read();
    let confusion = originals.confusion();
    let scores = Scores::by(&Protocol::detectron2().scoring, &confusion);
    let totals = ClassTotals::of(&confusion);
    for (class, got) in scores.classes.iter().enumerate() {
        let is_labelled = totals.ground_truth[class] > 0;
        let iou = got.iou.filter(|_| is_labelled);
        assert_close(&format!("class {class}"), iou, &originals.fixture["detectron2"]["classes"][class]);
    }
    let only_predicted =
        (0..19).filter(|&class| totals.ground_truth[class] == 0 && totals.predicted[class] > 0);
    assert!(only_predicted.count() > 0, "the set has a class that is only predicted");
}

#[test]
fn boundary_counts_of_one_class_against_the_rest_are_those_of_its_authors() {
    let originals = Originals::read();
    let side = |key: &str| originals.fixture[key].as_u64().expect("a size") as u32;
    let (width, height) = (side("width"), side("height"));
    for (class, expected) in originals.fixture["boundary"].as_array().expect("classes").iter().enumerate() {
        let mut counts = BoundaryCounts::new(2);
        for (truth, predicted) in originals.truths.iter().zip(&originals.predictions) {
            // Ignored pixels are the rest here, for the authors' code knows none.
            let ignored_as = |label: u8| if label == 255 { 1 } else { label };
            let map = |labels: &[u8], ignored_as: &dyn Fn(u8) -> u8| {
                let data =
                    labels.iter().map(|&label| u8::from(usize::from(ignored_as(label)) != class)).collect();
                LabelMap::new(width, height, data).expect("the right size")
            };
            counts.count(&map(truth, &ignored_as), &map(predicted, &|label| label)).expect("maps fit");
        }
        let cell = counts.level(2)[0];
        let got = [cell.intersection, cell.ground_truth, cell.predicted];
        let expected: Vec<u64> =
            expected.as_array().expect("counts").iter().filter_map(Value::as_u64).collect();
        assert_eq!(got.as_slice(), expected, "class {class}");
    }
}
