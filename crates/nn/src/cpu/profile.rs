//! How long functions on the CPU take.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Read by every function, so that nothing is locked while nobody measures.
static IS_ON: AtomicBool = AtomicBool::new(false);
static TIMES: Mutex<BTreeMap<&'static str, Times>> = Mutex::new(BTreeMap::new());

/// The calls of one function and the wall time they took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Forward passes.
    pub calls: u64,
    /// Time of all forward passes.
    pub forward: Duration,
    /// Time of all backward passes.
    pub backward: Duration,
}

/// Calls `work` and measures each [`Function`](super::Function) that any thread applies meanwhile, by name.
///
/// Two profiles at a time share what they measure.
pub fn profile<R>(work: impl FnOnce() -> R) -> (R, BTreeMap<&'static str, Times>) {
    TIMES.lock().unwrap_or_else(PoisonError::into_inner).clear();
    IS_ON.store(true, Ordering::Relaxed);
    let result = work();
    IS_ON.store(false, Ordering::Relaxed);
    (result, std::mem::take(&mut *TIMES.lock().unwrap_or_else(PoisonError::into_inner)))
}

pub(super) enum Direction {
    Forward,
    Backward,
}

/// Calls `work` as a pass of the function `name`.
pub(super) fn measured<R>(name: &'static str, direction: Direction, work: impl FnOnce() -> R) -> R {
    if !IS_ON.load(Ordering::Relaxed) {
        return work();
    }
    let began = Instant::now();
    let result = work();
    let elapsed = began.elapsed();
    let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
    let times = times.entry(name).or_default();
    match direction {
        Direction::Forward => {
            times.calls += 1;
            times.forward += elapsed;
        }
        Direction::Backward => times.backward += elapsed,
    }
    result
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    #[test]
    fn a_profile_counts_forward_and_backward_passes_by_name() {
        let x = Var::ones((7, 5), DType::F32, &Device::Cpu).unwrap();
        let (_, times) = profile(|| {
            let y = crate::ops::gelu(&crate::ops::gelu(&x).unwrap()).unwrap();
            y.backward().unwrap();
        });
        // Other tests run meanwhile, and their calls are counted too.
        let gelu = times["gelu"];
        assert!(gelu.calls >= 2 && gelu.forward > Duration::ZERO && gelu.backward > Duration::ZERO);
    }
}
