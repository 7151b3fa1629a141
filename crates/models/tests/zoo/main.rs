//! Checks over the registry of networks: one trial per model, reference and property, such as `parity::segformer-tiny-hf`.
//!
//! What reference implementations compute is stored beside the scripts that made it, `fixtures/make_*.py`.

mod fixture;
mod general;
mod mmseg;
mod mutation;
mod parity;
mod vnet;
mod weights;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// The outcome of a check.
type Check = Result<(), Failed>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let groups = [
        general::trials(),
        mmseg::trials(),
        parity::trials(),
        mutation::trials(),
        vnet::trials(),
        weights::trials(),
    ];
    libtest_mimic::run(&arguments, groups.into_iter().flatten().collect()).exit_code()
}

/// A trial with a name made of its group, what it looks at and what it says.
fn trial(name: String, check: impl FnOnce() -> Check + Send + 'static) -> Trial {
    Trial::test(name, check)
}

/// Fails with a text unless the condition holds.
fn ensure(condition: bool, text: impl FnOnce() -> String) -> Check {
    if condition { Ok(()) } else { Err(text().into()) }
}
