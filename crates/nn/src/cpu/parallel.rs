//! Work shared among threads such that the results do not depend on how many there are.

use rayon::prelude::*;

/// Fewer elements than this are not worth waking other threads for.
const SMALLEST_SHARED: usize = 1 << 14;

/// How many rows of `width` elements make one piece of work; depends on the shape alone.
pub fn chunk_rows(width: usize) -> usize {
    (SMALLEST_SHARED / width.max(1)).max(1)
}

/// Calls `work(index, chunk)` for each `size` elements of `out`.
pub fn for_each_chunk<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Send + Sync) {
    let size = size.max(1);
    if out.len() < SMALLEST_SHARED || rayon::current_num_threads() == 1 {
        out.chunks_mut(size).enumerate().for_each(|(index, chunk)| work(index, chunk));
    } else {
        share_chunks(out, size, work);
    }
}

/// Calls `work(index, chunk)` for each `size` elements of `out`, on all threads however short `out` is.
pub fn share_chunks<T: Send>(out: &mut [T], size: usize, work: impl Fn(usize, &mut [T]) + Send + Sync) {
    out.par_chunks_mut(size.max(1)).enumerate().for_each(|(index, chunk)| work(index, chunk));
}

/// Calls `work(index, chunk, companion)` for each `size` elements of `out` and each `companion_size` elements of `companions`.
pub fn for_each_chunk2<T: Send, U: Send>(
    (out, size): (&mut [T], usize),
    (companions, companion_size): (&mut [U], usize),
    work: impl Fn(usize, &mut [T], &mut [U]) + Send + Sync,
) {
    let (size, companion_size) = (size.max(1), companion_size.max(1));
    if out.len() < SMALLEST_SHARED || rayon::current_num_threads() == 1 {
        let pairs = out.chunks_mut(size).zip(companions.chunks_mut(companion_size));
        pairs.enumerate().for_each(|(index, (chunk, companion))| work(index, chunk, companion));
    } else {
        let pairs = out.par_chunks_mut(size).zip(companions.par_chunks_mut(companion_size));
        pairs.enumerate().for_each(|(index, (chunk, companion))| work(index, chunk, companion));
    }
}

/// Adds up `width` columns of partial sums, in their order.
pub fn sum_partials(partials: &[f32], width: usize) -> Vec<f32> {
    let mut total = vec![0.0; width];
    for partial in partials.chunks_exact(width.max(1)) {
        for (sum, value) in total.iter_mut().zip(partial) {
            *sum += value;
        }
    }
    total
}
