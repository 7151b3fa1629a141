//! Attention against PyTorch and against its definition in f64.

use candle_core::{D, Device, Tensor, Var};
use segbench_nn::{Context, ops};

use crate::fixture::Fixture;
use crate::oracle::check_definition;
use crate::support::{assert_close, random, values};

fn attend(t: &[Tensor], scale: f64) -> Tensor {
    ops::attention(&t[0], &t[1], &t[2], t.get(3), scale, &Context::eval()).unwrap()
}

#[test]
fn attention_equals_pytorch_with_biases_of_every_shape() {
    let reference = Fixture::read("attention");
    for prefix in ["one", "tall", "wide", "heads", "long"] {
        for case in reference.cases(prefix) {
            reference.check(case, |t| Ok(attend(t, 0.4)));
        }
    }
    reference.check("extreme", |t| Ok(attend(t, 0.1)));
}

#[test]
fn masked_keys_have_no_weight_and_a_query_without_keys_gets_zero_as_in_pytorch() {
    let reference = Fixture::read("attention");
    for case in ["masked", "masked_position"] {
        let mask = reference.tensor(&format!("{case}.mask"));
        reference.check(case, |t| {
            let bias = t.get(3).map_or(Ok(mask.clone()), |bias| bias.broadcast_add(mask))?;
            ops::attention(&t[0], &t[1], &t[2], Some(&bias), 0.4, &Context::eval())
        });
    }
}

/// The relative positions of SAM without a tensor of scores: they stand beside the queries, and the place of each key beside the
/// keys.
#[test]
fn decomposed_relative_positions_are_expressible() {
    let (height, width) = (3, 5);
    let reference = Fixture::read("attention");
    let grid = |of: fn(u32, u32) -> u32, classes: usize| {
        let places: Vec<u32> = (0..15).map(|place| of(place / 5, place % 5)).collect();
        ops::one_hot(&Tensor::new(places, &Device::Cpu).unwrap(), classes).unwrap()
    };
    let places = Tensor::cat(&[grid(|y, _| y, height), grid(|_, x| x, width)], 1).unwrap();
    reference.check("decomposed", |t| {
        let maps = t[0].reshape((4, height, width, 4))?;
        let rows = maps.broadcast_matmul(&t[3].transpose(1, 2)?.contiguous()?)?;
        let columns =
            maps.transpose(1, 2)?.contiguous()?.broadcast_matmul(&t[4].transpose(1, 2)?.contiguous()?)?;
        let rows = rows.reshape((2, 2, 15, height))?;
        let columns = columns.transpose(1, 2)?.reshape((2, 2, 15, width))?;
        let queries = Tensor::cat(&[&(&t[0] * 0.5)?, &rows, &columns], D::Minus1)?;
        let keys = Tensor::cat(
            &[&t[1].contiguous()?, &places.broadcast_as((2, 2, 15, 8))?.contiguous()?],
            D::Minus1,
        )?;
        ops::attention(&queries, &keys, &t[2], None, 1.0, &Context::eval())
    });
}

/// `bias` is indexed by the remainder of the batch.
fn naive(
    t: &[Vec<f64>],
    q: &[usize; 4],
    keys: usize,
    values: usize,
    bias: Option<[usize; 4]>,
    scale: f64,
) -> Vec<f64> {
    let &[batch, heads, queries, width] = q;
    let mut y = Vec::new();
    for row in 0..batch * heads * queries {
        let (image, head, query) = (row / queries / heads, row / queries % heads, row % queries);
        let first = row / queries * keys;
        let score = |key: usize| {
            let products = (0..width).map(|c| t[0][row * width + c] * t[1][(first + key) * width + c]);
            let added = bias
                .map_or(0.0, |[b, h, r, c]| t[3][((image % b * h + head % h) * r + query % r) * c + key % c]);
            products.sum::<f64>() * scale + added
        };
        let weights: Vec<f64> = (0..keys).map(|key| score(key).exp()).collect();
        let total: f64 = weights.iter().sum();
        for column in 0..values {
            let sum: f64 = (0..keys).map(|key| weights[key] * t[2][(first + key) * values + column]).sum();
            y.push(sum / total);
        }
    }
    y
}

#[test]
fn attention_equals_its_definition() {
    for (q, keys, values, bias) in [
        ([1, 2, 5, 3], 7, 4, None),
        // More than one tile of queries, the last of them not full.
        ([1, 1, 137, 2], 3, 1, Some([1, 1, 137, 3])),
        ([3, 2, 3, 4], 5, 2, Some([3, 2, 3, 5])),
        ([3, 2, 3, 4], 5, 2, Some([1, 2, 3, 5])),
        ([3, 2, 3, 4], 5, 2, Some([1, 1, 1, 5])),
        // Two windows in each of two images share a mask.
        ([4, 1, 3, 2], 3, 3, Some([2, 1, 3, 3])),
        // More images than pieces of work.
        ([37, 1, 2, 1], 2, 1, Some([1, 1, 2, 2])),
    ] {
        let [batch, heads, _, width] = q;
        let shapes = [q, [batch, heads, keys, width], [batch, heads, keys, values]];
        let mut inputs: Vec<Tensor> =
            shapes.iter().chain(&bias).enumerate().map(|(seed, dims)| random(seed as u64, dims)).collect();
        inputs[0] = (&inputs[0] * 2.0).unwrap();
        let what = format!("{q:?} {bias:?}");
        check_definition(&what, &inputs, 1e-5, |t| attend(t, 0.7), |t| naive(t, &q, keys, values, bias, 0.7));
        // The same with a bias that has no gradient, which takes another way.
        if inputs.len() == 4 {
            let constant = attend(&inputs, 0.7);
            let inputs: Vec<Tensor> =
                inputs.iter().map(|t| Var::from_tensor(t).unwrap().into_inner()).collect();
            assert_close(&what, &self::values(&constant), &self::values(&attend(&inputs, 0.7)), 1e-6);
        }
    }
}

/// Heads as views of tokens, which is how networks cut them out, and a gradient that is broadcast.
#[test]
fn heads_are_views_of_tokens() {
    let tokens = random(1, &[2, 9, 3 * 3 * 4]);
    let run = |contiguous: bool| {
        let var = Var::from_tensor(&tokens).unwrap();
        let split = var.reshape((2, 9, 3, 3, 4)).unwrap().permute((2, 0, 3, 1, 4)).unwrap();
        let parts: Vec<Tensor> = (0..3).map(|part| split.get(part).unwrap()).collect();
        let parts = if contiguous { parts.iter().map(|t| t.copy().unwrap()).collect() } else { parts };
        let y = attend(&parts, 0.5);
        let grads = y.sum_all().unwrap().backward().unwrap();
        (values(&y), values(grads.get(&var).unwrap()))
    };
    let (views, copies) = (run(false), run(true));
    assert_close("values", &views.0, &copies.0, 1e-6);
    assert_close("gradients", &views.1, &copies.1, 1e-6);
}

#[test]
fn multiply_adds_are_those_of_both_products() {
    let ctx = Context::eval();
    let (q, k, v) = (random(1, &[2, 3, 5, 4]), random(2, &[2, 3, 7, 4]), random(3, &[2, 3, 7, 6]));
    ops::attention(&q, &k, &v, None, 1.0, &ctx).unwrap();
    assert_eq!(ctx.macs(), 2 * 3 * 5 * 7 * (4 + 6));
}

#[test]
fn sizes_that_do_not_fit_are_an_error_that_names_them() {
    let (q, k, v) = (random(1, &[2, 3, 5, 4]), random(2, &[2, 3, 7, 4]), random(3, &[2, 3, 7, 6]));
    let attend = |q: &Tensor, k: &Tensor, v: &Tensor, bias: Option<&[usize]>| {
        let bias = bias.map(|dims| random(4, dims));
        ops::attention(q, k, v, bias.as_ref(), 1.0, &Context::eval()).unwrap_err().to_string()
    };
    let head = "attention: got queries [2, 3, 5, 4], keys";
    for message in [
        attend(&q, &v, &v, None),
        attend(&q, &k, &q, None),
        attend(&q, &k, &v, Some(&[3, 5, 7])),
        attend(&q, &k, &v, Some(&[3, 3, 5, 7])),
        attend(&q, &k, &v, Some(&[2, 2, 5, 7])),
        attend(&q, &k, &v, Some(&[1, 1, 7, 7])),
    ] {
        assert!(message.starts_with(head) && message.contains("expected (B, H, Q, D)"), "{message}");
    }
}
