#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say so and stop"
)]
//! How many rows a second are read from CSV and typed, and inspected: `cargo bench -p
//! tinderbox-benches --bench tables`. Set `RAYON_NUM_THREADS=1` to measure one core; `cargo run -p
//! tinderbox-datasets --example inspect_table` measures memory too.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tinderbox_datasets::random::{below, normal, stream};
use tinderbox_datasets::table::{ReadOptions, inspect, read_csv};

const ROWS: usize = 100_000;
const COLUMNS: usize = 20;

/// A CSV table of one sort of cells.
fn csv(cell: impl Fn(&mut String, f64, usize)) -> String {
    let mut text = (0..COLUMNS)
        .map(|at| format!("c{at}"))
        .collect::<Vec<_>>()
        .join(",");
    for row in 0..ROWS {
        let mut rng = stream(0, &[row as u64]);
        for column in 0..COLUMNS {
            text.push(if column == 0 { '\n' } else { ',' });
            cell(&mut text, normal(&mut rng), below(&mut rng, 1000));
        }
    }
    text
}

fn tables(criterion: &mut Criterion) {
    let words = |at: usize| ["red", "green", "blue", "ultramarine"][at % 4];
    let files = [
        ("floats", csv(|text, x, _| write!(text, "{x:.6}").unwrap())),
        ("integers", csv(|text, _, n| write!(text, "{n}").unwrap())),
        ("words", csv(|text, _, n| text.push_str(words(n)))),
        (
            "dates",
            csv(|text, _, n| write!(text, "2024-{:02}-{:02}", n % 12 + 1, n % 28 + 1).unwrap()),
        ),
        (
            "distinct",
            csv(|text, x, n| write!(text, "w{n}{:x}", x.to_bits()).unwrap()),
        ),
    ];
    let mut group = criterion.benchmark_group("table/read");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4));
    for (name, csv) in &files {
        group.throughput(Throughput::Bytes(csv.len() as u64));
        let id = BenchmarkId::new(*name, format!("{ROWS}x{COLUMNS}"));
        group.bench_with_input(id, csv, |bencher, csv| {
            let options = ReadOptions::default();
            bencher.iter(|| black_box(read_csv(csv.as_bytes(), name, &options).unwrap().0.rows()));
        });
    }
    group.finish();
    let (table, _) = read_csv(files[0].1.as_bytes(), "floats", &ReadOptions::default()).unwrap();
    let mut group = criterion.benchmark_group("table/inspect");
    group
        .sample_size(10)
        .throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(format!("floats/{ROWS}x{COLUMNS}"), |bencher| {
        bencher.iter(|| black_box(inspect(&table, Some("c0")).unwrap().findings.len()));
    });
    group.finish();
}

criterion_group!(benches, tables);
criterion_main!(benches);
