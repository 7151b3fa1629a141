//! Functions of slices as operations of candle's graph.

use std::borrow::Cow;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Storage, Tensor,
};

use super::dense::dense;
use super::profile::{Direction, measured};

/// A differentiable function of one to three f32 tensors on the CPU.
pub trait Function: Send + Sync + 'static {
    /// The name in error messages.
    const NAME: &'static str;

    /// The elements of the result in row-major order, and its shape.
    ///
    /// # Errors
    ///
    /// candle's, if an operand does not hold f32.
    fn forward(&self, inputs: &[Operand]) -> Result<(Vec<f32>, Shape)>;

    /// The gradient of each input in row-major order; None for inputs that have none or whose gradient is not wanted.
    ///
    /// # Errors
    ///
    /// candle's, if an operand does not hold f32.
    fn backward(&self, pass: &Backward) -> Result<Vec<Option<Vec<f32>>>>;
}

/// The elements of a tensor on the CPU, in whatever layout they lie.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    storage: &'a CpuStorage,
    layout: &'a Layout,
}

impl<'a> Operand<'a> {
    /// The shape.
    pub fn dims(&self) -> &'a [usize] {
        self.layout.dims()
    }

    /// Where the elements lie in [`Operand::raw`].
    pub fn layout(&self) -> &'a Layout {
        self.layout
    }

    /// The elements in row-major order: borrowed where they lie so already, copied otherwise.
    ///
    /// # Errors
    ///
    /// candle's, if the tensor does not hold f32.
    pub fn dense(&self) -> Result<Cow<'a, [f32]>> {
        dense(self.storage, self.layout)
    }

    /// All elements of the storage, which other tensors may share.
    ///
    /// # Errors
    ///
    /// candle's, if the tensor does not hold f32.
    pub fn raw(&self) -> Result<&'a [f32]> {
        self.storage.as_slice()
    }
}

/// What a function may need to pass a gradient on.
pub struct Backward<'a> {
    /// The inputs of the forward pass.
    pub inputs: &'a [Operand<'a>],
    /// For each input whether its gradient is used by anybody.
    pub wanted: &'a [bool],
    /// The result of the forward pass.
    pub result: Operand<'a>,
    /// The gradient of the result, of the result's shape.
    pub gradient: Operand<'a>,
}

/// Applies a function to its inputs and records it in the graph.
///
/// # Errors
///
/// candle's, if the function fails, a tensor is not on the CPU, or there are more than three inputs.
pub fn apply<F: Function>(function: F, inputs: &[&Tensor]) -> Result<Tensor> {
    match *inputs {
        [a] => a.apply_op1(Operation(function)),
        [a, b] => a.apply_op2(b, Operation(function)),
        [a, b, c] => a.apply_op3(b, c, Operation(function)),
        _ => candle_core::bail!("{} of {} tensors", F::NAME, inputs.len()),
    }
}

/// Calls `work` with the elements of an f32 tensor on the CPU, in row-major order.
///
/// # Errors
///
/// candle's, if the tensor is elsewhere or does not hold f32.
pub fn with_dense<R>(tensor: &Tensor, work: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    Ok(work(&operand(&storage, layout)?.dense()?))
}

/// The place of a function in candle's graph.
struct Operation<F>(F);

impl<F: Function> Operation<F> {
    fn forward(&self, inputs: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, Shape)> {
        let operands: Vec<Operand> =
            inputs.iter().map(|&(storage, layout)| Operand { storage, layout }).collect();
        let (values, shape) = measured(F::NAME, Direction::Forward, || self.0.forward(&operands))?;
        Ok((CpuStorage::F32(values), shape))
    }

    fn backward<const N: usize>(
        &self,
        inputs: [&Tensor; N],
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let all = inputs.into_iter().chain([result, gradient]);
        let storages: Vec<_> = all.map(Tensor::storage_and_layout).collect();
        let operands: Vec<Operand> =
            storages.iter().map(|(storage, layout)| operand(storage, layout)).collect::<Result<_>>()?;
        let wanted = inputs.map(Tensor::track_op);
        let pass = Backward {
            inputs: &operands[..N],
            wanted: &wanted,
            result: operands[N],
            gradient: operands[N + 1],
        };
        let mut gradients = measured(F::NAME, Direction::Backward, || self.0.backward(&pass))?.into_iter();
        let mut out = [const { None }; N];
        for ((out, input), wanted) in out.iter_mut().zip(inputs).zip(wanted) {
            let gradient = gradients.next().flatten().filter(|_| wanted);
            *out =
                gradient.map(|values| Tensor::from_vec(values, input.shape(), &Device::Cpu)).transpose()?;
        }
        Ok(out)
    }
}

fn operand<'a>(storage: &'a Storage, layout: &'a Layout) -> Result<Operand<'a>> {
    match storage {
        Storage::Cpu(storage) => Ok(Operand { storage, layout }),
        _ => candle_core::bail!("expected a tensor on the CPU"),
    }
}

impl<F: Function> CustomOp1 for Operation<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(&self, a: &CpuStorage, a_layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(a, a_layout)])
    }

    fn bwd(&self, a: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let [a] = self.backward([a], result, gradient)?;
        Ok(a)
    }
}

impl<F: Function> CustomOp2 for Operation<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(a, a_layout), (b, b_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [a, b] = self.backward([a, b], result, gradient)?;
        Ok((a, b))
    }
}

impl<F: Function> CustomOp3 for Operation<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward(&[(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = self.backward([a, b, c], result, gradient)?;
        Ok((a, b, c))
    }
}
