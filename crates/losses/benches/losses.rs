//! Every loss at 2x19x512x1024, forward alone and with the gradient, beside PyTorch.
//!
//! `peer_losses.py` runs meanwhile, if `SEGBENCH_PYTHON` names an interpreter that it can run with, and takes turns with this program: a
//! busy machine slows both. Arguments name losses; memory is what the process has at most beside what it had before, on Linux.

#![expect(clippy::expect_used, reason = "a benchmark without its inputs has failed")]
#![expect(clippy::print_stdout, reason = "what a benchmark is for")]

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use segbench_losses::{LOSSES, Loss, Target, build};
use segbench_types::Rng;

const SIZE: (usize, usize, usize, usize) = (2, 19, 512, 1024);
/// Rounds of both programs; the best of each counts.
const ROUNDS: usize = 5;
/// A round of PyTorch longer than this is the last one.
const LONG_MS: f64 = 1500.0;

/// Milliseconds of a forward pass and of one with the gradient, and the memory that the latter takes, in MiB.
struct Measured {
    forward: f64,
    both: f64,
    memory: f64,
}

impl Measured {
    fn best(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        Self {
            forward: self.forward.min(other.forward),
            both: self.both.min(other.both),
            memory: self.memory.min(other.memory),
        }
    }
}

/// Regions as large as those of a street scene, and logits of a network that sees them: the class of the largest of smooth random fields,
/// which leads by 6 before noise.
fn inputs() -> (Var, Target) {
    const COARSE: (usize, usize) = (9, 17);
    let (batch, classes, height, width) = SIZE;
    let mut rng = Rng::new(3, &[]);
    let mut labels = Vec::with_capacity(batch * height * width);
    for _ in 0..batch {
        let fields: Vec<f32> = (0..classes * COARSE.0 * COARSE.1).map(|_| rng.unit()).collect();
        let field = |class: usize, y: usize, x: usize| {
            let (y, x) = (y as f32 * 8.0 / height as f32, x as f32 * 16.0 / width as f32);
            let (row, column, down, right) = (y as usize, x as usize, y.fract(), x.fract());
            let at = |row: usize, column: usize| fields[(class * COARSE.0 + row) * COARSE.1 + column];
            let across = |row: usize| at(row, column) * (1.0 - right) + at(row, column + 1) * right;
            across(row) * (1.0 - down) + across(row + 1) * down
        };
        for at in 0..height * width {
            let of = |class: &usize| field(*class, at / width, at % width);
            let largest = (0..classes).max_by(|a, b| of(a).total_cmp(&of(b)));
            labels.push(largest.unwrap_or_default() as u8);
        }
    }
    let mut logits = Vec::with_capacity(labels.len() * classes);
    for labels in labels.chunks(height * width) {
        for class in 0..classes {
            let lead = |label: u8| if usize::from(label) == class { 6.0 } else { 0.0 };
            // Uniform numbers: drawing as many normal ones would take longer than the benchmark.
            logits.extend(labels.iter().map(|&label| lead(label) + 4.0 * rng.unit()));
        }
    }
    let logits =
        Tensor::from_vec(logits, SIZE, &Device::Cpu).and_then(|x| Var::from_tensor(&x)).expect("logits");
    let target = Target::new(labels, batch, height, width).expect("a target");
    (logits, target.with_class_weights(&vec![1.0; classes]))
}

/// A number of `/proc/self/status`, in MiB; 0 elsewhere.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).map_or(0.0, |kib| kib / 1024.0)
}

fn ours(loss: &dyn Loss, logits: &Var, target: &Target) -> Measured {
    let alone = logits.as_detached_tensor();
    let began = Instant::now();
    black_box(loss.forward(&alone, target).expect("a value"));
    let forward = began.elapsed();
    // Forgets the largest size so far; where that is not possible the column says so with a 0.
    let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let before = memory("VmRSS");
    let began = Instant::now();
    let value = loss.forward(logits, target).expect("a value");
    black_box(value.backward().expect("gradients"));
    let both = began.elapsed();
    let memory = if is_reset { (memory("VmHWM") - before).max(0.0) } else { 0.0 };
    Measured { forward: forward.as_secs_f64() * 1e3, both: both.as_secs_f64() * 1e3, memory }
}

/// Starts the peer; it says that it is ready once its inputs are.
fn start() -> Option<(Child, impl FnMut(&str) -> Measured)> {
    let python = std::env::var_os("SEGBENCH_PYTHON")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer_losses.py");
    let threads = rayon::current_num_threads().to_string();
    let mut peer = Command::new(python)
        .arg(script)
        .arg(threads)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let mut asked = peer.stdin.take().expect("a pipe to the peer");
    let mut lines = BufReader::new(peer.stdout.take().expect("a pipe from the peer")).lines();
    let mut answer = move || lines.next().expect("an answer of the peer").expect("text");
    assert_eq!(answer(), "ready");
    let ask = move |name: &str| {
        writeln!(asked, "{name}").expect("a question to the peer");
        let numbers: Vec<f64> = answer().split(' ').map(|number| number.parse().expect("a number")).collect();
        Measured { forward: numbers[0], both: numbers[1], memory: numbers[2] }
    };
    Some((peer, ask))
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let (logits, target) = inputs();
    let mut peer = start();
    println!("| loss | forward ms | PyTorch | ratio | both ms | PyTorch | ratio | MiB | PyTorch |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for card in LOSSES.iter().filter(|card| wanted.is_empty() || wanted.iter().any(|name| name == card.name))
    {
        let loss = build(card.name, Default::default(), Some(SIZE.1)).expect("a loss");
        let (mut best, mut theirs) = (None, None);
        for _ in 0..ROUNDS {
            best = Some(ours(loss.as_ref(), &logits, &target).best(best));
            let Some((_, ask)) = peer
                .as_mut()
                .filter(|_| theirs.as_ref().is_none_or(|theirs: &Measured| theirs.both < LONG_MS))
            else {
                continue;
            };
            theirs = Some(ask(card.name).best(theirs));
        }
        let Measured { forward, both, memory } = best.expect("a round");
        let [first, second, third] = match &theirs {
            None => ["|".to_owned(), "|".to_owned(), String::new()],
            Some(theirs) => [
                format!("{:.1} | {:.1}x", theirs.forward, theirs.forward / forward),
                format!("{:.1} | {:.1}x", theirs.both, theirs.both / both),
                format!("{:.0}", theirs.memory),
            ],
        };
        println!("| {} | {forward:.1} | {first} | {both:.1} | {second} | {memory:.0} | {third} |", card.name);
    }
    // Without its questions the peer ends.
    if let Some((mut peer, ask)) = peer {
        drop(ask);
        peer.wait().expect("the peer ends");
    }
}
