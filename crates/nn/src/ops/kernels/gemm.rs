//! Products of matrices in slices.
//!
//! The `gemm` crate multiplies; its function takes pointers, and this module is the only place that calls it.

use ::gemm::Parallelism;

use crate::cpu::{share_chunks, sum_partials};

/// A matrix in a slice: element (r, c) lies at `r * strides[0] + c * strides[1]`.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Matrix<'a> {
    pub(in crate::ops) data: &'a [f32],
    pub(in crate::ops) shape: [usize; 2],
    pub(in crate::ops) strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows lie one after the other.
    pub(in crate::ops) fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { data, shape: [rows, columns], strides: [columns, 1] }
    }

    /// The transposed matrix.
    pub(in crate::ops) fn t(self) -> Self {
        let ([rows, columns], [row, column]) = (self.shape, self.strides);
        Self { data: self.data, shape: [columns, rows], strides: [column, row] }
    }
}

/// A matrix to write to, whose rows lie `stride` elements apart.
pub(in crate::ops) struct MatrixMut<'a> {
    pub(in crate::ops) data: &'a mut [f32],
    pub(in crate::ops) shape: [usize; 2],
    pub(in crate::ops) stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// A matrix whose rows lie one after the other.
    pub(in crate::ops) fn new(data: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self { data, shape: [rows, columns], stride: columns }
    }
}

/// Sets `out` to `a · b`, or adds the product to it. The bits do not depend on `parallel`.
///
/// # Panics
///
/// If the shapes do not fit each other or a matrix does not fit its slice.
#[expect(unsafe_code, reason = "the function of the gemm crate takes pointers")]
pub(in crate::ops) fn gemm(out: MatrixMut, add: bool, a: Matrix, b: Matrix, parallel: bool) {
    let ([m, k], [inner, n]) = (a.shape, b.shape);
    assert!(out.shape == [m, n] && inner == k, "{:?} = {:?} x {:?}", out.shape, a.shape, b.shape);
    assert!(m <= 1 || n <= out.stride, "rows overlap");
    let fits = |length: usize, shape: [usize; 2], strides: [usize; 2]| {
        shape.contains(&0) || (shape[0] - 1) * strides[0] + (shape[1] - 1) * strides[1] < length
    };
    assert!(
        fits(a.data.len(), a.shape, a.strides) && fits(b.data.len(), b.shape, b.strides),
        "an operand is too short"
    );
    assert!(fits(out.data.len(), out.shape, [out.stride, 1]), "the result is too short");
    let threads = if parallel { Parallelism::Rayon(rayon::current_num_threads()) } else { Parallelism::None };
    // SAFETY: the asserts above keep every element of the three matrices inside its slice, `out` is borrowed mutably and so
    // does not overlap `a` or `b`, and its rows do not overlap each other.
    unsafe {
        ::gemm::gemm(
            m,
            n,
            k,
            out.data.as_mut_ptr(),
            1,
            out.stride as isize,
            add,
            a.data.as_ptr(),
            a.strides[1] as isize,
            a.strides[0] as isize,
            b.data.as_ptr(),
            b.strides[1] as isize,
            b.strides[0] as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

/// `a · b` where the inner dimension is long and the result small, as for the gradient of a weight: the inner dimension is cut
/// into pieces of fixed length, and their products are added in order.
pub(in crate::ops) fn gemm_tall(a: Matrix, b: Matrix) -> Vec<f32> {
    let ([m, k], n) = (a.shape, b.shape[1]);
    let piece = piece_length(m * n, k);
    let mut partials = vec![0.0; m * n * k.div_ceil(piece).max(1)];
    if partials.is_empty() || k == 0 {
        return vec![0.0; m * n];
    }
    let whole = partials.len() == m * n;
    let run = |index: usize, out: &mut [f32]| {
        let (start, length) = (index * piece, piece.min(k - index * piece));
        let a = Matrix { data: &a.data[start * a.strides[1]..], shape: [m, length], strides: a.strides };
        let b = Matrix { data: &b.data[start * b.strides[0]..], shape: [length, n], strides: b.strides };
        gemm(MatrixMut::new(out, m, n), false, a, b, whole);
    };
    if whole {
        run(0, &mut partials);
        return partials;
    }
    share_chunks(&mut partials, m * n, run);
    sum_partials(&partials, m * n)
}

/// Long enough that adding up the pieces is little work beside multiplying them.
fn piece_length(result: usize, inner: usize) -> usize {
    if result > 1 << 18 { inner.max(1) } else { inner.div_ceil(8).max(1024).min(inner.max(1)) }
}

#[cfg(test)]
mod tests {
    use segbench_types::Rng;

    use super::*;

    fn naive(a: Matrix, b: Matrix) -> Vec<f32> {
        let at = |m: &Matrix, r: usize, c: usize| f64::from(m.data[r * m.strides[0] + c * m.strides[1]]);
        let mut out = Vec::new();
        for r in 0..a.shape[0] {
            for c in 0..b.shape[1] {
                out.push((0..a.shape[1]).map(|k| at(&a, r, k) * at(&b, k, c)).sum::<f64>() as f32);
            }
        }
        out
    }

    fn random(seed: u64, length: usize) -> Vec<f32> {
        let mut rng = Rng::new(seed, &[]);
        (0..length).map(|_| rng.range(-1.0, 1.0)).collect()
    }

    fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
        assert_eq!(a.len(), b.len());
        for (index, (a, b)) in a.iter().zip(b).enumerate() {
            assert!((a - b).abs() <= tolerance, "{index}: {a} {b}");
        }
    }

    #[test]
    fn products_equal_the_sums_they_stand_for_in_every_layout() {
        for (m, k, n) in
            [(1, 1, 1), (3, 5, 7), (17, 33, 9), (70, 65, 131), (1, 40, 50), (50, 40, 1), (2, 0, 3)]
        {
            let (a, b) = (random(1, m * k), random(2, k * n));
            for (a, b) in [
                (Matrix::new(&a, m, k), Matrix::new(&b, k, n)),
                (Matrix::new(&a, k, m).t(), Matrix::new(&b, n, k).t()),
            ] {
                let expected = naive(a, b);
                let mut out = vec![f32::NAN; m * n];
                gemm(MatrixMut::new(&mut out, m, n), false, a, b, true);
                assert_close(&out, &expected, 1e-5);
                gemm(MatrixMut::new(&mut out, m, n), true, a, b, false);
                let twice: Vec<f32> = expected.iter().map(|v| 2.0 * v).collect();
                assert_close(&out, &twice, 1e-5);
                assert_close(&gemm_tall(a, b), &expected, 1e-5);
            }
        }
    }

    #[test]
    fn a_long_inner_dimension_is_added_up_in_pieces() {
        let (m, k, n) = (3, 20_011, 5);
        let (a, b) = (random(3, k * m), random(4, k * n));
        let (a, b) = (Matrix::new(&a, k, m).t(), Matrix::new(&b, k, n));
        assert_close(&gemm_tall(a, b), &naive(a, b), 2e-3);
    }

    #[test]
    fn the_bits_do_not_depend_on_the_number_of_threads() {
        let (m, k, n) = (130, 9000, 66);
        let (a, b) = (random(5, m * k), random(6, k * n));
        let (a, b) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let mut out = vec![0.0; m * n];
                gemm(MatrixMut::new(&mut out, m, n), false, a, b, true);
                (out, gemm_tall(a, b))
            })
        };
        assert!(run(1) == run(3));
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_matrix_beyond_its_slice_is_refused() {
        gemm(
            MatrixMut::new(&mut [0.0; 4], 2, 2),
            false,
            Matrix::new(&[0.0; 3], 2, 2),
            Matrix::new(&[0.0; 4], 2, 2),
            false,
        );
    }
}
