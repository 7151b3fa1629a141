//! Distances along columns, for a strip of columns at once.
//!
//! The squared distance of row `q` is the smallest `values[i] + (q - rows[i])^2` over the sites `i`. The site that gives it moves
//! down with `q`, and so do the first and the last of the sites of a strip's columns. So the middle row of every interval is
//! answered from the sites between those of the interval's ends (and not farther away than the ends' own distances allow), and
//! the rows between two answered ones from the few sites that are left, without asking which one it was.

use std::ops::Range;

use super::kernels::{Lanes, Vector};

/// Rows that are answered together in the end.
const LEAF: usize = 8;
/// Above every square, with room for one more addition.
const INFINITE: i32 = i32::MAX / 2;

/// An answered row.
#[derive(Clone, Copy, Default)]
pub(super) struct Node {
    /// The first and the last site that is the nearest of a column.
    first: usize,
    last: usize,
    /// No column is farther from its site than this.
    reach: i32,
}

/// The elements of a strip that distances lead to: at least one, in the order of their rows.
#[derive(Clone, Copy)]
pub(super) struct Sites<'a> {
    /// The row of each.
    pub(super) rows: &'a [i32],
    /// The squared distance along the row, per column.
    pub(super) values: &'a [Lanes],
    /// A row that is not below any site.
    pub(super) top: i32,
    /// How many sites lie above each of the rows from `top` to the one below the last site.
    pub(super) above: &'a [i32],
}

impl Sites<'_> {
    /// Writes the squared distances of `rows`, of which there is one, into `out`, which becomes at least as long.
    #[inline(always)]
    pub(super) fn lower(
        self,
        vector: impl Vector,
        nodes: &mut Vec<Node>,
        rows: Range<usize>,
        out: &mut Vec<Lanes>,
    ) {
        let start = rows.start as i32;
        let leaves = rows.len().div_ceil(LEAF);
        let last_row = rows.end as i32 - 1;
        if out.len() < leaves * LEAF {
            out.resize(leaves * LEAF, Lanes::default());
        }
        let row_of = |node: usize| (start + (node * LEAF) as i32).min(last_row);
        nodes.clear();
        nodes.resize(leaves + 1, Node::default());
        let end = self.rows.len() - 1;
        let (first, last) = self.within(0, end, row_of(0), self.reach(vector, row_of(0)));
        nodes[0] = self.nearest(vector, row_of(0), first, last);
        let (first, last) = self.within(nodes[0].first, end, last_row, self.reach(vector, last_row));
        nodes[leaves] = self.nearest(vector, last_row, first, last);
        let mut interval = leaves.next_power_of_two();
        while interval > 1 {
            for middle in (interval / 2..leaves).step_by(interval) {
                let (above, below) = (middle - interval / 2, (middle + interval / 2).min(leaves));
                let row = row_of(middle);
                let reach =
                    (nodes[above].reach + row - row_of(above)).min(nodes[below].reach + row_of(below) - row);
                let (first, last) = self.within(nodes[above].first, nodes[below].last, row, reach);
                nodes[middle] = self.nearest(vector, row, first, last);
            }
            interval /= 2;
        }
        for (leaf, out) in out.as_chunks_mut().0.iter_mut().enumerate().take(leaves) {
            self.leaf(vector, row_of(leaf), nodes[leaf].first, nodes[leaf + 1].last, out);
        }
    }

    /// A bound of the distances of a row, from one site that is near.
    #[inline(always)]
    fn reach<V: Vector>(self, vector: V, row: i32) -> i32 {
        let site = self.above(row).min(self.rows.len() - 1);
        let away = row - self.rows[site];
        let farthest = (0..V::PARTS).map(|part| vector.range(vector.load(&self.values[site], part)).1);
        root(farthest.fold(0, i32::max) + away * away)
    }

    /// How many sites lie above a row.
    #[inline(always)]
    fn above(self, row: i32) -> usize {
        self.above[((row - self.top).max(0) as usize).min(self.above.len() - 1)] as usize
    }

    /// Those of the sites `first..=last` that are at most `reach` rows away; never none.
    #[inline(always)]
    fn within(self, first: usize, last: usize, row: i32, reach: i32) -> (usize, usize) {
        let nearest = self.above(row - reach).clamp(first, last);
        (nearest, self.above(row + reach + 1).saturating_sub(1).clamp(nearest, last))
    }

    /// Which of the sites `first..=last` are the nearest of the columns in this row.
    #[inline(always)]
    fn nearest<V: Vector>(self, vector: V, row: i32, first: usize, last: usize) -> Node {
        let mut node = Node { first: usize::MAX, last: 0, reach: 0 };
        for part in 0..V::PARTS {
            let (mut least, mut site) = (vector.splat(INFINITE), vector.splat(first as i32));
            let mut index = site;
            for (&site_row, values) in self.rows[first..=last].iter().zip(&self.values[first..=last]) {
                let square = (row - site_row) * (row - site_row);
                let candidate = vector.add(vector.load(values, part), vector.splat(square));
                site = vector.where_less(candidate, least, index, site);
                least = vector.min(candidate, least);
                index = vector.add(index, vector.splat(1));
            }
            let (first, last) = vector.range(site);
            node.first = node.first.min(first as usize);
            node.last = node.last.max(last as usize);
            node.reach = node.reach.max(vector.range(least).1);
        }
        Node { reach: root(node.reach), ..node }
    }

    /// The squared distances of the rows from `row` on; those of rows that were not asked for mean nothing.
    #[inline(always)]
    fn leaf<V: Vector>(self, vector: V, row: i32, first: usize, last: usize, out: &mut [Lanes; LEAF]) {
        for part in 0..V::PARTS {
            let mut least = [vector.splat(INFINITE); LEAF];
            for (&site_row, values) in self.rows[first..=last].iter().zip(&self.values[first..=last]) {
                let away = row - site_row;
                // (away + r)^2 = away^2 + 2 r away + r^2, whose last part is the same for all sites.
                let mut candidate = vector.add(vector.load(values, part), vector.splat(away * away));
                let step = vector.splat(2 * away);
                for least in &mut least {
                    *least = vector.min(*least, candidate);
                    candidate = vector.add(candidate, step);
                }
            }
            for (r, (out, least)) in out.iter_mut().zip(&least).enumerate() {
                vector.store(out, part, vector.add(*least, vector.splat((r * r) as i32)));
            }
        }
    }
}

/// Not below the root of a square: rounded up, and one more for the rounding of the root.
#[inline(always)]
fn root(square: i32) -> i32 {
    (square as f32).sqrt() as i32 + 2
}
