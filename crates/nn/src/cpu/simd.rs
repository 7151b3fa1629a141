//! Loops compiled for the vector instructions of the machine that runs them.

/// Floats in the widest vector. Sums keep this many partial sums on every machine, so that they have the same bits on all.
pub const LANES: usize = 16;

/// Defines functions whose bodies are compiled several times, for the baseline and for wider vectors, and chosen at run time.
///
/// Bodies use `f32::mul_add`, which rounds once everywhere; functions they call must be `#[inline(always)]`, and their references
/// have named lifetimes.
///
/// # Examples
///
/// ```
/// segbench_nn::vectorized! {
///     fn scale<'x>(factor: f32, x: &'x mut [f32]) {
///         x.iter_mut().for_each(|x| *x *= factor);
///     }
/// }
///
/// let mut x = [1.0, 2.0];
/// scale(3.0, &mut x);
/// assert_eq!(x, [3.0, 6.0]);
/// ```
#[macro_export]
macro_rules! vectorized {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$($lifetime:lifetime),*>)? ($($argument:ident : $kind:ty),* $(,)?) $(-> $output:ty)? $body:block
    )*) => {$(
        $(#[$attribute])*
        $visibility fn $name $(<$($lifetime),*>)? ($($argument: $kind),*) $(-> $output)? {
            struct Call $(<$($lifetime),*>)? { $($argument: $kind),* }
            impl $(<$($lifetime),*>)? $crate::cpu::pulp::NullaryFnOnce for Call $(<$($lifetime),*>)? {
                type Output = $crate::vectorized!(@output $($output)?);
                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($argument),* } = self;
                    $body
                }
            }
            $crate::cpu::pulp::Arch::new().dispatch(Call { $($argument),* })
        }
    )*};
    (@output) => { () };
    (@output $output:ty) => { $output };
}
