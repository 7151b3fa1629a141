//! Which prediction answers for which object: the assignment with the smallest sum of costs (the Hungarian method).
//!
//! Networks that predict a set, such as MaskFormer, have no order of their predictions; each object of the truth is given one of its
//! own before anything is compared. The gradient of a loss flows through the compared pairs and not through the choice.

/// Costs of giving objects to predictions: a matrix of objects (rows) and predictions (columns).
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    rows: usize,
    columns: usize,
    /// Row after row. All are finite.
    values: Vec<f64>,
}

impl Costs {
    /// The matrix with the cost of each pair, `cost(row, column)`. What is not finite counts as dearer than everything else.
    pub fn new(rows: usize, columns: usize, mut cost: impl FnMut(usize, usize) -> f64) -> Self {
        let mut values = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            values.extend((0..columns).map(|column| cost(row, column)));
        }
        let finite = values.iter().filter(|value| value.is_finite());
        // No assignment of finite costs is dearer than one with such a pair.
        let dearest =
            1.0 + 2.0 * (rows.min(columns) + 1) as f64 * finite.fold(0.0, |top, cost| cost.abs().max(top));
        values.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = dearest);
        Self { rows, columns, values }
    }

    /// The column of each row in the cheapest assignment, in which no column has two rows; None for rows that are left over where
    /// there are more rows than columns. The same costs give the same assignment every time.
    ///
    /// # Source
    ///
    /// The shortest augmenting paths of Jonker and Volgenant (Computing 38, 1987), as `scipy.optimize.linear_sum_assignment` has them.
    pub fn assign(&self) -> Vec<Option<usize>> {
        if self.rows <= self.columns {
            return shortest_paths(self.rows, self.columns, |row, column| {
                self.values[row * self.columns + column]
            });
        }
        let of_columns =
            shortest_paths(self.columns, self.rows, |column, row| self.values[row * self.columns + column]);
        let mut of_rows = vec![None; self.rows];
        for (column, row) in of_columns.into_iter().enumerate() {
            if let Some(row) = row {
                of_rows[row] = Some(column);
            }
        }
        of_rows
    }

    /// The sum of the costs of an assignment.
    pub fn sum(&self, assignment: &[Option<usize>]) -> f64 {
        let pairs = assignment.iter().enumerate().filter_map(|(row, column)| Some((row, (*column)?)));
        pairs.map(|(row, column)| self.values[row * self.columns + column]).sum()
    }
}

/// Gives every row a column, `rows <= columns`: one row after the other is added along the cheapest path of changes.
fn shortest_paths(rows: usize, columns: usize, cost: impl Fn(usize, usize) -> f64) -> Vec<Option<usize>> {
    let mut row_prices = vec![0.0; rows];
    let mut column_prices = vec![0.0; columns];
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    for added in 0..rows {
        let mut distances = vec![f64::INFINITY; columns];
        // From which row the cheapest path to a column comes.
        let mut came_from = vec![added; columns];
        let mut is_settled = vec![false; columns];
        let mut settled = Vec::new();
        let (mut row, mut reached) = (added, 0.0);
        let end = loop {
            let mut next: Option<usize> = None;
            for column in (0..columns).filter(|&column| !is_settled[column]) {
                let distance = reached + cost(row, column) - row_prices[row] - column_prices[column];
                if distance < distances[column] {
                    distances[column] = distance;
                    came_from[column] = row;
                }
                if next.is_none_or(|best| distances[column] < distances[best]) {
                    next = Some(column);
                }
            }
            // There are at least as many columns as rows, so one is left.
            let Some(column) = next else { return vec![None; rows] };
            reached = distances[column];
            is_settled[column] = true;
            match row_of[column] {
                None => break column,
                Some(other) => {
                    settled.push((column, other));
                    row = other;
                }
            }
        };
        row_prices[added] += reached;
        for &(column, row) in &settled {
            row_prices[row] += reached - distances[column];
            column_prices[column] -= reached - distances[column];
        }
        let mut column = end;
        loop {
            let row = came_from[column];
            let given_up = row_of.iter().position(|holder| *holder == Some(row));
            row_of[column] = Some(row);
            match given_up {
                Some(free) if row != added => column = free,
                _ => break,
            }
        }
    }
    let mut column_of = vec![None; rows];
    for (column, row) in row_of.into_iter().enumerate() {
        if let Some(row) = row {
            column_of[row] = Some(column);
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use segbench_types::Rng;

    use super::*;

    /// The cheapest sum, by trying everything.
    fn cheapest(costs: &Costs, row: usize, taken: &mut Vec<bool>, left_over: usize) -> f64 {
        if row == costs.rows {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        if left_over > 0 {
            best = cheapest(costs, row + 1, taken, left_over - 1);
        }
        for column in 0..costs.columns {
            if !taken[column] {
                taken[column] = true;
                let rest = cheapest(costs, row + 1, taken, left_over);
                best = best.min(costs.values[row * costs.columns + column] + rest);
                taken[column] = false;
            }
        }
        best
    }

    #[test]
    fn no_other_assignment_is_cheaper() {
        for case in 0..300 {
            let mut rng = Rng::new(case, &[]);
            let (rows, columns) = (rng.below(6), rng.below(6));
            // Few different values, so that many assignments cost the same; negative ones, too.
            let costs = Costs::new(rows, columns, |_, _| rng.below(7) as f64 - 3.0);
            let assignment = costs.assign();
            let mut columns_used: Vec<usize> = assignment.iter().flatten().copied().collect();
            assert_eq!(columns_used.len(), rows.min(columns), "{costs:?}");
            columns_used.sort_unstable();
            columns_used.dedup();
            assert_eq!(columns_used.len(), rows.min(columns), "{costs:?} {assignment:?}");
            let best = cheapest(&costs, 0, &mut vec![false; columns], rows.saturating_sub(columns));
            assert_eq!(costs.sum(&assignment), best, "{costs:?} {assignment:?}");
        }
    }

    /// `scipy.optimize.linear_sum_assignment` 1.17.1 on the same numbers.
    #[test]
    fn scipys_assignment_is_found() {
        let cost = |i: usize, j: usize| ((37 * i * i + 11 * i * j + 5 * j * j) % 23) as f64;
        let wide = Costs::new(5, 8, cost);
        assert_eq!(wide.sum(&wide.assign()), 8.0);
        let high = Costs::new(12, 8, |i, j| cost(i, j) + i as f64 + 0.5 * j as f64);
        let expected =
            [Some(0), Some(3), Some(2), Some(7), Some(6), None, Some(1), Some(5), None, Some(4), None, None];
        assert_eq!((high.assign(), high.sum(&expected)), (expected.to_vec(), 56.0));
    }

    #[test]
    fn what_is_not_a_number_is_taken_last() {
        let costs = Costs::new(2, 2, |row, column| if row == column { f64::NAN } else { 1e12 });
        assert_eq!(costs.assign(), [Some(1), Some(0)]);
        assert_eq!(Costs::new(0, 3, |_, _| 0.0).assign(), []);
        assert_eq!(Costs::new(2, 0, |_, _| 0.0).assign(), [None, None]);
    }
}
