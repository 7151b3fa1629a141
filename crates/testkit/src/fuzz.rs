//! Readers under bytes that nobody meant: good files, changed at random.
//!
//! No instrumentation is needed: what a reader answers stands for the path it took. An input with an answer that no input had before
//! joins those that are changed further, so that the search moves on from the first check to the ones behind it.

#![expect(clippy::print_stderr, reason = "an input that fails has to be found again")]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use segbench_types::Rng;

/// How long every reader is tried, in seconds; without it each gets [`QUICK`] inputs.
const BUDGET: &str = "SEGBENCH_FUZZ_SECONDS";
/// Where the search begins; default 0.
const SEED: &str = "SEGBENCH_FUZZ_SEED";
/// Inputs in an ordinary test.
const QUICK: u64 = 200;
/// Inputs that are changed further, at most.
const LARGEST_CORPUS: usize = 512;
/// No reader of a small file may take longer.
const SLOW: Duration = Duration::from_secs(10);
/// Changed inputs stay below this.
const LARGEST_INPUT: usize = 1 << 16;

/// Changes `seeds` at random and hands them to `read`, which answers with what it found or why it refused, and panics where something
/// is wrong. `words` are pieces that mean something to the reader. Ordinary tests try a few hundred inputs, always the same;
/// `SEGBENCH_FUZZ_SECONDS=600 SEGBENCH_FUZZ_SEED=1` tries as many as fit in ten minutes.
///
/// # Panics
/// If `read` does or takes more than ten seconds. The input is in the folder for temporary files and, if it is short, in the message.
pub fn fuzz(name: &str, seeds: &[Vec<u8>], words: &[&str], read: impl Fn(&[u8]) -> String) {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let budget = number(BUDGET).map(Duration::from_secs);
    let mut rng = Rng::new(number(SEED).unwrap_or(0), &[]);
    let mut corpus = seeds.to_vec();
    let mut answers = BTreeSet::new();
    let start = Instant::now();
    let mut tried = 0_u64;
    while budget.map_or(tried < QUICK, |budget| start.elapsed() < budget) {
        // The seeds themselves come first.
        let input = match corpus.get(tried as usize).filter(|_| (tried as usize) < seeds.len()) {
            Some(seed) => seed.clone(),
            None => mutated(&mut rng, &corpus, words),
        };
        tried += 1;
        let began = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| read(&input))).unwrap_or_else(|panic| {
            report(name, &input);
            resume_unwind(panic)
        });
        if began.elapsed() > SLOW {
            report(name, &input);
            panic!("{name}: an input of {} bytes took {:?}", input.len(), began.elapsed());
        }
        if corpus.len() < LARGEST_CORPUS && answers.insert(shape(&answer)) {
            corpus.push(input);
        }
    }
    let seconds = start.elapsed().as_secs();
    eprintln!("{name}: {tried} inputs in {seconds} s, {} kinds of answers", answers.len());
}

/// An answer without what it quotes from the input: numbers, and what stands between back ticks.
fn shape(answer: &str) -> String {
    let plain = answer.split('`').step_by(2).flat_map(str::chars);
    plain.filter(|letter| !letter.is_ascii_digit()).take(120).collect()
}

fn report(name: &str, input: &[u8]) {
    let path = std::env::temp_dir().join(format!("segbench-fuzz-{}.bin", name.replace(' ', "-")));
    let kept = std::fs::write(&path, input);
    eprintln!("{name}: {} bytes, in {} ({kept:?})", input.len(), path.display());
    if input.len() <= 400 {
        eprintln!("{}", input.escape_ascii());
    }
}

/// One of the inputs after a few changes.
fn mutated(rng: &mut Rng, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = corpus[rng.below(corpus.len())].clone();
    // One change is the likeliest number.
    while {
        change(rng, &mut bytes, corpus, words);
        rng.chance(0.6)
    } {}
    bytes.truncate(LARGEST_INPUT);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    let at = rng.below(bytes.len() + 1);
    let end = at + rng.below((bytes.len() - at).min(64) + 1);
    match rng.below(10) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => {
            let piece = bytes[at..end].to_vec();
            let target = rng.below(bytes.len() + 1);
            bytes.splice(target..target, piece);
        }
        3 => {
            let other = &corpus[rng.below(corpus.len())];
            let from = rng.below(other.len() + 1);
            bytes.truncate(at);
            bytes.extend(&other[from..]);
        }
        4 | 5 if !words.is_empty() => {
            let word = words[rng.below(words.len())].bytes();
            let end = if rng.chance(0.5) { at } else { end };
            bytes.splice(at..end, word);
        }
        6 => number_in_text(rng, bytes, at),
        7 | 8 => {
            let all = number(rng).to_le_bytes();
            let mut some = all[..1 << rng.below(4)].to_vec();
            if rng.chance(0.5) {
                some.reverse();
            }
            let room = bytes.len() - at;
            for (byte, new) in bytes[at..].iter_mut().zip(some.into_iter().take(room)) {
                *byte = new;
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
    }
}

/// Numbers at which counting goes wrong.
fn number(rng: &mut Rng) -> u64 {
    let power = 1_u64 << rng.below(64);
    match rng.below(5) {
        0 => power,
        1 => power.wrapping_sub(1),
        2 => power.wrapping_add(1),
        3 => power.wrapping_neg(),
        _ => rng.bits() >> rng.below(64),
    }
}

/// Replaces the digits behind `at`.
fn number_in_text(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(begin) = bytes[at..].iter().position(u8::is_ascii_digit).map(|found| at + found) else { return };
    let length = bytes[begin..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let new = match rng.below(4) {
        0 => (number(rng) as i64).to_string(),
        1 => format!("{}e{}", rng.below(10), rng.below(400)),
        _ => rng.below(300).to_string(),
    };
    bytes.splice(begin..begin + length, new.into_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_fails_behind_two_checks_is_caught() {
        let read = |bytes: &[u8]| match bytes {
            [b'a', b'b', b'c', ..] => panic!("behind both checks"),
            [b'a', b'b', ..] => "two".to_owned(),
            [b'a', ..] => "one".to_owned(),
            _ => "none".to_owned(),
        };
        let caught = catch_unwind(|| fuzz("checks", &[b"a".to_vec(), b"xbc".to_vec()], &["b", "c"], read));
        assert!(caught.is_err());
    }
}
