//! Distances along columns, for a strip of columns at once.
//!
//! The squared distance of row `q` is the smallest `values[i] + (q - rows[i])^2` over the sites `i`. The site that gives it moves
//! down with `q`, and so do the first and the last of the sites of a strip's columns. So the middle row of every interval is
//! answered from the sites between those of the interval's ends (and not farther away than the ends' own distances allow), and
//! the rows between two answered ones from the few sites that are left, without asking which one it was.

/// Columns of a strip.
pub(super) const LANES: usize = 16;
/// Rows that are answered together in the end.
const LEAF: usize = 8;

/// One number for each column of a strip.
pub(super) type Lanes = [i32; LANES];

/// An answered row.
#[derive(Clone, Copy, Default)]
struct Node {
    /// The first and the last site that is the nearest of a column.
    first: usize,
    last: usize,
    /// No column is farther from its site than this.
    reach: i32,
}

/// Buffers for one strip.
#[derive(Default)]
pub(super) struct Columns {
    nodes: Vec<Node>,
}

impl Columns {
    /// Writes the squared distances of the rows `start..start + out.len()`. There is a site, and sites come in order of their rows.
    pub(super) fn lower(&mut self, rows: &[i32], values: &[Lanes], start: usize, out: &mut [Lanes]) {
        let sites = Sites { rows, values };
        pulp::Arch::new().dispatch(Lower { nodes: &mut self.nodes, sites, start: start as i32, out });
    }
}

struct Lower<'a> {
    nodes: &'a mut Vec<Node>,
    sites: Sites<'a>,
    start: i32,
    out: &'a mut [Lanes],
}

impl pulp::NullaryFnOnce for Lower<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { nodes, sites, start, out } = self;
        let leaves = out.len().div_ceil(LEAF);
        let last_row = start + out.len() as i32 - 1;
        let row_of = |node: usize| (start + (node * LEAF) as i32).min(last_row);
        nodes.clear();
        nodes.resize(leaves + 1, Node::default());
        let end = sites.rows.len() - 1;
        nodes[0] = sites.nearest(row_of(0), 0, end);
        nodes[leaves] = sites.nearest(row_of(leaves), nodes[0].first, end);
        let mut interval = leaves.next_power_of_two();
        while interval > 1 {
            for middle in (interval / 2..leaves).step_by(interval) {
                let (above, below) = (middle - interval / 2, (middle + interval / 2).min(leaves));
                let row = row_of(middle);
                let reach =
                    (nodes[above].reach + row - row_of(above)).min(nodes[below].reach + row_of(below) - row);
                let (first, last) = sites.within(nodes[above].first, nodes[below].last, row, reach);
                nodes[middle] = sites.nearest(row, first, last);
            }
            interval /= 2;
        }
        for (leaf, out) in out.chunks_mut(LEAF).enumerate() {
            sites.leaf(row_of(leaf), nodes[leaf].first, nodes[leaf + 1].last, out);
        }
    }
}

#[derive(Clone, Copy)]
struct Sites<'a> {
    rows: &'a [i32],
    values: &'a [Lanes],
}

impl Sites<'_> {
    /// Those of the sites `first..=last` that are at most `reach` rows away.
    #[inline(always)]
    fn within(self, first: usize, last: usize, row: i32, reach: i32) -> (usize, usize) {
        let sites = &self.rows[first..=last];
        let before = sites.partition_point(|&site| site < row - reach).min(sites.len() - 1);
        let up_to = sites.partition_point(|&site| site <= row + reach);
        (first + before, first + up_to.max(before + 1) - 1)
    }

    /// Which of the sites `first..=last` are the nearest of the columns in this row.
    #[inline(always)]
    fn nearest(self, row: i32, first: usize, last: usize) -> Node {
        let (mut least, mut site) = ([i32::MAX; LANES], [first as i32; LANES]);
        let sites = self.rows[first..=last].iter().zip(&self.values[first..=last]);
        for ((&site_row, values), index) in sites.zip(first as i32..) {
            let square = (row - site_row) * (row - site_row);
            for lane in 0..LANES {
                let candidate = values[lane] + square;
                let is_less = candidate < least[lane];
                least[lane] = if is_less { candidate } else { least[lane] };
                site[lane] = if is_less { index } else { site[lane] };
            }
        }
        let first = site.iter().fold(i32::MAX, |first, &site| first.min(site));
        let last = site.iter().fold(0, |last, &site| last.max(site));
        let farthest = least.iter().fold(0, |farthest, &square| farthest.max(square));
        // Rounded up, and one more for the rounding of the root.
        Node { first: first as usize, last: last as usize, reach: f64::from(farthest).sqrt() as i32 + 2 }
    }

    /// The squared distances of the rows from `row` on.
    #[inline(always)]
    fn leaf(self, row: i32, first: usize, last: usize, out: &mut [Lanes]) {
        let mut least = [[i32::MAX / 2; LANES]; LEAF];
        for (&site_row, values) in self.rows[first..=last].iter().zip(&self.values[first..=last]) {
            let away = row - site_row;
            // (away + r)^2 = away^2 + 2 r away + r^2, whose last part is the same for all sites.
            let mut candidate = *values;
            candidate.iter_mut().for_each(|candidate| *candidate += away * away);
            for least in &mut least {
                for lane in 0..LANES {
                    let value = candidate[lane];
                    least[lane] = if value < least[lane] { value } else { least[lane] };
                    candidate[lane] = value + 2 * away;
                }
            }
        }
        for (r, (out, least)) in out.iter_mut().zip(&least).enumerate() {
            let square = (r * r) as i32;
            for lane in 0..LANES {
                out[lane] = least[lane] + square;
            }
        }
    }
}
