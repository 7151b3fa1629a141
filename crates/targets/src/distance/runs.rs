//! Rows of labels as runs of equal ones, and distances along a row.

use std::ops::Range;

/// Stands for the distance to an element that the row does not have.
pub(super) const FAR: u16 = 32_000;

/// Calls `visit(label, columns)` for every run of equal labels.
pub(super) fn for_each_run(row: &[u8], mut visit: impl FnMut(u8, Range<usize>)) {
    let mut start = 0;
    while let Some(&label) = row.get(start) {
        let end = start + run_length(&row[start..], label);
        visit(label, start..end);
        start = end;
    }
}

/// How many elements at the beginning of `row` are `label`.
fn run_length(row: &[u8], label: u8) -> usize {
    const WORD: usize = 8;
    let pattern = u64::from_le_bytes([label; WORD]);
    let (words, rest) = row.as_chunks::<WORD>();
    for (index, word) in words.iter().enumerate() {
        let difference = u64::from_le_bytes(*word) ^ pattern;
        if difference != 0 {
            return index * WORD + difference.trailing_zeros() as usize / WORD;
        }
    }
    words.len() * WORD + rest.iter().take_while(|&&other| other == label).count()
}

/// Distance of every element of a run to the nearest element of the row outside of it.
pub(super) fn fill_inside(steps: &mut [u16], run: Range<usize>) {
    let (left, right) = (run.start > 0, run.end < steps.len());
    let steps = &mut steps[run];
    match (left, right) {
        (false, false) => steps.fill(FAR),
        (true, false) => rising(steps, 1),
        (false, true) => falling(steps),
        (true, true) => tent(steps),
    }
}

/// Distance of every element of the row to the nearest one of the given runs, which come in order.
pub(super) fn fill_outside(steps: &mut [u16], runs: impl Iterator<Item = Range<usize>>) {
    let mut done: Option<usize> = None;
    for run in runs {
        match done {
            None => falling(&mut steps[..run.start]),
            Some(end) => tent(&mut steps[end..run.start]),
        }
        done = Some(run.end);
        steps[run].fill(0);
    }
    match done {
        None => steps.fill(FAR),
        Some(end) => rising(&mut steps[end..], 1),
    }
}

fn rising(steps: &mut [u16], first: u16) {
    steps.iter_mut().zip(first..).for_each(|(step, value)| *step = value);
}

fn falling(steps: &mut [u16]) {
    let length = steps.len() as u16;
    steps.iter_mut().zip(0..length).for_each(|(step, at)| *step = length - at);
}

/// Up to the middle and down again.
fn tent(steps: &mut [u16]) {
    let middle = steps.len() / 2;
    let (left, right) = steps.split_at_mut(middle);
    rising(left, 1);
    falling(right);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_every_length_and_place_are_found() {
        for length in [1, 2, 7, 8, 9, 16, 31] {
            let row: Vec<u8> = [vec![3; length], vec![0; 5], vec![3; length], vec![255]].concat();
            let mut runs = Vec::new();
            for_each_run(&row, |label, columns| runs.push((label, columns)));
            let second = length + 5;
            let expected = [
                (3, 0..length),
                (0, length..second),
                (3, second..second + length),
                (255, second + length..second + length + 1),
            ];
            assert_eq!(runs, expected);
        }
    }

    #[test]
    fn distances_along_a_row_count_from_the_nearest_end() {
        let mut steps = vec![9; 12];
        fill_outside(&mut steps, [2..4, 9..10].into_iter());
        assert_eq!(steps, [2, 1, 0, 0, 1, 2, 3, 2, 1, 0, 1, 2]);
        fill_inside(&mut steps, 0..4);
        fill_inside(&mut steps, 4..9);
        fill_inside(&mut steps, 9..12);
        assert_eq!(steps, [4, 3, 2, 1, 1, 2, 3, 2, 1, 1, 2, 3]);
        fill_outside(&mut steps, [].into_iter());
        assert_eq!(steps, [FAR; 12]);
    }
}
