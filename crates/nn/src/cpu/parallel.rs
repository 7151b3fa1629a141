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

/// Calls `work(index, item)` for each item, on all threads.
pub fn share<T: Send>(items: Vec<T>, work: impl Fn(usize, T) + Send + Sync) {
    items.into_par_iter().enumerate().for_each(|(index, item)| work(index, item));
}

/// Some neighboring columns of one block of a tensor `(blocks, rows, columns)`.
pub struct ColumnTile<'a> {
    /// Which block.
    pub block: usize,
    /// The first column.
    pub start: usize,
    /// The elements of each row of the block in these columns.
    pub rows: Vec<&'a mut [f32]>,
}

/// Cuts every block of `rows · columns` elements into tiles of at most `width` columns: pieces of work for functions along a
/// dimension that is not the last.
pub fn column_tiles(out: &mut [f32], rows: usize, columns: usize, width: usize) -> Vec<ColumnTile<'_>> {
    let (columns, width) = (columns.max(1), width.max(1));
    let mut tiles = Vec::new();
    for (block, elements) in out.chunks_mut(rows.max(1) * columns).enumerate() {
        let first = tiles.len();
        let starts = (0..columns).step_by(width);
        tiles.extend(starts.map(|start| ColumnTile { block, start, rows: Vec::with_capacity(rows) }));
        for row in elements.chunks_mut(columns) {
            for (tile, piece) in tiles[first..].iter_mut().zip(row.chunks_mut(width)) {
                tile.rows.push(piece);
            }
        }
    }
    tiles
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
