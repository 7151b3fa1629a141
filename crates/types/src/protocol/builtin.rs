//! The protocols that the program knows, a function each, and the sizes that their toolkits set per data set.

use super::{
    AbsentClass, Alignment, Category, InferenceRule, InputSize, InstanceSize, LogitSteps, NoClass, Protocol,
    ScoringRule, Window,
};

/// How logits reach the label map where they are resized once.
const DIRECT: &str = "bilinear to the label size, then argmax";

/// The sizes that toolkits set for data sets.
struct DatasetSizes {
    datasets: &'static [&'static str],
    /// mmsegmentation's `scale` as long and short side; native where it has no configuration.
    within: Option<(u32, u32)>,
    /// mmsegmentation's `crop_size` and `stride`.
    window: u32,
    stride: u32,
    /// Mask2Former's short and longest side.
    edge: Option<(u32, u32)>,
    /// The side of the square of SegFormer's published processors.
    square: u32,
}

/// # Source
/// mmsegmentation 1.2.2, `configs/_base_/datasets` and `configs/{segformer,setr}`; Mask2Former, `configs/*/semantic-segmentation`;
/// `preprocessor_config.json` of `nvidia/segformer-b0-finetuned-{ade-512-512,cityscapes-1024-1024}`. The sample has no toolkit: its
/// windows are as high as its images.
const SIZES: &[DatasetSizes] = &[
    DatasetSizes {
        datasets: &["cityscapes", "cityscapes-coarse"],
        within: Some((2048, 1024)),
        window: 1024,
        stride: 768,
        edge: Some((1024, 2048)),
        square: 1024,
    },
    DatasetSizes {
        datasets: &["ade20k", "ade20k-full", "voc2012"],
        within: Some((2048, 512)),
        window: 512,
        stride: 341,
        edge: Some((512, 2048)),
        square: 512,
    },
    DatasetSizes { datasets: &["sample"], within: None, window: 256, stride: 171, edge: None, square: 512 },
];

impl Protocol {
    /// The evaluation of the ADE20K scene parsing benchmark.
    ///
    /// # Source
    /// CSAILVision/semantic-segmentation-pytorch, `mit_semseg/utils.py` (`intersectionAndUnion`, `accuracy`), `mit_semseg/dataset.py`
    /// (`ValDataset`), `config/ade20k-resnet50dilated-ppm_deepsup.yaml` and `eval.py`: the mean divides by all classes. The 1e-10 it
    /// adds to denominators is left out.
    pub fn ade_mit() -> Self {
        Self::scores(
            "ade-mit@1",
            "the ADE20K benchmark: five sizes, softmax averaged; an absent class has IoU 0, means divide by all classes",
            InferenceRule {
                image_resize: "pillow-bilinear".into(),
                logit_resize: DIRECT.into(),
                inputs: [300, 375, 450, 525, 600]
                    .map(|short| InputSize::ShortestEdgeOfMultiples { short, longest: 1000, multiple: 8 })
                    .to_vec(),
                steps: LogitSteps::Label,
                ..InferenceRule::default()
            },
            ScoringRule { absent_class: AbsentClass::Zero, ..ScoringRule::default() },
        )
    }

    /// The pixel-level evaluation of the Cityscapes benchmark.
    ///
    /// # Source
    /// cityscapesScripts 2.3.0, `evaluation/evalPixelLevelSemanticLabeling.py`, with its `avgClassSize` and the categories of
    /// `helpers/labels.py`. Predictions of labels that the evaluation ignores (such as `parking`) have no train id here and are misses
    /// there; only the instance-weighted category scores treat predicted caravans and trailers otherwise. The benchmark leaves
    /// inference to who submits; here it is that of [`Self::mmseg_whole`] at the image's own size.
    pub fn cityscapes() -> Self {
        const CATEGORIES: [(&str, &[&str]); 7] = [
            ("flat", &["road", "sidewalk"]),
            ("construction", &["building", "wall", "fence"]),
            ("object", &["pole", "traffic light", "traffic sign"]),
            ("nature", &["vegetation", "terrain"]),
            ("sky", &["sky"]),
            ("human", &["person", "rider"]),
            ("vehicle", &["car", "truck", "bus", "train", "motorcycle", "bicycle"]),
        ];
        const SIZES: [(&str, f64); 8] = [
            ("person", 3_462.475_633_764_4),
            ("rider", 3_930.478_805_651_8),
            ("car", 12_794.020_273_818_5),
            ("truck", 27_855.126_436_781_6),
            ("bus", 35_732.151_111_111_1),
            ("train", 67_583.707_581_227_4),
            ("motorcycle", 6_298.720_083_974_8),
            ("bicycle", 4_672.324_922_226_1),
        ];
        let category = |(name, classes): (&str, &[&str])| Category {
            name: name.to_owned(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
        };
        let size = |(class, pixels): (&str, f64)| InstanceSize { class: class.to_owned(), pixels };
        Self::scores(
            "cityscapes@1",
            "the Cityscapes benchmark's scores: IoU per class and per category, and with objects weighted by their size (iIoU)",
            InferenceRule::default(),
            ScoringRule {
                categories: CATEGORIES.into_iter().map(category).collect(),
                instance_sizes: SIZES.into_iter().map(size).collect(),
                ..ScoringRule::default()
            },
        )
    }

    /// detectron2's semantic segmentation evaluator, which Mask2Former reports.
    ///
    /// # Source
    /// detectron2, `evaluation/sem_seg_evaluation.py`: rows and columns of the ignore label are cut off the confusion matrix, and
    /// means run over classes that the ground truth holds. `ResizeShortestEdge` with Pillow, `ImageList.from_tensors`,
    /// `SemSegFPNHead.forward` and `sem_seg_postprocess` for the way there.
    pub fn detectron2() -> Self {
        Self::scores(
            "detectron2@1",
            "detectron2: padded to multiples of 32; means over the classes that the ground truth holds; pixels without a predicted class are left out",
            InferenceRule {
                image_resize: "pillow-bilinear".into(),
                logit_resize:
                    "bilinear to the padded input, cut to the image, bilinear to the label size, then argmax"
                        .into(),
                alignment: Alignment::Padded { multiple: 32 },
                ..InferenceRule::default()
            },
            ScoringRule {
                absent_class: AbsentClass::SkippedUnlessLabelled,
                no_class: NoClass::LeftOut,
                ..ScoringRule::default()
            },
        )
    }

    /// Hugging Face's metric `mean_iou`.
    ///
    /// # Source
    /// huggingface/evaluate, `metrics/mean_iou/mean_iou.py`; transformers 4.57, `SegformerImageProcessor` with its default size and
    /// `post_process_semantic_segmentation` with the size of the image.
    pub fn hf_evaluate() -> Self {
        Self::scores(
            "hf-evaluate@1",
            "Hugging Face: the image squeezed into a square, the metric mean_iou, whose rules are those of mmsegmentation",
            InferenceRule {
                image_resize: "pillow-bilinear".into(),
                logit_resize: DIRECT.into(),
                inputs: vec![InputSize::Exactly { height: 512, width: 512 }],
                steps: LogitSteps::Label,
                ..InferenceRule::default()
            },
            ScoringRule::default(),
        )
    }

    /// mmsegmentation's evaluation by overlapping windows.
    ///
    /// # Source
    /// mmsegmentation 1.2.2: `EncoderDecoder.slide_inference`, window and stride as its configurations set them for the data set; the
    /// rest as [`Self::mmseg_whole`].
    pub fn mmseg_slide() -> Self {
        let window = Window { size: [512, 512], stride: [341, 341] };
        Self::scores(
            "mmseg-slide@1",
            "mmsegmentation's evaluation by overlapping windows: logits averaged, resized once more, areas pooled over images",
            InferenceRule { window: Some(window), ..InferenceRule::default() },
            ScoringRule::default(),
        )
    }

    /// mmsegmentation's evaluation of six scales and their mirror images.
    ///
    /// # Source
    /// mmsegmentation 1.2.2: `tta_pipeline` of its data sets, of which the scales are those of the image itself, and
    /// `SegTTAModel.merge_preds`.
    pub fn mmseg_tta() -> Self {
        let scales = [0.5, 0.75, 1.0, 1.25, 1.5, 1.75];
        Self::scores(
            "mmseg-tta@1",
            "mmsegmentation's test-time augmentation: six scales and their mirror images, softmax averaged, areas pooled over images",
            InferenceRule {
                inputs: scales.map(|factor| InputSize::Scaled { factor }).to_vec(),
                flip: true,
                ..InferenceRule::default()
            },
            ScoringRule::default(),
        )
    }

    /// mmsegmentation's whole-image evaluation without test-time augmentation.
    ///
    /// # Source
    /// mmsegmentation 1.2.2: `Resize` with OpenCV's bilinear kernel, `EncoderDecoder.predict` (logits to the input size, then to
    /// the original size, argmax), `IoUMetric` (areas pooled over images, absent classes left out).
    pub fn mmseg_whole() -> Self {
        Self::scores(
            "mmseg-whole@1",
            "mmsegmentation's whole-image evaluation: one view, logits resized twice, areas pooled over images",
            InferenceRule::default(),
            ScoringRule::default(),
        )
    }

    /// The evaluation of SegFormer's authors.
    ///
    /// # Source
    /// NVlabs/SegFormer, `AlignedResize` of `mmseg/datasets/pipelines/transforms.py`, and windows of 1024 every 768 for Cityscapes
    /// (`local_configs/segformer/B0/segformer.b0.1024x1024.city.160k.py`).
    pub fn segformer() -> Self {
        Self::scores(
            "segformer@1",
            "SegFormer's evaluation: sides resized to multiples of 32 (Cityscapes: windows), areas pooled over images",
            InferenceRule { alignment: Alignment::Stretched { multiple: 32 }, ..InferenceRule::default() },
            ScoringRule::default(),
        )
    }

    /// The same protocol with the sizes that its toolkit sets for a data set; unchanged for one that the toolkit does not know.
    pub fn for_dataset(mut self, dataset: &str) -> Self {
        // A data set in other classes is measured as itself.
        let dataset = dataset.split('@').next().unwrap_or(dataset);
        let Some(sizes) = SIZES.iter().find(|sizes| sizes.datasets.contains(&dataset)) else { return self };
        let window = Window { size: [sizes.window; 2], stride: [sizes.stride; 2] };
        let within =
            sizes.within.map_or(InputSize::Native, |(long, short)| InputSize::Within { long, short });
        let rule = &mut self.inference;
        match self.name.as_str() {
            "mmseg-whole@1" => rule.inputs = vec![within],
            "mmseg-slide@1" => {
                rule.inputs = vec![within];
                rule.window = Some(window);
            }
            "segformer@1" => {
                rule.inputs = vec![within];
                if dataset.starts_with("cityscapes") {
                    (rule.alignment, rule.window) = (Alignment::Free, Some(window));
                }
            }
            "detectron2@1" => {
                let edge = |(short, longest)| InputSize::ShortestEdge { short, longest };
                rule.inputs = vec![sizes.edge.map_or(InputSize::Native, edge)];
            }
            "hf-evaluate@1" => {
                rule.inputs = vec![InputSize::Exactly { height: sizes.square, width: sizes.square }];
            }
            _ => {}
        }
        self
    }

    fn scores(name: &str, description: &str, inference: InferenceRule, scoring: ScoringRule) -> Self {
        Self { name: name.into(), description: description.into(), inference, scoring }
    }
}
