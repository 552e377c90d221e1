#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say so and stop"
)]
//! How long a forward pass and a training step take: `cargo bench -p tinderbox-benches --bench
//! models`, with a part of an id behind `--` to pick some.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{
    BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main,
};
use tinderbox_backend::{DeviceSpec, Opened, open};
use tinderbox_benches::cases;

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    items: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .throughput(Throughput::Elements(items as u64));
    group
}

fn id(opened: &Opened, batch: usize) -> BenchmarkId {
    BenchmarkId::new(opened.backend, format!("batch={batch}"))
}

fn forward(criterion: &mut Criterion) {
    let opened = open(DeviceSpec::Auto).unwrap();
    for case in cases() {
        for size in [1, case.batch] {
            let forward = case.forward(size, &opened.device).unwrap();
            group(criterion, &format!("{}/forward", case.name), size).bench_function(
                id(&opened, size),
                // Read back, or only the launch would be timed.
                |bencher| bencher.iter(|| black_box(forward())),
            );
        }
    }
}

fn train(criterion: &mut Criterion) {
    let opened = open(DeviceSpec::Auto).unwrap();
    let device = &opened.device;
    for case in cases() {
        group(criterion, &format!("{}/train", case.name), case.batch).bench_function(
            id(&opened, case.batch),
            |bencher| {
                bencher.iter_custom(|steps| {
                    case.train_through_the_loop(steps as usize, device).unwrap()
                });
            },
        );
        if case.train_by_hand(1, device).is_none() {
            continue;
        }
        group(
            criterion,
            &format!("{}/train-by-hand", case.name),
            case.batch,
        )
        .bench_function(id(&opened, case.batch), |bencher| {
            bencher.iter_custom(|steps| case.train_by_hand(steps as usize, device).unwrap());
        });
    }
}

criterion_group!(models, forward, train);
criterion_main!(models);
