//! Functions on tensors whose gradients are right for every size.
//!
//! candle's own convolution, pooling, bilinear interpolation, layer normalization and softmax have no gradient, or a wrong one,
//! for some or all inputs. Networks and losses use the functions of this module instead. On the CPU they are fused and run on
//! all cores, with the same bits whatever the number of threads; on other devices they are compositions of candle operations
//! that differentiate correctly, or an error that says so where there is none.

mod activation;
mod attention;
mod batch_norm;
mod conv;
mod conv_transpose;
mod group_norm;
mod indexing;
mod kernels;
mod matrix;
mod noise;
mod norm;
mod pad;
mod pool;
mod resample;
mod resize;
mod sample;
mod scan;
mod softmax;
mod sorting;
mod unfold;

pub use activation::{
    elu, gelu, gelu_tanh, hard_sigmoid, hard_swish, leaky_relu, prelu, relu, relu6, sigmoid, silu, tanh,
};
pub use attention::attention;
pub use batch_norm::{BatchStatistics, batch_norm_eval, batch_norm_train};
pub use conv::{Conv2dOptions, Conv3dOptions, ConvOptions, conv2d, conv3d};
pub use conv_transpose::{
    ConvTranspose2dOptions, ConvTranspose3dOptions, ConvTransposeOptions, conv_transpose2d, conv_transpose3d,
};
pub use group_norm::{group_norm, instance_norm};
pub use indexing::{gather, index_select, one_hot, scatter, scatter_add};
pub use matrix::{linear, matmul};
pub use noise::{drop_path, dropout, dropout2d};
pub use norm::{layer_norm, layer_norm2d};
pub use pad::{Padding, pad2d};
pub use pool::{
    PoolOptions, adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d, max_pool2d_with_indices,
    max_unpool2d,
};
pub use resize::{Interpolation, ResizeTo, resize, resize_bilinear};
pub use sample::{GridOptions, OutsideGrid, SampleMode, grid_sample, point_sample};
pub use scan::cumsum;
pub use softmax::{log_softmax, softmax};
pub use sorting::{Order, sort, top_k};
pub use unfold::{fold, unfold};

pub(crate) use conv::convolve;
pub(crate) use conv_transpose::convolve_transposed;

use candle_core::{DType, Tensor};

/// Whether the fused functions can be used: all tensors hold f32 on the CPU.
fn on_cpu(tensors: &[&Tensor]) -> bool {
    tensors.iter().all(|tensor| tensor.device().is_cpu() && tensor.dtype() == DType::F32)
}
