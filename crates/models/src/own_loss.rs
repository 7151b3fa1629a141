//! Losses that single networks have beside that of their scores, over what they put into [`SegOutput::extra`](crate::SegOutput::extra).

use candle_core::{DType, Tensor};
use segbench_nn::{Result, ops};

/// The label that takes no part.
const IGNORE: u8 = 255;

/// The labels of a batch of images of one size, image after image and row after row; 255 takes no part.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// All labels.
    pub values: &'a [u8],
    /// Height of an image in pixels.
    pub height: usize,
    /// Width of an image in pixels.
    pub width: usize,
}

impl Labels<'_> {
    fn images(&self) -> impl Iterator<Item = &[u8]> {
        self.values.chunks_exact((self.height * self.width).max(1))
    }
}

/// Whether each class is somewhere in the image, told from one score per class: binary cross entropy, the mean over all.
///
/// # Shapes
///
/// `logits: (B, classes)`, result a scalar.
///
/// # Source
///
/// Zhang et al., [Context Encoding](https://arxiv.org/abs/1803.08904), the semantic encoding loss, as mmsegmentation 1.2.2
/// `models/decode_heads/enc_head.py`.
pub(crate) fn presence(logits: &Tensor, labels: &Labels) -> Result<Tensor> {
    let (batch, classes) = logits.dims2()?;
    let mut wanted = vec![[1.0_f32, 0.0]; batch * classes];
    for (image, values) in labels.images().take(batch).enumerate() {
        for &label in values.iter().filter(|&&label| usize::from(label) < classes) {
            wanted[image * classes + usize::from(label)] = [0.0, 1.0];
        }
    }
    let wanted = Tensor::from_vec(wanted.concat(), (batch, classes, 2), logits.device())?;
    // The sigmoid is the softmax beside a score of 0, whose logarithm does not overflow.
    let both = Tensor::stack(&[&logits.zeros_like()?, logits], 2)?;
    let likelihood = (ops::log_softmax(&both, 2)? * wanted.to_dtype(logits.dtype())?)?;
    Ok((likelihood.sum_all()? * (-1.0 / (batch * classes) as f64))?)
}

/// Cross entropy of the scores of single points, the mean over all; the label of a point is that of the pixel it lies in.
///
/// # Shapes
///
/// `logits: (B, classes, P)`, `points: (B, P, 2)` as `(x, y)` from 0 to 1; result a scalar.
///
/// # Source
///
/// Kirillov et al., [PointRend](https://arxiv.org/abs/1912.08193), as mmsegmentation 1.2.2 `models/decode_heads/point_head.py`, which
/// also divides by all points, those without a label included.
pub(crate) fn at_points(logits: &Tensor, points: &Tensor, labels: &Labels) -> Result<Tensor> {
    let (batch, classes, count) = logits.dims3()?;
    let places = points.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let mut wanted = vec![0.0_f32; batch * classes * count];
    for (image, values) in labels.images().take(batch).enumerate() {
        let places = places.chunks_exact(2).skip(image * count).take(count);
        for (index, place) in places.enumerate() {
            // Between two pixels the even one counts, as in PyTorch's sampling.
            let at = |place: f32, side: usize| (place * side as f32 - 0.5).round_ties_even();
            let (column, row) = (at(place[0], labels.width), at(place[1], labels.height));
            let inside = |at: f32, side: usize| at >= 0.0 && at < side as f32;
            // Beyond the image PyTorch samples zeros: the first class.
            let label = match inside(column, labels.width) && inside(row, labels.height) {
                true => values[row as usize * labels.width + column as usize],
                false => 0,
            };
            if label != IGNORE && usize::from(label) < classes {
                wanted[(image * classes + usize::from(label)) * count + index] = 1.0;
            }
        }
    }
    let wanted = Tensor::from_vec(wanted, (batch, classes, count), logits.device())?;
    let likelihood = (ops::log_softmax(logits, 1)? * wanted.to_dtype(logits.dtype())?)?;
    Ok((likelihood.sum_all()? * (-1.0 / (batch * count) as f64))?)
}
