//! Elementary functions without branches, so that loops over them use vectors, and sums with a fixed order.

use super::LANES;

/// `exp(x)` to about one unit in the last place; smaller than 1e-37 is 1e-38.
///
/// The polynomial is that of `expf` in the [Cephes library](https://www.netlib.org/cephes/).
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// 1.5 · 2^23: adding it rounds to an integer, which then stands in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let whole = shifted - ROUND;
    // ln 2 in two parts, the first of which multiplies an integer exactly.
    let rest = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, x));
    let mantissa = exp_minus_one_of_small(rest) + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    f32::from_bits(mantissa.to_bits().wrapping_add(exponent << 23))
}

/// `exp(x)` for a weight among others: exactly 0 below -87, and so for minus infinity.
#[inline(always)]
pub fn falling_exp(x: f32) -> f32 {
    if x < -87.0 { 0.0 } else { exp(x) }
}

/// `exp(x) - 1` without losing the digits of a small `x`.
#[inline(always)]
pub fn exp_minus_one(x: f32) -> f32 {
    let small = exp_minus_one_of_small(x.clamp(-0.35, 0.35));
    if x.abs() < 0.34 { small } else { exp(x) - 1.0 }
}

/// `exp(x) - 1` for `|x|` up to ln 2 / 2.
#[inline(always)]
fn exp_minus_one_of_small(x: f32) -> f32 {
    let polynomial = 1.987_569_1e-4_f32
        .mul_add(x, 1.398_199_9e-3)
        .mul_add(x, 8.333_452e-3)
        .mul_add(x, 4.166_579_6e-2)
        .mul_add(x, 1.666_666_6e-1)
        .mul_add(x, 0.5);
    polynomial.mul_add(x * x, x)
}

/// The hyperbolic tangent to about one unit in the last place; the polynomial for small `x` is that of `tanhf` in Cephes.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let square = x * x;
    let polynomial = (-5.704_988_7e-3_f32)
        .mul_add(square, 2.063_908_8e-2)
        .mul_add(square, -5.373_971_6e-2)
        .mul_add(square, 1.333_144_2e-1)
        .mul_add(square, -3.333_328e-1);
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 { (polynomial * square).mul_add(x, x) } else { far.copysign(x) }
}

/// The error function, within 3e-7.
///
/// The quotient of polynomials is the one that [XLA](https://github.com/openxla/xla) uses for f32.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    /// From here on the result is 1.
    const END: f32 = 3.832_507;
    let sign = x.clamp(-1.0, 1.0);
    let is_end = x.abs() >= END;
    let x = x.clamp(-END, END);
    let square = x * x;
    let above = (-2.726_142_3e-10_f32)
        .mul_add(square, 2.770_681_5e-8)
        .mul_add(square, -2.101_024e-6)
        .mul_add(square, -5.692_506_4e-5)
        .mul_add(square, -7.349_906_3e-4)
        .mul_add(square, -2.954_6e-3)
        .mul_add(square, -1.609_603_3e-2);
    let below = (-1.456_607_2e-5_f32)
        .mul_add(square, -2.133_740_5e-4)
        .mul_add(square, -1.682_827e-3)
        .mul_add(square, -7.373_329_2e-3)
        .mul_add(square, -1.426_473_9e-2);
    if is_end { sign } else { x * above / below }
}

/// The sum of `value` of all elements: partial sums by place, then added in pairs.
#[inline(always)]
pub fn sum_of(row: &[f32], value: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane += value(*x);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += value(*x);
    }
    add_lanes(lanes)
}

/// The sum of the products of two rows, in the order of [`sum_of`].
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let (a_rest, b_rest) = (a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    for ((lane, a), b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane = a.mul_add(*b, *lane);
    }
    add_lanes(lanes)
}

/// The sum of the products of two long rows: four times the partial sums of [`dot`], which hides the latency of additions.
#[inline(always)]
pub fn long_dot(a: &[f32], b: &[f32]) -> f32 {
    const WIDE: usize = 4 * LANES;
    let mut lanes = [0.0; WIDE];
    let b = &b[..a.len()];
    let (a_chunks, b_chunks) = (a.chunks_exact(WIDE), b.chunks_exact(WIDE));
    let rest = dot(a_chunks.remainder(), b_chunks.remainder());
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..WIDE {
            lanes[lane] = a[lane].mul_add(b[lane], lanes[lane]);
        }
    }
    sum_of(&lanes, |x| x) + rest
}

/// The largest element; minus infinity for none.
#[inline(always)]
pub fn largest(row: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    rest.iter().chain(&lanes).copied().fold(f32::NEG_INFINITY, f32::max)
}

#[inline(always)]
fn add_lanes(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] += lanes[lane + half];
        }
        half /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The power series of the error function, in f64.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn exp_is_right_to_the_last_places_over_its_range() {
        for step in -8600..=8700 {
            let x = step as f32 * 0.01;
            let expected = f64::from(x).exp();
            assert!((f64::from(exp(x)) / expected - 1.0).abs() < 2e-7, "{x}: {} {expected}", exp(x));
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn functions_made_of_exp_keep_the_digits_of_small_arguments() {
        for step in -2000..=2000 {
            for x in [step as f32 * 1e-7, step as f32 * 1e-3, step as f32 * 0.04] {
                let wide = f64::from(x);
                let off =
                    |got: f32, expected: f64| (f64::from(got) - expected).abs() / (expected.abs() + 1e-30);
                assert!(off(exp_minus_one(x), wide.exp_m1()) < 4e-7, "{x}: {}", exp_minus_one(x));
                assert!(off(tanh(x), wide.tanh()) < 4e-7, "{x}: {}", tanh(x));
            }
        }
        assert_eq!([falling_exp(f32::NEG_INFINITY), falling_exp(-1e4), falling_exp(0.0)], [0.0, 0.0, 1.0]);
        assert!(
            falling_exp(f32::NAN).is_nan() && tanh(f32::NAN).is_nan() && exp_minus_one(f32::NAN).is_nan()
        );
    }

    #[test]
    fn erf_is_within_its_error() {
        for step in -500..=500 {
            let x = step as f32 * 0.01;
            assert!((f64::from(erf(x)) - erf_series(f64::from(x))).abs() < 3e-7, "{x}");
        }
        assert_eq!([erf(-1e4), erf(-3.84), erf(f32::INFINITY)], [-1.0, -1.0, 1.0]);
    }

    #[test]
    fn sums_dots_and_maxima_reach_every_element() {
        let a: Vec<f32> = (0..53).map(|i| i as f32).collect();
        let ones = vec![1.0; 53];
        assert_eq!(sum_of(&a, |x| x), 1378.0);
        assert_eq!(dot(&a, &ones), 1378.0);
        assert_eq!(
            long_dot(&[&a[..], &a, &a].concat(), &[&ones[..], &ones, &ones, &ones].concat()),
            3.0 * 1378.0
        );
        for last in [0, 20, 52] {
            let mut row = vec![-5.0; 53];
            row[last] = -1.0;
            assert_eq!(largest(&row), -1.0);
        }
    }
}
