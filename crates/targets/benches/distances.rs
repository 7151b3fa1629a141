//! Signed distance maps of 19 classes of label maps of 1024 x 2048 bytes, in CPU time of one thread.
//!
//! `distances REPETITIONS MAP...` prints a line of JSON per map; `peer_distances.py` draws or enlarges the maps, runs this in turn with
//! other programs, and prints ratios. Without maps there is nothing to do.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark without its inputs has failed")]

use rustix::time::{ClockId, clock_gettime};
use segbench_targets::{ClassDistances, DistanceMap, Grid, Instructions};

const HEIGHT: usize = 1024;
const WIDTH: usize = 2048;
const CLASSES: usize = 19;

/// CPU time of all threads, in milliseconds.
fn cpu_ms() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// The median of the CPU times of a computation.
fn median(repetitions: usize, mut compute: impl FnMut()) -> f64 {
    // Buffers grow once.
    compute();
    let mut times: Vec<f64> = (0..repetitions)
        .map(|_| {
            let start = cpu_ms();
            compute();
            cpu_ms() - start
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let Some(repetitions) = arguments.next() else { return };
    let repetitions = repetitions.parse().expect("a number of repetitions");
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global().expect("one thread");
    let grid = Grid::plane(HEIGHT, WIDTH);
    let mut maps = vec![0.0; CLASSES * HEIGHT * WIDTH];
    for file in arguments {
        let labels = std::fs::read(&file).expect("a label map");
        assert_eq!(labels.len(), grid.len(), "`{file}` has another size");
        let mut times = Vec::new();
        for (name, instructions) in
            [("best", Instructions::Best), ("avx2", Instructions::Avx2), ("baseline", Instructions::Baseline)]
        {
            let mut distances = ClassDistances::with_instructions(instructions);
            let ms = median(repetitions, || distances.maps(&grid, &labels, DistanceMap::Signed, &mut maps));
            times.push(format!("\"{name}\": {ms:.2}"));
        }
        println!("{{\"map\": {file:?}, {}}}", times.join(", "));
    }
}
