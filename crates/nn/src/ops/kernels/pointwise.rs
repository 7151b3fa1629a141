//! Functions of single elements and their derivatives, without branches, so that loops over them use vectors.

use crate::cpu::math::{erf, exp, exp_minus_one, falling_exp, tanh};
use crate::cpu::pulp::{Arch, NullaryFnOnce};

const HALF_ROOT: f32 = std::f32::consts::FRAC_1_SQRT_2;
/// 1 / sqrt(2 pi).
const DENSITY: f32 = 0.398_942_3;
/// sqrt(8 / pi): twice the factor in the approximation of the normal distribution by tanh.
const STEEPNESS: f32 = 1.595_769;
/// The share of the cube in the same approximation.
const CUBE: f32 = 0.044_715;

/// A function of one number. Both methods must be `#[inline(always)]`.
pub(in crate::ops) trait Curve: Copy + Send + Sync + 'static {
    /// The name in error messages.
    const NAME: &'static str;

    fn value(self, x: f32) -> f32;

    /// The derivative at `x`.
    fn slope(self, x: f32) -> f32;
}

/// `y = curve(x)`.
pub(in crate::ops) fn map<C: Curve>(curve: C, x: &[f32], y: &mut [f32]) {
    struct Map<'a, C> {
        curve: C,
        x: &'a [f32],
        y: &'a mut [f32],
    }
    impl<C: Curve> NullaryFnOnce for Map<'_, C> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            for (y, x) in self.y.iter_mut().zip(self.x) {
                *y = self.curve.value(*x);
            }
        }
    }
    Arch::new().dispatch(Map { curve, x, y });
}

/// `out = grad · curve'(x)`.
pub(in crate::ops) fn map_gradient<C: Curve>(curve: C, x: &[f32], grad: &[f32], out: &mut [f32]) {
    struct Map<'a, C> {
        curve: C,
        x: &'a [f32],
        grad: &'a [f32],
        out: &'a mut [f32],
    }
    impl<C: Curve> NullaryFnOnce for Map<'_, C> {
        type Output = ();
        #[inline(always)]
        fn call(self) {
            for ((out, x), grad) in self.out.iter_mut().zip(self.x).zip(self.grad) {
                *out = grad * self.curve.slope(*x);
            }
        }
    }
    Arch::new().dispatch(Map { curve, x, grad, out });
}

/// Declares a curve: a type without or with one constant, its name, value and derivative.
macro_rules! curve {
    ($(#[$attribute:meta])* $curve:ident $(($constant:ident))?, $name:literal, |$x:ident| $value:expr, $slope:expr) => {
        $(#[$attribute])*
        #[derive(Clone, Copy)]
        pub(in crate::ops) struct $curve $((pub(in crate::ops) curve!(@constant $constant)))?;

        impl Curve for $curve {
            const NAME: &'static str = $name;

            #[inline(always)]
            fn value(self, $x: f32) -> f32 {
                $(let Self($constant) = self;)?
                $value
            }

            #[inline(always)]
            fn slope(self, $x: f32) -> f32 {
                $(let Self($constant) = self;)?
                $slope
            }
        }
    };
    (@constant $constant:ident) => { f32 };
}

// NaN stays NaN in every one of them.
curve!(Relu, "relu", |x| if x < 0.0 { 0.0 } else { x }, if x > 0.0 { 1.0 } else { 0.0 });
curve!(Relu6, "relu6", |x| clamp(x, 0.0, 6.0), inside(x, 0.0, 6.0));
curve!(
    LeakyRelu(slope),
    "leaky_relu",
    |x| if x > 0.0 { x } else { slope * x },
    if x > 0.0 { 1.0 } else { slope }
);
curve!(
    Elu(alpha),
    "elu",
    |x| if x > 0.0 { x } else { alpha * exp_minus_one(x) },
    if x > 0.0 { 1.0 } else { alpha * falling_exp(x) }
);
curve!(Sigmoid, "sigmoid", |x| sigmoid(x), sigmoid_slope(x));
curve!(Silu, "silu", |x| x * sigmoid(x), x.mul_add(sigmoid_slope(x), sigmoid(x)));
curve!(Tanh, "tanh", |x| tanh(x), 4.0 * sigmoid_slope(2.0 * x));
curve!(HardSigmoid, "hard_sigmoid", |x| clamp(x + 3.0, 0.0, 6.0) / 6.0, inside(x, -3.0, 3.0) / 6.0);
curve!(
    HardSwish,
    "hard_swish",
    |x| x * (clamp(x + 3.0, 0.0, 6.0) / 6.0),
    if x <= -3.0 {
        0.0
    } else if x < 3.0 {
        x / 3.0 + 0.5
    } else {
        1.0
    }
);
curve!(
    Gelu,
    "gelu",
    |x| {
        let half = 0.5 * x;
        half.mul_add(erf(x * HALF_ROOT), half)
    },
    {
        let probability = 0.5_f32.mul_add(erf(x * HALF_ROOT), 0.5);
        x.mul_add(DENSITY * exp(-0.5 * x * x), probability)
    }
);
curve!(GeluTanh, "gelu_tanh", |x| x * sigmoid(gate(x)), {
    let steepness = STEEPNESS * (3.0 * CUBE * x).mul_add(clamp(x, -20.0, 20.0), 1.0);
    x.mul_add(sigmoid_slope(gate(x)) * steepness, sigmoid(gate(x)))
});

/// `1 / (1 + exp(-x))` by the exponential of a number that is not positive, which cannot overflow.
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let small = falling_exp(-x.abs());
    (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

#[inline(always)]
fn sigmoid_slope(x: f32) -> f32 {
    let small = falling_exp(-x.abs());
    small / ((1.0 + small) * (1.0 + small))
}

/// What the sigmoid of the second form of GELU is taken of; beyond 20 it is 0 or 1 anyway, and the cube could overflow.
#[inline(always)]
fn gate(x: f32) -> f32 {
    let x = clamp(x, -20.0, 20.0);
    STEEPNESS * x * (CUBE * x).mul_add(x, 1.0)
}

#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    x.clamp(low, high)
}

#[inline(always)]
fn inside(x: f32, low: f32, high: f32) -> f32 {
    if x > low && x < high { 1.0 } else { 0.0 }
}
