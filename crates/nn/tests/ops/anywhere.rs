//! What must not change a result: the number of threads, and whether the fused functions or their portable twins compute.

use candle_core::{D, DType, Device, Tensor, Var};
use segbench_nn::ops::{self, Conv2dOptions, Conv3dOptions, ConvTranspose2dOptions, ConvTranspose3dOptions};
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
    let patches = Conv2dOptions { stride: [4; 2], ..Conv2dOptions::padded(3) };
    let depthwise = Conv2dOptions { groups: 6, ..Conv2dOptions::padded(1) };
    vec![
        case("conv", &[&[3, 3, 61, 82], &[33, 3, 7, 7], &[33]], move |t| {
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &patches)
        }),
        case("one image", &[&[1, 3, 61, 82], &[33, 3, 7, 7]], move |t| {
            ops::conv2d(&t[0], &t[1], None, &patches)
        }),
        // Windows for more than one band of output rows, and more images than pieces that are added up.
        case("bands", &[&[2, 24, 61, 82], &[5, 24, 3, 3], &[5]], move |t| {
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &Conv2dOptions::padded(1))
        }),
        case("many images", &[&[17, 4, 9, 11], &[6, 2, 3, 3]], move |t| {
            ops::conv2d(&t[0], &t[1], None, &Conv2dOptions { groups: 2, ..Conv2dOptions::default() })
        }),
        case("depthwise", &[&[3, 6, 45, 37], &[6, 1, 3, 3], &[6]], move |t| {
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &depthwise)
        }),
        case("depthwise, strides and two filters", &[&[3, 6, 45, 37], &[12, 1, 3, 5], &[12]], |t| {
            let options =
                Conv2dOptions { stride: [2, 3], dilation: [3, 1], groups: 6, ..Conv2dOptions::padded(2) };
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &options)
        }),
        case("different strides and sides", &[&[2, 4, 33, 20], &[6, 2, 3, 5], &[6]], |t| {
            let options =
                Conv2dOptions { stride: [3, 2], padding: [[0, 2], [9, 1]], dilation: [1, 2], groups: 2 };
            ops::conv2d(&t[0], &t[1], Some(&t[2]), &options)
        }),
        case("volumes", &[&[2, 3, 13, 17, 22], &[4, 3, 5, 5, 5], &[4]], |t| {
            ops::conv3d(&t[0], &t[1], Some(&t[2]), &Conv3dOptions::padded(2))
        }),
        case("transposed", &[&[3, 6, 31, 22], &[6, 4, 4, 4], &[8]], |t| {
            let options =
                ConvTranspose2dOptions { stride: [2; 2], groups: 2, ..ConvTranspose2dOptions::padded(1) };
            ops::conv_transpose2d(&t[0], &t[1], Some(&t[2]), &options)
        }),
        case("transposed depthwise", &[&[1, 16, 31, 22], &[16, 1, 4, 4]], |t| {
            let options =
                ConvTranspose2dOptions { stride: [2; 2], groups: 16, ..ConvTranspose2dOptions::padded(1) };
            ops::conv_transpose2d(&t[0], &t[1], None, &options)
        }),
        case("transposed with a rest", &[&[1, 3, 9, 5], &[3, 2, 3, 3], &[2]], |t| {
            let options = ConvTranspose2dOptions {
                stride: [2, 3],
                padding: [[4, 0], [1, 2]],
                output_padding: [1, 2],
                dilation: [1, 4],
                groups: 1,
            };
            ops::conv_transpose2d(&t[0], &t[1], Some(&t[2]), &options)
        }),
        case("transposed volumes", &[&[2, 5, 7, 9, 10], &[5, 3, 2, 2, 2], &[3]], |t| {
            let options = ConvTranspose3dOptions { stride: [2; 3], ..ConvTranspose3dOptions::default() };
            ops::conv_transpose3d(&t[0], &t[1], Some(&t[2]), &options)
        }),
        case("unfold", &[&[2, 6, 45, 37]], |t| ops::unfold(&t[0], [3, 5], &Conv2dOptions::padded(2))),
        case("fold", &[&[2, 90, 1665]], |t| {
            ops::fold(
                &t[0],
                [45, 37],
                [3, 5],
                &Conv2dOptions { padding: [[1; 2], [2; 2]], ..Conv2dOptions::default() },
            )
        }),
        case("linear", &[&[2, 1100, 33], &[17, 33], &[17]], |t| ops::linear(&t[0], &t[1], Some(&t[2]))),
        case("matmul", &[&[3, 65, 33], &[3, 33, 70]], |t| ops::matmul(&t[0], &t[1], &Context::eval())),
        case("layer_norm", &[&[2, 700, 33], &[33], &[33]], |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-6)),
        case("softmax", &[&[2, 300, 65]], |t| ops::softmax(&t[0], D::Minus1)),
        case("gelu", &[&[3, 300, 65]], |t| ops::gelu(&t[0])),
        case("relu", &[&[3, 300, 65]], |t| ops::relu(&t[0])),
        case("bilinear", &[&[3, 9, 23, 31]], |t| ops::resize_bilinear(&t[0], 45, 67, false)),
        case("bilinear corners", &[&[3, 9, 45, 67]], |t| ops::resize_bilinear(&t[0], 23, 31, true)),
        case("softmax of planes", &[&[2, 19, 3000]], |t| ops::softmax(&t[0], 1)),
        case("log_softmax", &[&[2, 300, 65]], |t| ops::log_softmax(&t[0], D::Minus1)),
        case("log_softmax of planes", &[&[2, 19, 3000]], |t| ops::log_softmax(&t[0], 1)),
        case("relu6", &[&[3, 300, 65]], |t| ops::relu6(&(&t[0] * 9.0)?)),
        case("leaky_relu", &[&[3, 300, 65]], |t| ops::leaky_relu(&t[0], 0.1)),
        case("elu", &[&[3, 300, 65]], |t| ops::elu(&t[0], 0.7)),
        case("sigmoid", &[&[3, 300, 65]], |t| ops::sigmoid(&t[0])),
        case("silu", &[&[3, 300, 65]], |t| ops::silu(&t[0])),
        case("tanh", &[&[3, 300, 65]], |t| ops::tanh(&t[0])),
        case("gelu_tanh", &[&[3, 300, 65]], |t| ops::gelu_tanh(&(&t[0] * 4.0)?)),
        case("hard_sigmoid", &[&[3, 300, 65]], |t| ops::hard_sigmoid(&(&t[0] * 6.0)?)),
        case("hard_swish", &[&[3, 300, 65]], |t| ops::hard_swish(&(&t[0] * 6.0)?)),
        case("prelu", &[&[3, 7, 45, 67], &[7]], |t| ops::prelu(&t[0], &t[1])),
        case("prelu with one weight", &[&[1, 3, 300, 301], &[1]], |t| ops::prelu(&t[0], &t[1])),
        case("layer_norm2d", &[&[2, 33, 45, 37], &[33], &[33]], |t| {
            ops::layer_norm2d(&t[0], &t[1], &t[2], 1e-6)
        }),
        case("group_norm", &[&[2, 6, 45, 37], &[6], &[6]], |t| {
            ops::group_norm(&t[0], 3, Some([&t[1], &t[2]]), 1e-5)
        }),
        case("group_norm without parameters", &[&[2, 6, 45, 37]], |t| ops::group_norm(&t[0], 2, None, 1e-5)),
        case("instance_norm of large planes", &[&[1, 2, 45, 37, 43], &[2], &[2]], |t| {
            ops::instance_norm(&t[0], Some([&t[1], &t[2]]), 1e-5)
        }),
        case("attention", &[&[2, 3, 300, 9], &[2, 3, 65, 9], &[2, 3, 65, 7]], |t| attend(t, None)),
        case("attention of one head", &[&[1, 1, 1100, 9], &[1, 1, 65, 9], &[1, 1, 65, 7]], |t| {
            attend(t, None)
        }),
        case(
            "attention with a mask",
            &[&[4, 3, 70, 9], &[4, 3, 65, 9], &[4, 3, 65, 7], &[2, 1, 70, 65]],
            |t| {
                let mask = (t[3].ge(-0.5)?.to_dtype(t[3].dtype())?.log()? + 1.0)?;
                attend(t, Some(&mask.detach()))
            },
        ),
        case("attention with a position bias", &[&[1, 3, 70, 65], &[20, 3, 70, 9], &[20, 3, 65, 9]], |t| {
            let value = (&t[2] * 2.0)?;
            ops::attention(&t[1], &t[2], &value, Some(&t[0]), 0.4, &Context::eval())
        }),
        case("gather", &[&[9, 700, 5]], |t| ops::gather(&t[0], &indices(&[9, 900, 5], 700), 1)),
        case("index_select", &[&[9, 700, 5]], |t| ops::index_select(&t[0], &indices(&[900], 700), 1)),
        case("cumsum", &[&[9, 700, 5]], |t| ops::cumsum(&t[0], 1)),
        case("cumsum of rows", &[&[37, 700]], |t| ops::cumsum(&t[0], 1)),
        case("batch_norm of volumes", &[&[2, 3, 13, 45, 37], &[3], &[3]], |t| {
            Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5)?.0)
        }),
        case("batch_norm", &[&[3, 6, 45, 37], &[6], &[6]], |t| {
            Ok(ops::batch_norm_train(&t[0], &t[1], &t[2], 1e-5)?.0)
        }),
        case("batch_norm_eval", &[&[3, 6, 45, 37], &[6], &[6], &[6]], |t| {
            let variance = (&t[3].detach() + 1.5)?;
            ops::batch_norm_eval(&t[0], &t[1], &t[2], &t[3], &variance, 1e-5)
        }),
    ]
}

fn attend(t: &[Tensor], bias: Option<&Tensor>) -> Result<Tensor> {
    ops::attention(&t[0], &t[1], &t[2], bias, 0.4, &Context::eval())
}

fn indices(dims: &[usize], size: u32) -> Tensor {
    let count = dims.iter().product::<usize>() as u32;
    let places: Vec<u32> = (0..count).map(|place| place * 7919 % size).collect();
    Tensor::from_vec(places, dims, &Device::Cpu).unwrap()
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
