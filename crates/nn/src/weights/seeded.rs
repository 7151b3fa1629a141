//! Tensors computed from their name, the same bits here and in NumPy.
//!
//! A comparison with a reference network needs the same weights on both sides. Instead of storing them, both sides compute
//! them. For element `i` of a tensor called `name`, in this order and precision:
//!
//! 1. `h = fnv1a64(name)`, over the UTF-8 bytes.
//! 2. `bits = splitmix64(h + i * 0x9E3779B97F4A7C15)`, all in wrapping u64, where `splitmix64(x)` adds `0x9E3779B97F4A7C15` to
//!    `x` and mixes: `x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9`, `x = (x ^ x >> 27) * 0x94D049BB133111EB`, `x ^ x >> 31`.
//! 3. `u = (bits >> 40) * 2^-24` in f32, exact; `c = 2 u - 1` in f32, exact.
//! 4. By name and rank:
//!    * a name that ends with `running_var`: `2^(-13.287712379549449 u)` in f64, rounded to f32 once, so log-uniform in
//!      [1e-4, 1]: with variances near 1 a wrong epsilon in a BatchNorm would not show;
//!    * one dimension: `0.1 c`, plus 1 if the name ends with `weight` (scales near 1, biases and means near 0), in f32;
//!    * otherwise `c * (sqrt(3) / sqrt(f))` in f32, `f` the product of all sizes but the first: uniform with variance `1 / f`.

use candle_core::{DType, Device, Shape, Tensor};
use candle_nn::init::Init;
use candle_nn::var_builder::{SimpleBackend, VarBuilder};

use super::report;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// log2 of 1e-4.
const LOG2_SMALLEST_VARIANCE: f64 = -13.287_712_379_549_449;

/// Serves every tensor a network asks for with values computed from its name; see the module's text for the algorithm.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seeded;

impl Seeded {
    /// What a network is built with.
    pub fn var_builder(device: &Device) -> VarBuilder<'static> {
        VarBuilder::from_backend(Box::new(Self), DType::F32, device.clone())
    }
}

impl SimpleBackend for Seeded {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: Init,
        dtype: DType,
        device: &Device,
    ) -> candle_core::Result<Tensor> {
        let values = seeded(name, shape.dims());
        Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> candle_core::Result<Tensor> {
        Err(report::shape_needed(name))
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

/// The values of the tensor `name` in row-major order.
pub fn seeded(name: &str, shape: &[usize]) -> Vec<f32> {
    let hash = fnv1a(name);
    let count = shape.iter().product::<usize>() as u64;
    let unit = (0..count).map(|index| {
        let bits = split_mix(hash.wrapping_add(index.wrapping_mul(GOLDEN)));
        (bits >> 40) as f32 * (1.0 / 16_777_216.0)
    });
    if name.ends_with("running_var") {
        return unit.map(|u| (LOG2_SMALLEST_VARIANCE * f64::from(u)).exp2() as f32).collect();
    }
    let centered = unit.map(|u| u * 2.0 - 1.0);
    if shape.len() == 1 {
        let middle = if name.ends_with("weight") { 1.0 } else { 0.0 };
        return centered.map(|c| 0.1 * c + middle).collect();
    }
    let fan_in = shape.iter().skip(1).product::<usize>() as f32;
    let scale = 3_f32.sqrt() / fan_in.sqrt();
    centered.map(|c| c * scale).collect()
}

/// The 64-bit FNV-1a hash.
pub(super) fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

fn split_mix(x: u64) -> u64 {
    let x = x.wrapping_add(GOLDEN);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, shape, the bits of the first values and the FNV-1a hash over the little-endian bytes of all values, computed
    /// with NumPy 2 by the algorithm in this module's text.
    type Vector = (&'static str, &'static [usize], &'static [u32], u64);

    const NUMPY: &[Vector] = &[
        (
            "decode_head.conv_seg.weight",
            &[19, 5, 1, 1],
            &[0xBE87_531C, 0x3E90_5234, 0xBF17_D3BF],
            0x483E_EE64_BC7D_E038,
        ),
        ("backbone.bn1.running_var", &[64], &[0x3B29_F4A8, 0x3EB4_DC71, 0x3987_37E9], 0x44F8_CF19_3769_E78A),
        ("backbone.bn1.running_mean", &[7], &[0xBD2F_8E17, 0xBDC6_3892, 0x3D99_EB40], 0x7079_664E_28EA_82B5),
        ("backbone.bn1.weight", &[64], &[0x3F80_28D9, 0x3F72_50BD, 0x3F7A_D234], 0x7458_2F64_5EB4_4958),
        ("head.bias", &[19], &[0xBD69_4520, 0x3DA1_8ECA, 0xBCAC_E793], 0x27CB_55BE_B2FC_A979),
        ("attn.proj.weight", &[6, 10], &[0xBECF_2F9A, 0xBDE7_3259, 0x3DFA_11E9], 0x3414_E2CA_C60F_2AED),
        ("scalar", &[], &[0xBFC7_4B52], 0x065B_072C_A35E_9B28),
    ];

    #[test]
    fn every_bit_is_that_of_numpy() {
        for &(name, shape, first, hash) in NUMPY {
            let values = seeded(name, shape);
            let bits: Vec<u32> = values.iter().take(3).map(|value| value.to_bits()).collect();
            assert_eq!(bits, first, "{name}");
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            let got =
                bytes.fold(fnv1a(""), |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
            assert_eq!(got, hash, "{name}");
        }
    }

    #[test]
    fn a_network_is_served_the_values_of_its_full_names() {
        let vb = Seeded::var_builder(&Device::Cpu).pp("head");
        let served = vb.get(19, "bias").and_then(|bias| bias.to_vec1::<f32>()).expect("served");
        assert_eq!(served, seeded("head.bias", &[19]));
    }
}
