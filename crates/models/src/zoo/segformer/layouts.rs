//! SegFormer's tensors as mmsegmentation names them.
//!
//! Its attention is `torch.nn.MultiheadAttention`, which keeps query, key and value in one tensor, and its feed-forward network
//! is made of 1x1 convolutions where Hugging Face has linear layers. The per-stage convolutions of its head have no counterpart
//! at Hugging Face and keep their names.

use segbench_nn::weights::{Rule, WeightMap};

use crate::architecture::Layout;

pub(super) const LAYOUTS: &[Layout] =
    &[Layout { name: "mmsegmentation", prefix: "backbone.layers.", map: mmseg }];

fn mmseg() -> segbench_nn::Result<WeightMap> {
    WeightMap::new(MMSEG)
}

const fn rename(from: &'static str, to: &'static str) -> Rule {
    Rule::Rename { from, to }
}

const fn split(from: &'static str, to: &'static [&'static str]) -> Rule {
    Rule::Split { from, to, dim: 0 }
}

const MMSEG: &[Rule] = &[
    rename("backbone.layers.{s}.0.projection.{p}", "segformer.encoder.patch_embeddings.{s}.proj.{p}"),
    rename("backbone.layers.{s}.0.norm.{p}", "segformer.encoder.patch_embeddings.{s}.layer_norm.{p}"),
    rename("backbone.layers.{s}.1.{b}.norm1.{p}", "segformer.encoder.block.{s}.{b}.layer_norm_1.{p}"),
    split(
        "backbone.layers.{s}.1.{b}.attn.attn.in_proj_weight",
        &[
            "segformer.encoder.block.{s}.{b}.attention.self.query.weight",
            "segformer.encoder.block.{s}.{b}.attention.self.key.weight",
            "segformer.encoder.block.{s}.{b}.attention.self.value.weight",
        ],
    ),
    split(
        "backbone.layers.{s}.1.{b}.attn.attn.in_proj_bias",
        &[
            "segformer.encoder.block.{s}.{b}.attention.self.query.bias",
            "segformer.encoder.block.{s}.{b}.attention.self.key.bias",
            "segformer.encoder.block.{s}.{b}.attention.self.value.bias",
        ],
    ),
    rename(
        "backbone.layers.{s}.1.{b}.attn.attn.out_proj.{p}",
        "segformer.encoder.block.{s}.{b}.attention.output.dense.{p}",
    ),
    rename("backbone.layers.{s}.1.{b}.attn.sr.{p}", "segformer.encoder.block.{s}.{b}.attention.self.sr.{p}"),
    rename(
        "backbone.layers.{s}.1.{b}.attn.norm.{p}",
        "segformer.encoder.block.{s}.{b}.attention.self.layer_norm.{p}",
    ),
    rename("backbone.layers.{s}.1.{b}.norm2.{p}", "segformer.encoder.block.{s}.{b}.layer_norm_2.{p}"),
    Rule::Squeeze {
        from: "backbone.layers.{s}.1.{b}.ffn.layers.0.weight",
        to: "segformer.encoder.block.{s}.{b}.mlp.dense1.weight",
    },
    rename("backbone.layers.{s}.1.{b}.ffn.layers.0.bias", "segformer.encoder.block.{s}.{b}.mlp.dense1.bias"),
    rename(
        "backbone.layers.{s}.1.{b}.ffn.layers.1.{p}",
        "segformer.encoder.block.{s}.{b}.mlp.dwconv.dwconv.{p}",
    ),
    Rule::Squeeze {
        from: "backbone.layers.{s}.1.{b}.ffn.layers.4.weight",
        to: "segformer.encoder.block.{s}.{b}.mlp.dense2.weight",
    },
    rename("backbone.layers.{s}.1.{b}.ffn.layers.4.bias", "segformer.encoder.block.{s}.{b}.mlp.dense2.bias"),
    rename("backbone.layers.{s}.2.{p}", "segformer.encoder.layer_norm.{s}.{p}"),
    rename("decode_head.convs.{s}.{p..}", "decode_head.convs.{s}.{p..}"),
    rename("decode_head.fusion_conv.conv.weight", "decode_head.linear_fuse.weight"),
    rename("decode_head.fusion_conv.bn.{p}", "decode_head.batch_norm.{p}"),
    rename("decode_head.conv_seg.{p}", "decode_head.classifier.{p}"),
];
