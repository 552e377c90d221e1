//! How long the text models take: one JSON line per case, as `text_speed.py` prints for PyTorch.
//!
//! `cargo run -p tinderbox-models --example text_speed -- [SECONDS] [PART OF A CASE'S NAME]`

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use tinderbox_models::text::{GptConfig, TextEncoderConfig};

/// The C library's allocator gives memory back to the system at the end of each step, and a third of
/// the time is spent on getting it again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Mean of the faster half of what fits into the time, at least 3, and the median.
fn measure(seconds: f64, mut run: impl FnMut()) -> ([Duration; 2], usize) {
    run();
    run();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let mut times = Vec::new();
    while times.len() < 3 || Instant::now() < end {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
    }
    times.sort();
    let half = &times[..times.len().div_ceil(2)];
    let mean = half.iter().sum::<Duration>() / u32::try_from(half.len()).unwrap_or(1);
    ([mean, times[times.len() / 2]], times.len())
}

fn ids([batch, seq]: [usize; 2], vocabulary: usize, device: &Device) -> Tensor<2, Int> {
    let id = |index: usize| (index * 7919 % vocabulary) as u32;
    let ids: Vec<u32> = (0..batch * seq).map(id).collect();
    Tensor::from_data(TensorData::new(ids, [batch, seq]), device)
}

fn no_padding(shape: [usize; 2], device: &Device) -> Tensor<2, Bool> {
    Tensor::full(shape, false, device)
}

/// Forward, loss, backward and Adam.
fn train<M: Module>(mut model: M, logits: impl Fn(&M) -> Tensor<2>) -> impl FnMut() {
    let mut optimizer: ModuleOptimizer = AdamConfig::new().with_epsilon(1e-8).init();
    move || {
        let logits = logits(&model);
        let [rows, classes] = logits.dims();
        let device = logits.device();
        let labels = ids([1, rows], classes, &device).reshape([rows]);
        let loss = CrossEntropyLossConfig::new()
            .init(&device)
            .forward(logits, labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        model = optimizer.step(1e-3, model.clone(), gradients);
    }
}

type Run = Box<dyn FnMut()>;

fn cases(device: &Device) -> Vec<(&'static str, Run)> {
    let training = device.clone().autodiff();
    let encoder = |vocabulary| {
        TextEncoderConfig::new(vocabulary, 4)
            .with_max_len(64)
            .with_n_layers(4)
            .with_d_hidden(512)
    };
    let mut cases: Vec<(&'static str, Run)> = Vec::new();
    let (x, padding) = (
        ids([32, 64], 8192, &training),
        no_padding([32, 64], &training),
    );
    let model = encoder(8192).with_dropout(0.0).init(&training);
    cases.push(("encoder train", {
        let (x, padding) = (x.clone(), padding.clone());
        Box::new(train(model, move |model| {
            model.forward(x.clone(), padding.clone())
        }))
    }));
    let model = encoder(8192).init(&training);
    cases.push(("encoder train, dropout 0.1", {
        let (x, padding) = (x.clone(), padding.clone());
        Box::new(train(model, move |model| {
            model.forward(x.clone(), padding.clone())
        }))
    }));
    let model = encoder(8192).init(device);
    let (x, padding) = (ids([1, 24], 8192, device), no_padding([1, 24], device));
    cases.push(("encoder, one text of 24 tokens", {
        Box::new(move || {
            let _ = model
                .forward(x.clone(), padding.clone())
                .argmax(1)
                .into_data();
        })
    }));
    let gpt = |dropout| GptConfig::new(65).with_max_len(512).with_dropout(dropout);
    for (name, dropout) in [("gpt train", 0.0), ("gpt train, dropout 0.1", 0.1)] {
        let model = gpt(dropout).init(&training);
        let x = ids([32, 128], 65, &training);
        cases.push((
            name,
            Box::new(train(model, move |model| {
                model.forward(x.clone()).reshape([32 * 128, 65])
            })),
        ));
    }
    let model = gpt(0.0).init(device);
    let target = device.clone();
    cases.push(("gpt, 512 tokens with the cache", {
        let model = model.clone();
        Box::new(move || {
            let mut cache = model.cache(1, 512, &target);
            let mut id = ids([1, 1], 65, &target);
            for _ in 0..512 {
                id = model.next(id, &mut cache).argmax(1);
            }
            let _ = id.into_data();
        })
    }));
    let target = device.clone();
    cases.push(("gpt, 512 tokens without", {
        Box::new(move || {
            let mut all = ids([1, 1], 65, &target);
            for _ in 0..511 {
                let [_, seq] = all.dims();
                let logits = model.forward(all.clone()).narrow(1, seq - 1, 1);
                let id = logits.squeeze_dim::<2>(1).argmax(1);
                all = Tensor::cat(vec![all, id], 1);
            }
            let _ = all.into_data();
        })
    }));
    cases
}

fn main() -> io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments.next().and_then(|text| text.parse().ok());
    let wanted = arguments.next().unwrap_or_default();
    let mut out = io::stdout().lock();
    for (name, run) in cases(&Device::flex()) {
        if !name.contains(&wanted) {
            continue;
        }
        let (times, runs) = measure(seconds.unwrap_or(3.0), run);
        let [mean, median] = times.map(|time| time.as_secs_f64() * 1e3);
        let line =
            serde_json::json!({ "case": name, "ms": mean, "median_ms": median, "runs": runs });
        writeln!(out, "{line}")?;
    }
    Ok(())
}
