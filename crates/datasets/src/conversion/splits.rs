//! Which image is in which split, where its path does not say it.

use std::collections::{BTreeMap, BTreeSet};

use segbench_storage::sha256_bytes;

use crate::Error;
use crate::cards::DatasetCard;

/// The ways to find the split of an id, in the order in which they are asked.
pub(super) enum Assignment {
    /// Lists in the sources or in the description: id to split.
    Listed(BTreeMap<String, usize>),
    /// By a hash of the id.
    Shares(Vec<u64>),
    /// There is one split only.
    Only,
}

impl Assignment {
    /// Lists in the sources come first, then the ids that the description names, then shares.
    pub(super) fn new(card: &DatasetCard, lists: &BTreeMap<usize, BTreeSet<String>>) -> Result<Self, Error> {
        if !lists.is_empty() {
            return Self::listed(card, lists.iter().map(|(split, ids)| (*split, ids)));
        }
        let members = card.splits.iter().map(|split| &split.members).enumerate();
        if card.splits.iter().any(|split| !split.members.is_empty()) {
            return Self::listed(card, members);
        }
        let shares: Vec<u64> = card.splits.iter().map(|split| u64::from(split.share)).collect();
        Ok(if shares.iter().sum::<u64>() > 0 { Self::Shares(shares) } else { Self::Only })
    }

    fn listed<'a>(
        card: &DatasetCard,
        lists: impl Iterator<Item = (usize, &'a BTreeSet<String>)>,
    ) -> Result<Self, Error> {
        let mut splits = BTreeMap::new();
        for (split, ids) in lists {
            for id in ids {
                if let Some(other) = splits.insert(id.clone(), split) {
                    let list = |split: usize| format!("the list of `{}`", card.splits[split].name);
                    return Err(Error::Duplicate { id: id.clone(), first: list(other), second: list(split) });
                }
            }
        }
        Ok(Self::Listed(splits))
    }

    /// The split of an image; `None` if it is in no list. Images of one `group` stay together where shares decide.
    pub(super) fn split(&self, id: &str, group: &str) -> Option<usize> {
        match self {
            Self::Listed(splits) => splits.get(id).copied(),
            Self::Shares(shares) => Some(by_hash(group, shares)),
            Self::Only => Some(0),
        }
    }
}

/// The first 12 hex digits of the SHA-256 of the group, as a number, modulo the sum of the shares, say which share it falls into. The
/// group is the first name in braces of the path, which is the id where there is one name only. So an image stays in its split whatever
/// other images there are.
fn by_hash(group: &str, shares: &[u64]) -> usize {
    let digits = sha256_bytes(group.as_bytes());
    let number = digits.get(..12).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default();
    let mut left = number % shares.iter().sum::<u64>().max(1);
    for (split, share) in shares.iter().enumerate() {
        if left < *share {
            return split;
        }
        left -= share;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cards::card;

    #[test]
    fn shares_are_kept_and_an_id_stays_where_it_is() {
        let synthia = card("synthia").expect("known");
        let assignment = Assignment::new(synthia, &BTreeMap::new()).expect("shares");
        let split = |id: &str| assignment.split(id, id);
        let mut counts = [0; 3];
        for id in 0..9400 {
            counts[split(&format!("{id:07}")).expect("a split")] += 1;
        }
        // 8 : 1 : 1 of 9400, within three standard deviations.
        for (count, expected) in counts.into_iter().zip([7520, 940, 940]) {
            assert!((expected - 120..expected + 120).contains(&count), "{counts:?}");
        }
        // sha256("0000000") begins with 20fdf64da3cd, which is 1 modulo 10 (Python's hashlib); the others give 8 and 9.
        assert_eq!([split("0000000"), split("0000006"), split("0000001")], [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn an_id_in_two_lists_is_refused() {
        let ids = BTreeSet::from(["7".to_owned()]);
        let lists = BTreeMap::from([(0, ids.clone()), (1, ids)]);
        let Err(err) = Assignment::new(card("gta5").expect("known"), &lists) else { panic!("refused") };
        assert!(err.to_string().contains("the list of `val`"), "{err}");
    }
}
