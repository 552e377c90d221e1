//! The raw outputs of published YOLOX weights, for a comparison with another program, and the time for one image.
//!
//! `yolox_outputs WEIGHTS INPUT OUTPUT [REPEATS]`: INPUT holds the single-precision values of one image
//! `[3, side, side]`, red, green and blue from 0 to 1; OUTPUT gets `[cells, 5 + classes]` as ONNX exports have them: the
//! shift of the center, the logarithm of the size, and the probabilities of an object and of each class.
//! `benches/peers/yolox_onnx.py` runs it.

#![expect(clippy::print_stdout, reason = "a program for people")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;
use std::{env, fs};

use burn::tensor::{Device, Tensor, TensorData};
use tinderbox_kernels::sigmoid;
use tinderbox_predict::Detect as _;
use tinderbox_predict::vision::PublishedDetector;

/// As in the apps.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [weights, input, output, rest @ ..] = &arguments[..] else {
        return Err("expected WEIGHTS INPUT OUTPUT [REPEATS]".into());
    };
    let repeats: usize = rest.first().map_or(Ok(1), |repeats| repeats.parse())?;
    let device = Device::flex();
    let published = PublishedDetector::open(&PathBuf::from(weights))?;
    let model = published.load(&device)?;
    let bytes = fs::read(input)?;
    let values = bytes
        .chunks_exact(4)
        .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]) * 255.0);
    let side = published.size;
    let data = TensorData::new(values.collect(), [1, 3, side, side]);
    let images = Tensor::<4>::from_data(data, &device);
    let mut seconds = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let start = Instant::now();
        let found = model.detect(images.clone());
        let objects = found.objectness.ok_or("YOLOX has an objectness")?;
        let parts = vec![found.raw_boxes, sigmoid(objects), sigmoid(found.classes)];
        let values = Tensor::cat(parts, 2).try_into_vec_as::<f32>()?;
        seconds.push(start.elapsed().as_secs_f64());
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        fs::write(output, bytes)?;
    }
    seconds.sort_by(f64::total_cmp);
    println!("{:.6}", seconds[seconds.len() / 2]);
    Ok(())
}
