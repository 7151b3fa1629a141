//! What must not change a result: the number of threads, and whether the fused functions or their portable twins compute.

use candle_core::{DType, Tensor, Var};
use segbench_nn::ops::{self, Conv2dOptions};
use segbench_nn::{Context, Result};

use crate::support::{assert_close, random, values};

type Operation = Box<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

pub(crate) struct Case {
    name: &'static str,
    inputs: Vec<Tensor>,
    operation: Operation,
}

pub(crate) fn case(
    name: &'static str,
    inputs: &[&[usize]],
    operation: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
) -> Case {
    let inputs = inputs.iter().enumerate().map(|(seed, dims)| random(seed as u64, dims)).collect();
    Case { name, inputs, operation: Box::new(operation) }
}

fn cases() -> Vec<Case> {
    let families = [crate::pooling::cases(), crate::resizing::cases(), crate::sampling::cases()];
    own_cases().into_iter().chain(families.into_iter().flatten()).collect()
}

fn own_cases() -> Vec<Case> {
    let patches = Conv2dOptions { stride: [4; 2], padding: [3; 2], ..Conv2dOptions::default() };
    let depthwise = Conv2dOptions { padding: [1; 2], groups: 6, ..Conv2dOptions::default() };
    vec![
        case("conv", &[&[3, 3, 61, 82], &[33, 3, 7, 7], &[33]], move |t| {
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &patches)
        }),
        case("one image", &[&[1, 3, 61, 82], &[33, 3, 7, 7]], move |t| {
            ops::conv2d(&t[0], &t[1], None, &patches)
        }),
        // Windows for more than one band of output rows, and more images than pieces that are added up.
        case("bands", &[&[2, 24, 61, 82], &[5, 24, 3, 3], &[5]], move |t| {
            ops::conv2d(
                &t[0],
                &t[1],
                Some(&t[2]),
                &Conv2dOptions { padding: [1; 2], ..Conv2dOptions::default() },
            )
        }),
        case("many images", &[&[17, 4, 9, 11], &[6, 2, 3, 3]], move |t| {
            ops::conv2d(&t[0], &t[1], None, &Conv2dOptions { groups: 2, ..Conv2dOptions::default() })
        }),
        case("depthwise", &[&[3, 6, 45, 37], &[6, 1, 3, 3], &[6]], move |t| {
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &depthwise)
        }),
        case("linear", &[&[2, 1100, 33], &[17, 33], &[17]], |t| ops::linear(&t[0], &t[1], Some(&t[2]))),
        case("matmul", &[&[3, 65, 33], &[3, 33, 70]], |t| ops::matmul(&t[0], &t[1], &Context::eval())),
        case("layer_norm", &[&[2, 700, 33], &[33], &[33]], |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-6)),
        case("softmax", &[&[2, 300, 65]], |t| ops::softmax(&t[0])),
        case("gelu", &[&[3, 300, 65]], |t| ops::gelu(&t[0])),
        case("relu", &[&[3, 300, 65]], |t| ops::relu(&t[0])),
        case("bilinear", &[&[3, 9, 23, 31]], |t| ops::resize_bilinear(&t[0], 45, 67, false)),
        case("bilinear corners", &[&[3, 9, 45, 67]], |t| ops::resize_bilinear(&t[0], 23, 31, true)),
        case("batch_norm", &[&[3, 6, 45, 37], &[6], &[6]], |t| {
            Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5)?.0)
        }),
        case("batch_norm_eval", &[&[3, 6, 45, 37], &[6], &[6], &[6]], |t| {
            let variance = (&t[3].detach() + 1.5)?;
            ops::batch_norm_eval(&t[0], &t[1], &t[2], &t[3], &variance, 1e-5)
        }),
    ]
}

/// The result and the gradients of the first two inputs.
fn run(case: &Case, dtype: DType) -> Vec<Vec<f32>> {
    let vars: Vec<Var> =
        case.inputs.iter().map(|t| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap()).collect();
    let inputs: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let y = (case.operation)(&inputs).unwrap();
    let weights = random(50, y.dims()).to_dtype(dtype).unwrap();
    let grads = (&y * weights).unwrap().sum_all().unwrap().backward().unwrap();
    let results = std::iter::once(&y).chain(vars.iter().take(3).map(|var| grads.get(var).unwrap()));
    results.map(|tensor| values(&tensor.to_dtype(DType::F32).unwrap())).collect()
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for case in cases() {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let results = pool.install(|| run(&case, DType::F32));
            results.into_iter().map(|t| t.into_iter().map(f32::to_bits).collect()).collect::<Vec<Vec<u32>>>()
        };
        let one = with(1);
        assert!(one == with(2) && one == with(5), "{}", case.name);
    }
}

/// Tensors of f64 are computed by the compositions that serve other devices.
#[test]
fn the_portable_twins_compute_the_same_values_and_gradients() {
    for case in cases() {
        let results = run(&case, DType::F32).into_iter().zip(run(&case, DType::F64));
        for (number, (fused, portable)) in results.enumerate() {
            assert_close(&format!("{} {number}", case.name), &fused, &portable, 1e-4);
        }
    }
}
