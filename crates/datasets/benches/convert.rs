//! One label map of 2048x1024 from its PNG to the common label format: decode, map, count, encode.
//!
//! `benches/peer_convert.py` does the same work with Pillow and NumPy and with OpenCV on the file that this bench writes to
//! `target/peer_labels.png`. Both use one thread; compare the processor times, because wall times of a busy machine mean little.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports on stdout and ends when it cannot go on"
)]

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use segbench_datasets::sample::{SampleOptions, write_tree};
use segbench_datasets::{LabelTable, card, label_png};
use segbench_types::Silent;

const WIDTH: u32 = 2048;
const HEIGHT: u32 = 1024;
/// As many as the peers run.
const ROUNDS: usize = 21;

/// The label file of one street of the sample, as an archive holds it.
fn label_file() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("convert");
    let options = SampleOptions { seed: 1, width: WIDTH, height: HEIGHT, train: 1, val: 0, test: 0 };
    write_tree(&folder, &options, &Silent).expect("drawn");
    let mut folders = vec![folder.join("gtFine")];
    while let Some(folder) = folders.pop() {
        for path in segbench_storage::list_dir(&folder).expect("listed") {
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with("_labelIds.png") {
                return std::fs::read(path).expect("read");
            }
        }
    }
    panic!("the sample has no label file");
}

fn convert(criterion: &mut Criterion) {
    let bytes = label_file();
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peer_labels.png");
    std::fs::write(&peer, &bytes).expect("written");
    let catalog = card("cityscapes").expect("known").catalog();
    let table = LabelTable::new(&catalog);
    let raw = label_png::decode(&bytes).expect("decoded");
    let counted = table.map(raw.clone()).expect("known values");

    let everything = || {
        let raw = label_png::decode(black_box(&bytes)).expect("decoded");
        let counted = table.map(raw).expect("known values");
        (label_png::encode(&counted.labels, &catalog), counted.class_pixels)
    };
    let mut times: Vec<f64> = (0..ROUNDS)
        .filter_map(|_| {
            let start = cpu_seconds()?;
            black_box(everything());
            Some(cpu_seconds()? - start)
        })
        .collect();
    times.sort_by(f64::total_cmp);
    if let Some(median) = times.get(times.len() / 2) {
        println!("{:.2} ms CPU, {} bytes", median * 1e3, everything().0.len());
    }

    let mut group = criterion.benchmark_group("convert 2048x1024");
    group.throughput(Throughput::Elements(u64::from(WIDTH) * u64::from(HEIGHT)));
    group.bench_function("bare png decoder", |bencher| {
        let mut samples = vec![0; (WIDTH * HEIGHT) as usize];
        bencher.iter(|| {
            let decoder = png::Decoder::new(std::io::Cursor::new(black_box(&bytes)));
            decoder.read_info().expect("a header").next_frame(&mut samples).expect("pixels");
        });
    });
    group.bench_function("decode", |bencher| bencher.iter(|| label_png::decode(black_box(&bytes))));
    group.bench_function("map and count", |bencher| {
        bencher.iter_batched(|| raw.clone(), |raw| table.map(raw), criterion::BatchSize::LargeInput);
    });
    group.bench_function("encode", |bencher| {
        bencher.iter(|| label_png::encode(black_box(&counted.labels), &catalog))
    });
    group.bench_function("all", |bencher| bencher.iter(everything));
    group.finish();
}

/// Processor time of this thread in seconds, which a busy machine does not stretch as it does wall time.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(text.split_whitespace().next()?.parse::<f64>().ok()? / 1e9)
}

criterion_group!(benches, convert);
criterion_main!(benches);
