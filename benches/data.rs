#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say so and stop"
)]
//! How many images a second are read, decoded, augmented and put in batches: `cargo bench -p
//! tinderbox-benches --bench data`. Every figure but `loader` is of one thread.

use std::fs;
use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use image::{ImageFormat, RgbImage};
use tinderbox_backend::{DeviceSpec, open};
use tinderbox_datasets::loader::{Loader, LoaderConfig};
use tinderbox_datasets::random::stream;
use tinderbox_datasets::{Augment, DecodeOptions, Image, ImageSet, decode_bytes, read_idx};
use tinderbox_recipes::vision::{ImageCollate, Normalize};

const COUNT: usize = 10_000;
const SIDE: usize = 28;

fn group<'a>(
    criterion: &'a mut Criterion,
    name: &str,
    images: usize,
) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .throughput(Throughput::Elements(images as u64));
    group
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

fn idx(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, dims: &[usize], values: Vec<u8>| {
        let mut bytes = vec![0, 0, 8, dims.len() as u8];
        for &dim in dims {
            bytes.extend((dim as u32).to_be_bytes());
        }
        bytes.extend(values);
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let images = file("images", &[COUNT, SIDE, SIDE], noise(COUNT * SIDE * SIDE));
    let labels = file("labels", &[COUNT], vec![0; COUNT]);
    group(criterion, "idx/read", COUNT).bench_function("28x28", |bencher| {
        bencher.iter(|| black_box(read_idx(&images, &labels, &["0"]).unwrap()));
    });
}

fn jpeg(criterion: &mut Criterion) {
    let smooth = RgbImage::from_fn(320, 240, |x, y| {
        image::Rgb([
            (x * 255 / 320) as u8,
            (y * 255 / 240) as u8,
            ((x + y) % 256) as u8,
        ])
    });
    let mut bytes = Cursor::new(Vec::new());
    smooth.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
    let bytes = bytes.into_inner();
    let options = DecodeOptions::new(64, 64, 3);
    group(criterion, "jpeg/decode-resize-augment", 1).bench_function(
        "320x240-to-64x64",
        |bencher| {
            bencher.iter(|| {
                let image = decode_bytes(&bytes, Path::new("bench.jpg"), &options).unwrap();
                black_box(augment().apply(image, &mut stream(0, &[1])))
            });
        },
    );
}

fn warp(criterion: &mut Criterion) {
    let image = Image {
        height: SIDE,
        width: SIDE,
        channels: 1,
        pixels: noise(SIDE * SIDE),
    };
    group(criterion, "augment/warp", 1).bench_function("28x28", |bencher| {
        bencher.iter(|| black_box(augment().apply(image.clone(), &mut stream(0, &[1]))));
    });
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
    let normalize = Normalize::measure(set.as_ref(), 1).unwrap();
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

criterion_group!(data, idx, jpeg, warp, loader);
criterion_main!(data);
