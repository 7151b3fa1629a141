//! Gathering, scattering, running sums and orders, against PyTorch and against their definitions in f64.

use candle_core::{Device, Tensor, Var};
use segbench_nn::ops::{self, Order};
use segbench_nn::{Error, Result};

use crate::fixture::Fixture;
use crate::oracle::check_definition;
use crate::support::{random, values};

fn integers(t: &Tensor) -> Vec<u32> {
    t.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn indexing_and_running_sums_equal_pytorch_along_every_dimension() {
    let reference = Fixture::read("indexing");
    for dim in 0..4 {
        let indices = |operation: &str| reference.tensor(&format!("{operation}_{dim}.indices")).clone();
        let gathered = indices("gather");
        reference.check(&format!("gather_{dim}"), |t| ops::gather(&t[0], &gathered, dim));
        let (added, written) = (indices("scatter_add"), indices("scatter"));
        reference.check(&format!("scatter_add_{dim}"), |t| ops::scatter_add(&t[0], &added, &t[1], dim));
        reference.check(&format!("scatter_{dim}"), |t| ops::scatter(&t[0], &written, &t[1], dim));
        let chosen = indices("index_select");
        reference.check(&format!("index_select_{dim}"), |t| ops::index_select(&t[0], &chosen, dim));
        reference.check(&format!("cumsum_{dim}"), |t| ops::cumsum(&t[0], dim));
    }
}

#[test]
fn orders_and_their_indices_equal_pytorch() {
    let reference = Fixture::read("indexing");
    for (case, order) in [("sort_ascending", Order::Ascending), ("sort_descending", Order::Descending)] {
        reference.check(case, |t| {
            let (sorted, indices) = ops::sort(&t[0], order)?;
            assert_eq!(integers(&indices), integers(reference.tensor(&format!("{case}.indices"))), "{case}");
            Ok(sorted)
        });
    }
    reference.check("top_k", |t| {
        let (largest, indices) = ops::top_k(&t[0], 17)?;
        assert_eq!(integers(&indices), integers(reference.tensor("top_k.indices")));
        Ok(largest)
    });
}

#[test]
fn indexing_equals_its_definition() {
    let indices =
        Tensor::new(&[[[2u32, 0], [2, 3], [1, 3]], [[0, 0], [3, 1], [0, 0]]], &Device::Cpu).unwrap();
    let place = integers(&indices);
    let at = |element: usize| (element / 6 * 4 + place[element] as usize) * 2 + element % 2;
    let (x, source) = (random(1, &[2, 4, 2]), random(2, &[2, 3, 2]));
    check_definition(
        "gather",
        std::slice::from_ref(&x),
        1e-6,
        |t| ops::gather(&t[0], &indices, 1).unwrap(),
        |t| (0..12).map(|element| t[0][at(element)]).collect(),
    );
    for (name, add) in [("scatter_add", true), ("scatter", false)] {
        check_definition(
            name,
            &[x.clone(), source.clone()],
            1e-6,
            |t| {
                let operation = if add { ops::scatter_add } else { ops::scatter };
                operation(&t[0], &indices, &t[1], 1).unwrap()
            },
            |t| {
                let mut y = t[0].clone();
                for element in 0..12 {
                    // The last of equal indices counts.
                    y[at(element)] = if add { y[at(element)] } else { 0.0 } + t[1][element];
                }
                y
            },
        );
    }
}

#[test]
fn running_sums_of_a_million_elements_do_not_drift() {
    let x = Tensor::full(0.1f32, 1_000_000, &Device::Cpu).unwrap();
    let sums = values(&ops::cumsum(&x, 0).unwrap());
    for place in [0, 999, 99_999, 999_999] {
        let expected = f64::from(0.1f32) * (place + 1) as f64;
        assert!((f64::from(sums[place]) / expected - 1.0).abs() < 1e-7, "{place}: {}", sums[place]);
    }
    let tall = x.reshape((10_000, 100)).unwrap();
    assert_eq!(values(&ops::cumsum(&tall, 0).unwrap())[999_999], 1e4 * 0.1);
}

#[test]
fn a_million_elements_are_sorted_with_their_gradient() {
    let x = Var::from_tensor(&random(1, &[1_000_000])).unwrap();
    let (sorted, indices) = ops::sort(&x, Order::Ascending).unwrap();
    let (original, places) = (values(&x), integers(&indices));
    let sorted_values = values(&sorted);
    assert!(sorted_values.windows(2).all(|pair| pair[0] <= pair[1]));
    assert!(sorted_values.iter().zip(&places).all(|(value, place)| *value == original[*place as usize]));
    let weights = random(2, &[1_000_000]);
    let grads = (sorted * &weights).unwrap().sum_all().unwrap().backward().unwrap();
    let (grad, weights) = (values(grads.get(&x).unwrap()), values(&weights));
    assert!(places.iter().zip(&weights).all(|(place, weight)| grad[*place as usize] == *weight));
    let (largest, _) = ops::top_k(&x, 100).unwrap();
    assert!(values(&largest).iter().eq(sorted_values.iter().rev().take(100)));
}

#[test]
fn of_equal_elements_the_first_comes_first() {
    let x = Tensor::new(&[[1f32, 3.0, 1.0, -0.0, 3.0, 0.0]], &Device::Cpu).unwrap();
    assert_eq!(integers(&ops::sort(&x, Order::Ascending).unwrap().1), [3, 5, 0, 2, 1, 4]);
    assert_eq!(integers(&ops::sort(&x, Order::Descending).unwrap().1), [1, 4, 0, 2, 3, 5]);
    assert_eq!(integers(&ops::top_k(&x, 3).unwrap().1), [1, 4, 0]);
}

#[test]
fn labels_become_rows_with_a_single_one() {
    let labels = Tensor::new(&[[2u32, 0], [1, 2]], &Device::Cpu).unwrap();
    let rows = ops::one_hot(&labels, 3).unwrap();
    assert_eq!(rows.dims(), [2, 2, 3]);
    assert_eq!(values(&rows), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(ops::one_hot(&labels, 2).unwrap_err().to_string(), "one_hot: got the index 2, expected 0..2");
}

#[test]
fn indices_that_do_not_fit_are_an_error_that_names_what_is_wrong() {
    let (x, source) = (random(1, &[2, 3, 5]), random(2, &[2, 4, 5]));
    let indices = |value: u32, dims: &[usize]| Tensor::full(value, dims, &Device::Cpu).unwrap();
    let good = indices(0, &[2, 4, 5]);
    let errors: [(Result<Tensor>, &str); 9] = [
        (ops::gather(&x, &indices(3, &[2, 4, 5]), 1), "gather: got the index 3, expected 0..3"),
        (ops::gather(&x, &indices(0, &[2, 4, 4]), 1), "gather: got indices [2, 4, 4] of U32"),
        (ops::gather(&x, &source, 1), "gather: got indices [2, 4, 5] of F32"),
        (ops::gather(&x, &good, 3), "gather: got [2, 3, 5], expected more dimensions"),
        (ops::scatter(&x, &good, &x, 1), "scatter: got a source [2, 3, 5], expected [2, 4, 5]"),
        (
            ops::scatter_add(&x, &indices(7, &[2, 4, 5]), &source, 1),
            "scatter_add: got the index 7, expected 0..3",
        ),
        (ops::index_select(&x, &good, 1), "index_select: got indices [2, 4, 5] of U32, expected (N) of U32"),
        (ops::cumsum(&x, 3), "cumsum: got [2, 3, 5], expected more dimensions"),
        (ops::top_k(&x, 6).map(|(values, _)| values), "top_k: got [2, 3, 5], expected at least 6 in a row"),
    ];
    for (result, expected) in errors {
        let message = result.unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}");
    }
    let wide = x.to_dtype(candle_core::DType::F64).unwrap();
    assert!(matches!(ops::scatter(&wide, &good, &source, 1), Err(Error::Device { .. })));
    assert!(ops::sort(&wide, Order::Ascending).is_err());
}
