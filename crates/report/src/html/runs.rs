//! What runs are called on the page.

use crate::leaderboard::Group;

/// A run with its name and its number, which is the same in every part of the page.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(crate) number: usize,
    pub(crate) label: String,
}

/// The runs of all groups, in their order.
pub(crate) fn number(groups: &[Group]) -> Vec<Vec<Numbered>> {
    let mut next = 0..;
    let named = |group: &Group| -> Vec<Numbered> {
        let numbers = group.labels().into_iter().zip(&mut next);
        numbers.map(|(label, number)| Numbered { number, label }).collect()
    };
    groups.iter().map(named).collect()
}
