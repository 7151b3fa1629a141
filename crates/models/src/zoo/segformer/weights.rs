//! Published SegFormer weights.
//!
//! Addresses and scores of mmsegmentation are those of the metafile of its version 1.2.2, the names at Hugging Face those of
//! NVIDIA's model pages, which state no score there. None of the addresses has been opened and none of the scores reproduced by
//! this project yet.

use crate::card::{Inference, Published, WeightSource};

macro_rules! mmseg {
    ($run:literal, $stamp:literal) => {
        concat!(
            "https://download.openmmlab.com/mmsegmentation/v0.5/segformer/",
            $run,
            "/",
            $run,
            "_",
            $stamp,
            ".pth"
        )
    };
}

macro_rules! hugging_face {
    ($repository:literal) => {
        concat!("https://huggingface.co/nvidia/", $repository, "/resolve/main/pytorch_model.bin")
    };
}

const NVIDIA: Option<&str> =
    Some("NVIDIA Source Code License for SegFormer (non-commercial research or evaluation)");

/// Sorted by tag.
pub(super) const SOURCES: &[WeightSource] = &[
    ade20k(
        "segformer-b0.ade20k.hf",
        "b0",
        hugging_face!("segformer-b0-finetuned-ade-512-512"),
        512,
        NVIDIA,
        None,
    ),
    ade20k(
        "segformer-b0.ade20k.mmseg",
        "b0",
        mmseg!("segformer_mit-b0_512x512_160k_ade20k", "20210726_101530-8ffa8fda"),
        512,
        None,
        scores(37.41, 38.34),
    ),
    cityscapes(
        "segformer-b0.cityscapes.hf",
        "b0",
        hugging_face!("segformer-b0-finetuned-cityscapes-1024-1024"),
        NVIDIA,
        None,
    ),
    cityscapes(
        "segformer-b0.cityscapes.mmseg",
        "b0",
        mmseg!("segformer_mit-b0_8x1_1024x1024_160k_cityscapes", "20211208_101857-e7f88502"),
        None,
        scores(76.54, 78.22),
    ),
    ade20k(
        "segformer-b1.ade20k.hf",
        "b1",
        hugging_face!("segformer-b1-finetuned-ade-512-512"),
        512,
        NVIDIA,
        None,
    ),
    ade20k(
        "segformer-b1.ade20k.mmseg",
        "b1",
        mmseg!("segformer_mit-b1_512x512_160k_ade20k", "20210726_112106-d70e859d"),
        512,
        None,
        scores(40.97, 42.54),
    ),
    cityscapes(
        "segformer-b1.cityscapes.hf",
        "b1",
        hugging_face!("segformer-b1-finetuned-cityscapes-1024-1024"),
        NVIDIA,
        None,
    ),
    cityscapes(
        "segformer-b1.cityscapes.mmseg",
        "b1",
        mmseg!("segformer_mit-b1_8x1_1024x1024_160k_cityscapes", "20211208_064213-655c7b3f"),
        None,
        scores(78.56, 79.73),
    ),
    ade20k(
        "segformer-b2.ade20k.hf",
        "b2",
        hugging_face!("segformer-b2-finetuned-ade-512-512"),
        512,
        NVIDIA,
        None,
    ),
    ade20k(
        "segformer-b2.ade20k.mmseg",
        "b2",
        mmseg!("segformer_mit-b2_512x512_160k_ade20k", "20210726_112103-cbd414ac"),
        512,
        None,
        scores(45.58, 47.03),
    ),
    cityscapes(
        "segformer-b2.cityscapes.hf",
        "b2",
        hugging_face!("segformer-b2-finetuned-cityscapes-1024-1024"),
        NVIDIA,
        None,
    ),
    cityscapes(
        "segformer-b2.cityscapes.mmseg",
        "b2",
        mmseg!("segformer_mit-b2_8x1_1024x1024_160k_cityscapes", "20211207_134205-6096669a"),
        None,
        scores(81.08, 82.18),
    ),
    ade20k(
        "segformer-b3.ade20k.hf",
        "b3",
        hugging_face!("segformer-b3-finetuned-ade-512-512"),
        512,
        NVIDIA,
        None,
    ),
    ade20k(
        "segformer-b3.ade20k.mmseg",
        "b3",
        mmseg!("segformer_mit-b3_512x512_160k_ade20k", "20210726_081410-962b98d2"),
        512,
        None,
        scores(47.82, 48.81),
    ),
    cityscapes(
        "segformer-b3.cityscapes.hf",
        "b3",
        hugging_face!("segformer-b3-finetuned-cityscapes-1024-1024"),
        NVIDIA,
        None,
    ),
    cityscapes(
        "segformer-b3.cityscapes.mmseg",
        "b3",
        mmseg!("segformer_mit-b3_8x1_1024x1024_160k_cityscapes", "20211206_224823-a8f8a177"),
        None,
        scores(81.94, 83.14),
    ),
    ade20k(
        "segformer-b4.ade20k.hf",
        "b4",
        hugging_face!("segformer-b4-finetuned-ade-512-512"),
        512,
        NVIDIA,
        None,
    ),
    ade20k(
        "segformer-b4.ade20k.mmseg",
        "b4",
        mmseg!("segformer_mit-b4_512x512_160k_ade20k", "20210728_183055-7f509d7d"),
        512,
        None,
        scores(48.46, 49.76),
    ),
    cityscapes(
        "segformer-b4.cityscapes.hf",
        "b4",
        hugging_face!("segformer-b4-finetuned-cityscapes-1024-1024"),
        NVIDIA,
        None,
    ),
    cityscapes(
        "segformer-b4.cityscapes.mmseg",
        "b4",
        mmseg!("segformer_mit-b4_8x1_1024x1024_160k_cityscapes", "20211207_080709-07f6c333"),
        None,
        scores(81.89, 83.38),
    ),
    ade20k(
        "segformer-b5.ade20k.hf",
        "b5",
        hugging_face!("segformer-b5-finetuned-ade-640-640"),
        640,
        NVIDIA,
        None,
    ),
    ade20k(
        "segformer-b5.ade20k.mmseg",
        "b5",
        mmseg!("segformer_mit-b5_512x512_160k_ade20k", "20210726_145235-94cedf59"),
        512,
        None,
        scores(49.13, 50.22),
    ),
    ade20k(
        "segformer-b5.ade20k.mmseg-640",
        "b5",
        mmseg!("segformer_mit-b5_640x640_160k_ade20k", "20210801_121243-41d2845b"),
        640,
        None,
        scores(49.62, 50.36),
    ),
    cityscapes(
        "segformer-b5.cityscapes.hf",
        "b5",
        hugging_face!("segformer-b5-finetuned-cityscapes-1024-1024"),
        NVIDIA,
        None,
    ),
    cityscapes(
        "segformer-b5.cityscapes.mmseg",
        "b5",
        mmseg!("segformer_mit-b5_8x1_1024x1024_160k_cityscapes", "20211206_072934-87a052ec"),
        None,
        scores(82.25, 83.48),
    ),
];

type Text = &'static str;

/// Tested on whole images.
const fn ade20k(
    tag: Text,
    preset: Text,
    url: Text,
    short_side: u32,
    licence: Option<Text>,
    published: Option<Published>,
) -> WeightSource {
    let inference = Inference::Whole { short_side };
    WeightSource { tag, preset, url, dataset: "ade20k", licence, inference, published }
}

/// Tested in windows of 1024 pixels.
const fn cityscapes(
    tag: Text,
    preset: Text,
    url: Text,
    licence: Option<Text>,
    published: Option<Published>,
) -> WeightSource {
    let inference = Inference::Slide { window: 1024, stride: 768 };
    WeightSource { tag, preset, url, dataset: "cityscapes", licence, inference, published }
}

const fn scores(miou: f64, miou_multi_scale: f64) -> Option<Published> {
    let source = "mmsegmentation 1.2.2 configs/segformer/metafile.yaml";
    Some(Published { miou, miou_multi_scale: Some(miou_multi_scale), source })
}
