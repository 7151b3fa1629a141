//! Choosing the device that computes, and naming the machine for the record.

use candle_core::Device;

use crate::{Error, Result};

/// The device called `name`: `cpu`, `cuda`, `cuda:1`, `metal`, or `auto` for the best one that this build and machine have.
///
/// # Errors
///
/// [`Error::Device`] if the name is unknown, if the program was built without the device, or if the machine does not have it.
pub fn select(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "metal" => metal(),
        "auto" => Ok(cuda(0).or_else(|_| metal()).unwrap_or(Device::Cpu)),
        "cuda" => cuda(0),
        _ => match name.strip_prefix("cuda:").map(str::parse) {
            Some(Ok(index)) => cuda(index),
            _ => Err(Error::Device {
                problem: format!("`{name}` is not a device"),
                help: "use `cpu`, `cuda`, `cuda:1`, `metal` or `auto`".into(),
            }),
        },
    }
}

fn cuda(index: usize) -> Result<Device> {
    if !cfg!(feature = "cuda") {
        return Err(not_built("cuda"));
    }
    // The loader of the CUDA libraries panics when one of them is missing.
    let opened = std::panic::catch_unwind(|| Device::new_cuda(index)).map_err(|_| Error::Device {
        problem: "the CUDA libraries cannot be loaded".into(),
        help: "put them on `LD_LIBRARY_PATH`, or use `--device cpu`".into(),
    })?;
    opened.map_err(|err| absent(&format!("cuda:{index}"), &err))
}

fn metal() -> Result<Device> {
    if !cfg!(feature = "metal") {
        return Err(not_built("metal"));
    }
    Device::new_metal(0).map_err(|err| absent("metal", &err))
}

fn not_built(feature: &str) -> Error {
    Error::Device {
        problem: format!("this program was built without `{feature}`"),
        help: format!("use `--device cpu`, or build it in: `just build-{feature}`"),
    }
}

fn absent(name: &str, err: &candle_core::Error) -> Error {
    Error::Device {
        problem: format!("device `{name}` cannot be used: {err}"),
        help: "use `--device cpu`".into(),
    }
}

/// The model of the CPU, such as `AMD EPYC 9V74 80-Core Processor`; the name of the architecture where the system does not say.
pub fn hardware() -> String {
    let described = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    model_name(&described).unwrap_or(std::env::consts::ARCH).to_owned()
}

fn model_name(described: &str) -> Option<&str> {
    let line = described.lines().find(|line| line.starts_with("model name"))?;
    let (_, name) = line.split_once(':')?;
    Some(name.trim()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use segbench_types::{ErrorKind, Explain};

    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_auto_always_finds_something() {
        assert!(select("cpu").unwrap().is_cpu());
        assert!(select("auto").is_ok());
    }

    #[test]
    #[cfg(not(any(feature = "cuda", feature = "metal")))]
    fn a_device_that_was_not_built_in_is_an_error_that_names_the_build() {
        for (name, feature) in [("cuda", "cuda"), ("cuda:1", "cuda"), ("metal", "metal")] {
            let err = select(name).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Device);
            assert_eq!(err.to_string(), format!("this program was built without `{feature}`"));
            assert!(err.help().unwrap().contains(&format!("just build-{feature}")));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        for name in ["gpu", "cuda:x", "", "CPU"] {
            let err = select(name).unwrap_err();
            assert_eq!(err.kind(), ErrorKind::Device);
            assert!(err.help().unwrap().contains("`cuda:1`"), "{name}");
        }
    }

    #[test]
    fn the_cpu_model_is_read_from_the_first_processor() {
        let described =
            "processor\t: 0\nmodel name\t: AMD EPYC 9V74 80-Core Processor\nmodel name\t: other\n";
        assert_eq!(model_name(described), Some("AMD EPYC 9V74 80-Core Processor"));
        assert_eq!(model_name("processor : 0"), None);
        assert!(!hardware().is_empty());
    }
}
