//! Candle on the shapes of our benchmarks: one JSON object per case on stdout.
//!
//! ```text
//! RAYON_NUM_THREADS=2 cargo run --release -- --seconds 2
//! ```
//!
//! `train_ms` is one step (forward, cross-entropy, backward, `AdamW`), `infer_us` one forward pass
//! of a single item with its result read back; both are the best half's mean after a warm-up.

use std::error::Error;
use std::time::{Duration, Instant};

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{
    AdamW, BatchNorm, Conv2d, Conv2dConfig, Linear, Module as _, ModuleT as _, Optimizer as _,
    VarBuilder, VarMap, batch_norm, conv2d_no_bias, linear, loss,
};

enum Layer {
    Linear(Linear),
    Conv(Conv2d, BatchNorm),
    Relu,
    Halve,
    Flatten,
    /// Mean over the plane.
    Pool,
    Residual(Vec<Layer>, Vec<Layer>),
}

impl Layer {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        match self {
            Self::Linear(linear) => linear.forward(x),
            Self::Conv(conv, norm) => norm.forward_t(&conv.forward(x)?, train),
            Self::Relu => x.relu(),
            Self::Halve => x.max_pool2d(2),
            Self::Flatten => x.flatten_from(1),
            Self::Pool => x.mean((2, 3)),
            Self::Residual(body, shortcut) => {
                (forward(body, x, train)? + forward(shortcut, x, train)?)?.relu()
            }
        }
    }
}

fn forward(layers: &[Layer], x: &Tensor, train: bool) -> Result<Tensor> {
    layers
        .iter()
        .try_fold(x.clone(), |x, layer| layer.forward(&x, train))
}

/// Makes layers with names of their own.
struct Maker<'a> {
    vars: VarBuilder<'a>,
    made: usize,
}

impl Maker<'_> {
    fn next(&mut self) -> VarBuilder<'_> {
        self.made += 1;
        self.vars.pp(self.made)
    }

    fn linear(&mut self, d_in: usize, d_out: usize) -> Result<Layer> {
        linear(d_in, d_out, self.next()).map(Layer::Linear)
    }

    fn conv(&mut self, d_in: usize, d_out: usize, kernel: usize, stride: usize) -> Result<Layer> {
        let config = Conv2dConfig {
            padding: kernel / 2,
            stride,
            ..Conv2dConfig::default()
        };
        let vars = self.next();
        let conv = conv2d_no_bias(d_in, d_out, kernel, config, vars.pp("conv"))?;
        Ok(Layer::Conv(conv, batch_norm(d_out, 1e-5, vars.pp("norm"))?))
    }

    fn mlp(&mut self, widths: &[usize]) -> Result<Vec<Layer>> {
        let mut layers = vec![Layer::Flatten];
        for (index, pair) in widths.windows(2).enumerate() {
            if index > 0 {
                layers.push(Layer::Relu);
            }
            layers.push(self.linear(pair[0], pair[1])?);
        }
        Ok(layers)
    }

    fn cnn(&mut self) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        for (d_in, d_out) in [(1, 32), (32, 64)] {
            layers.extend([self.conv(d_in, d_out, 3, 1)?, Layer::Relu, Layer::Halve]);
        }
        layers.extend(self.mlp(&[64 * 49, 128, 10])?);
        Ok(layers)
    }

    fn resnet18(&mut self) -> Result<Vec<Layer>> {
        let mut layers = vec![self.conv(3, 64, 3, 1)?, Layer::Relu];
        let mut d_in = 64;
        for (width, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
            for stride in [stride, 1] {
                let body = vec![
                    self.conv(d_in, width, 3, stride)?,
                    Layer::Relu,
                    self.conv(width, width, 3, 1)?,
                ];
                let mut shortcut = Vec::new();
                if d_in != width {
                    shortcut.push(self.conv(d_in, width, 1, stride)?);
                }
                layers.push(Layer::Residual(body, shortcut));
                d_in = width;
            }
        }
        layers.extend([Layer::Pool, self.linear(512, 10)?]);
        Ok(layers)
    }
}

type Make = fn(&mut Maker<'_>) -> Result<Vec<Layer>>;

/// Mean of the faster half of what fits into the time, at least 3, in s.
fn measure(seconds: f64, mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    run()?;
    let (mut times, started) = (Vec::new(), Instant::now());
    while times.len() < 3 || started.elapsed() < Duration::from_secs_f64(seconds) {
        let once = Instant::now();
        run()?;
        times.push(once.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times.truncate(times.len().div_ceil(2));
    Ok(times.iter().sum::<f64>() / times.len() as f64)
}

const HELP: &str = "\
Measure Candle on the shapes of the benchmarks: one JSON object per case

Usage: candle-steps [OPTIONS]

Options:
      --seconds <S>  Seconds per measurement [default: 2]
      --case <NAME>  Measure one case only; can be repeated [default: all]
  -h, --help         Print help";

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let (mut seconds, mut only) = (2.0, Vec::new());
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if matches!(word.as_str(), "-h" | "--help") {
            println!("{HELP}");
            return Ok(());
        }
        let value = words.next().ok_or("a value is missing")?;
        match word.as_str() {
            "--seconds" => seconds = value.parse()?,
            "--case" => only.push(value),
            _ => return Err(format!("`{word}` is neither --seconds nor --case").into()),
        }
    }
    let cases: [(&str, Make, [usize; 3], u32, usize); 5] = [
        (
            "mlp",
            |maker| maker.mlp(&[784, 512, 512, 10]),
            [1, 28, 28],
            10,
            128,
        ),
        ("cnn", |maker| maker.cnn(), [1, 28, 28], 10, 64),
        ("resnet18", |maker| maker.resnet18(), [3, 32, 32], 10, 64),
        (
            "q-network",
            |maker| maker.mlp(&[4, 128, 128, 2]),
            [1, 1, 4],
            2,
            128,
        ),
        (
            "tabular",
            |maker| maker.mlp(&[32, 64, 64, 2]),
            [1, 1, 32],
            2,
            32,
        ),
    ];
    let device = Device::Cpu;
    for (name, make, [channels, height, width], classes, batch) in cases {
        if !only.is_empty() && !only.iter().any(|only| only == name) {
            continue;
        }
        let map = VarMap::new();
        let vars = VarBuilder::from_varmap(&map, DType::F32, &device);
        let layers = make(&mut Maker { vars, made: 0 })?;
        let shape = (batch, channels, height, width);
        let x = Tensor::rand(-0.5_f32, 0.5, shape, &device)?;
        let labels: Vec<u32> = (0..classes).cycle().take(batch).collect();
        let y = Tensor::new(labels, &device)?;
        let mut optimizer = AdamW::new_lr(map.all_vars(), 1e-3)?;
        let train = measure(seconds, || {
            let loss = loss::cross_entropy(&forward(&layers, &x, true)?, &y)?;
            optimizer.backward_step(&loss)
        })?;
        let single = x.narrow(0, 0, 1)?.contiguous()?;
        let infer = measure(seconds / 2.0, || {
            forward(&layers, &single, false)?.to_vec2::<f32>().map(drop)
        })?;
        let line = serde_json::json!({
            "case": name, "train_ms": train * 1e3, "infer_us": infer * 1e6,
        });
        println!("{line}");
    }
    Ok(())
}
