//! One network's pass over one image: `measure MODEL HEIGHT WIDTH PASSES` prints the shortest of the passes' times, the memory that the
//! process needed at most beyond what it had at first, and the multiply-adds. `benches/measure_models.py` runs it beside PyTorch.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::error::Error;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use segbench_models::{InputSpec, zoo};
use segbench_nn::Context;
use segbench_nn::weights::{Parameters, seeded};

/// Classes, as in Cityscapes.
const CLASSES: usize = 19;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, height, width, passes] = &arguments[..] else {
        return Err("usage: measure MODEL HEIGHT WIDTH PASSES".into());
    };
    let (height, width): (usize, usize) = (height.parse()?, width.parse()?);
    let before = memory("VmRSS")?;
    let parameters = Parameters::new(1);
    let network = zoo::find(model)?.build(InputSpec::rgb(CLASSES), parameters.var_builder(&Device::Cpu))?;
    let image =
        Tensor::from_vec(seeded("image", &[3 * height * width]), (1, 3, height, width), &Device::Cpu)?
            .to_dtype(DType::F32)?;
    let (mut shortest, mut macs) = (f64::INFINITY, 0);
    for _ in 0..passes.parse::<usize>()?.max(1) {
        let ctx = Context::eval().without_gradients();
        let start = Instant::now();
        network.forward(&image, &ctx)?;
        shortest = shortest.min(start.elapsed().as_secs_f64());
        macs = ctx.macs();
    }
    println!("{:.1} {:.0} {macs}", 1e3 * shortest, (memory("VmHWM")? - before) / 1024.0);
    Ok(())
}

/// A line of Linux's account of this process, in KiB.
fn memory(line: &str) -> Result<f64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let found = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'));
    let value = found.and_then(|text| text.split_whitespace().next());
    Ok(value.ok_or("there is no account of memory")?.parse()?)
}
