//! Normalization over the channels of maps, by tiles of neighboring pixels.

use crate::cpu::math::sum_of;
use crate::vectorized;

/// The pixels of a tile at most.
pub(in crate::ops) const TILE: usize = 256;

/// Some neighboring pixels of one image: all its channels lie in `image`, `plane` elements apart.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Pixels<'a> {
    pub(in crate::ops) image: &'a [f32],
    pub(in crate::ops) plane: usize,
    pub(in crate::ops) start: usize,
    pub(in crate::ops) count: usize,
}

impl<'a> Pixels<'a> {
    #[inline(always)]
    fn channel(self, channel: usize) -> &'a [f32] {
        &self.image[channel * self.plane + self.start..][..self.count]
    }
}

vectorized! {
    pub(in crate::ops) fn forward<'a, 'b>(x: Pixels<'a>, weight: &'a [f32], bias: &'a [f32], eps: f32, y: &'a mut [&'b mut [f32]]) {
        let (means, scales) = moments(x, weight.len(), eps);
        for (channel, y) in y.iter_mut().enumerate() {
            let pixels = x.channel(channel).iter().zip(&means).zip(&scales);
            for (y, ((x, mean), scale)) in y.iter_mut().zip(pixels) {
                *y = ((x - mean) * scale).mul_add(weight[channel], bias[channel]);
            }
        }
    }

    /// `sums` receives the gradients of the weight and then those of the bias.
    pub(in crate::ops) fn backward<'a, 'b>(
        x: Pixels<'a>,
        grad: Pixels<'a>,
        weight: &'a [f32],
        eps: f32,
        out: &'a mut [&'b mut [f32]],
        sums: &'a mut [f32],
    ) {
        let channels = weight.len();
        let share = 1.0 / channels as f32;
        let (means, scales) = moments(x, channels, eps);
        let (weight_sums, bias_sums) = sums.split_at_mut(channels);
        let (mut shifts, mut along) = ([0.0; TILE], [0.0; TILE]);
        let mut products = [0.0; TILE];
        for channel in 0..channels {
            let pixels = x.channel(channel).iter().zip(grad.channel(channel)).zip(means.iter().zip(&scales));
            let totals = shifts.iter_mut().zip(&mut along).zip(&mut products);
            for (((x, grad), (mean, scale)), ((shift, along), product)) in pixels.zip(totals) {
                let normalized = (x - mean) * scale;
                *product = grad * normalized;
                *shift = grad.mul_add(weight[channel], *shift);
                *along = product.mul_add(weight[channel], *along);
            }
            weight_sums[channel] = sum_of(&products[..x.count], |v| v);
            bias_sums[channel] = sum_of(grad.channel(channel), |v| v);
        }
        for (channel, out) in out.iter_mut().enumerate() {
            let pixels = x.channel(channel).iter().zip(grad.channel(channel)).zip(means.iter().zip(&scales));
            let totals = shifts.iter().zip(&along);
            for (out, (((x, grad), (mean, scale)), (shift, along))) in out.iter_mut().zip(pixels.zip(totals)) {
                let normalized = (x - mean) * scale;
                *out = scale * (normalized * share).mul_add(-along, grad.mul_add(weight[channel], -shift * share));
            }
        }
    }
}

/// The mean of each pixel and the inverse of its standard deviation.
#[inline(always)]
fn moments(x: Pixels, channels: usize, eps: f32) -> ([f32; TILE], [f32; TILE]) {
    let share = 1.0 / channels as f32;
    let (mut means, mut scales) = ([0.0; TILE], [0.0; TILE]);
    for channel in 0..channels {
        for (mean, x) in means.iter_mut().zip(x.channel(channel)) {
            *mean += x;
        }
    }
    for mean in &mut means {
        *mean *= share;
    }
    for channel in 0..channels {
        for ((scale, x), mean) in scales.iter_mut().zip(x.channel(channel)).zip(&means) {
            *scale = (x - mean).mul_add(x - mean, *scale);
        }
    }
    for scale in &mut scales {
        *scale = 1.0 / scale.mul_add(share, eps).sqrt();
    }
    (means, scales)
}
