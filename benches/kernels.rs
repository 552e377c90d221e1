#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say so and stop"
)]
//! How fast the operations on images are: `cargo bench -p tinderbox-benches --bench kernels`, with a
//! part of an id behind `--` to pick some. An element is a floating-point operation of a convolution,
//! so that its Gelem/s are GFLOP/s, and a number of the input of everything else.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tinderbox_backend::{DeviceSpec, open};
use tinderbox_benches::image_ops;

fn kernels(criterion: &mut Criterion) {
    let opened = open(DeviceSpec::Auto).unwrap();
    let device = &opened.device;
    for op in image_ops() {
        let operations = op.flops().unwrap_or(op.elements()) as u64;
        let id = || BenchmarkId::new(opened.backend, op);
        let mut group = criterion.benchmark_group(format!("{}/forward", op.name()));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .throughput(Throughput::Elements(operations));
        let forward = op.forward(device);
        group.bench_function(id(), |bencher| {
            bencher.iter(|| {
                black_box(forward());
                device.sync().unwrap();
            });
        });
        group.finish();
        let mut group = criterion.benchmark_group(format!("{}/forward-backward", op.name()));
        // The gradients of the input and the weights take as long each.
        let passes = if op.flops().is_some() { 3 } else { 1 };
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .throughput(Throughput::Elements(passes * operations));
        let time = op.time(device);
        group.bench_function(id(), |bencher| {
            bencher.iter_custom(|passes| time(passes as usize));
        });
        group.finish();
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
