//! Softmax over classes, many pixels at a time.

/// Turns logits into probabilities: a plane per class. A pixel with a logit that is not a number has no probabilities that are.
#[inline(always)]
pub(crate) fn softmax<const PIXELS: usize>(planes: &mut [[f32; PIXELS]]) {
    let mut greatest = [f32::NEG_INFINITY; PIXELS];
    for plane in planes.iter() {
        for (greatest, &value) in greatest.iter_mut().zip(plane) {
            *greatest = if value > *greatest { value } else { *greatest };
        }
    }
    let mut sum = [0.0; PIXELS];
    for plane in planes.iter_mut() {
        for ((value, greatest), sum) in plane.iter_mut().zip(&greatest).zip(&mut sum) {
            *value = exp(*value - greatest);
            *sum += *value;
        }
    }
    for plane in planes {
        plane.iter_mut().zip(&sum).for_each(|(value, sum)| *value /= sum);
    }
}

/// The exponential of a number that is not positive, to 2 units in the last place; 0 below -87, where results stop being normal.
///
/// # Source
/// The argument reduction and the polynomial of Cephes, `expf.c`.
#[inline(always)]
fn exp(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const POLYNOMIAL: [f32; 6] =
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5.000_000_3e-1];
    let power = (x * std::f32::consts::LOG2_E).round_ties_even();
    let rest = power.mul_add(-LN_2_LOW, power.mul_add(-LN_2_HIGH, x));
    let polynomial = POLYNOMIAL.iter().fold(0.0_f32, |value, &factor| value.mul_add(rest, factor));
    let value = polynomial.mul_add(rest * rest, rest) + 1.0;
    let scale = f32::from_bits(((power as i32).wrapping_add(127) as u32) << 23);
    if x < -87.0 { 0.0 } else { value * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_f64_to_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        for step in 0..87_000 {
            let x = -(step as f32) * 0.001;
            let expected = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) / expected - 1.0).abs());
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst}");
        assert_eq!((exp(0.0), exp(-1e9), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn probabilities_add_up_to_one_and_keep_the_order() {
        let mut planes = [[3.0, -200.0], [1.0, 100.0], [2.0, 90.0]];
        softmax(&mut planes);
        for pixel in 0..2 {
            let sum: f32 = planes.iter().map(|plane| plane[pixel]).sum();
            assert!((sum - 1.0).abs() < 1e-6);
        }
        assert!((planes[0][0] - 0.665_240_96).abs() < 1e-6, "exp(3) / (exp(3) + exp(1) + exp(2))");
        assert!(planes[1][1] > planes[2][1] && planes[0][1] == 0.0);
    }
}
