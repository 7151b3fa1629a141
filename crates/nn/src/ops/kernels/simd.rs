//! Loops compiled for the vector instructions of the machine that runs them.

/// Floats in the widest vector. Sums keep this many partial sums on every machine, so that they have the same bits on all.
pub(in crate::ops) const LANES: usize = 16;

/// Defines functions whose bodies are compiled several times, for the baseline and for wider vectors, and chosen at run time.
///
/// Bodies use `f32::mul_add`, which rounds once everywhere; functions they call must be `#[inline(always)]`.
macro_rules! vectorized {
    ($(
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident $(<$($lifetime:lifetime),*>)? ($($argument:ident : $kind:ty),* $(,)?) $(-> $output:ty)? $body:block
    )*) => {$(
        $(#[$attribute])*
        $visibility fn $name $(<$($lifetime),*>)? ($($argument: $kind),*) $(-> $output)? {
            struct Call $(<$($lifetime),*>)? { $($argument: $kind),* }
            impl $(<$($lifetime),*>)? ::pulp::NullaryFnOnce for Call $(<$($lifetime),*>)? {
                type Output = vectorized!(@output $($output)?);
                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($argument),* } = self;
                    $body
                }
            }
            ::pulp::Arch::new().dispatch(Call { $($argument),* })
        }
    )*};
    (@output) => { () };
    (@output $output:ty) => { $output };
}

pub(in crate::ops) use vectorized;
