#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say so and stop"
)]
//! How many images and rows a second are read, decoded, augmented and put in batches: `cargo bench
//! -p tinderbox-benches --bench data`. Every figure but `loader` and `csv` is of one thread.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use tinderbox_backend::{DeviceSpec, open};
use tinderbox_benches::works;
use tinderbox_datasets::image::{Augment, ImageSet};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_recipes::vision::{ImageCollate, measure};

const COUNT: usize = 10_000;
const SIDE: usize = 28;

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    items: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(items as u64));
    group
}

fn ways(criterion: &mut Criterion) {
    for work in works().unwrap() {
        group(criterion, work.name, work.items)
            .bench_function(work.what, |bencher| bencher.iter(|| (work.pass)().unwrap()));
    }
}

/// Bytes that look like anything but a constant.
fn noise(count: usize) -> Vec<u8> {
    (0..count).map(|index| (index * 37 % 251) as u8).collect()
}

fn augment() -> Augment {
    Augment {
        shift: 0.08,
        rotate: 10.0,
        scale: 0.1,
        shear: 5.0,
        ..Augment::default()
    }
}

fn loader(criterion: &mut Criterion) {
    let opened = open(DeviceSpec::Auto).unwrap();
    let set = ImageSet::new(
        [SIDE, SIDE, 1],
        noise(COUNT * SIDE * SIDE),
        vec![0; COUNT],
        vec!["0".to_owned()],
    );
    let set = Arc::new(set.unwrap());
    let normalize = measure(set.as_ref(), 1).unwrap();
    for workers in [0, 1, 2] {
        let loader = Loader::new(
            set.clone(),
            ImageCollate::train(normalize.clone(), augment()),
            LoaderConfig::train(64, 0).with_workers(workers),
            &opened.device,
        )
        .unwrap();
        let images = loader.num_batches() * loader.batch_size();
        group(criterion, &format!("loader/{}", opened.backend), images).bench_function(
            format!("28x28,batch=64,workers={workers}"),
            |bencher| {
                bencher.iter(|| {
                    for batch in loader.iter_from(1, 0) {
                        black_box(batch.unwrap());
                    }
                });
            },
        );
    }
}

criterion_group!(data, ways, loader);
criterion_main!(data);
