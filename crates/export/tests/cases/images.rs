//! Models of images.

use burn::tensor::Device;
use serde_json::{Value, json};
use tinderbox_datasets::image::{DecodeOptions, Image};
use tinderbox_predict::vision::{DetectionModelConfig, ImageModelConfig, SegmentationModelConfig};
use tinderbox_predict::{Detect as _, Model, Prediction};

use super::{Array, Case, Data, Random, load, randomized};

pub fn cases() -> Vec<Case> {
    let classifier = |name: &str, model: Value| classifier(name, &model, [12, 9, 3], 1, 1.0);
    vec![
        classifier(
            "image-mlp",
            json!({"kind": "mlp", "hidden": [7, 5], "activation": "gelu", "normalization": "batch"}),
        ),
        classifier(
            "image-mlp-layer",
            json!({"kind": "mlp", "hidden": [7], "activation": "tanh", "normalization": "layer"}),
        ),
        classifier(
            "cnn",
            json!({"kind": "cnn", "block_channels": [5, 6, 4], "convs_per_block": 2, "d_hidden": 8}),
        ),
        classifier(
            "cnn-average-flip",
            json!({"kind": "cnn", "block_channels": [5, 6], "convs_per_block": 2, "early_pooling": true, "d_hidden": 0}),
        ),
        classifier(
            "cnn-average-flip-shift",
            json!({"kind": "cnn", "block_channels": [5, 6], "convs_per_block": 1, "d_hidden": 0}),
        ),
        ensemble(),
        classifier(
            "resnet",
            json!({"kind": "resnet", "base_channels": 4, "blocks_per_stage": [2, 1, 2]}),
        ),
        classifier(
            "resnet-bottleneck",
            json!({"kind": "resnet", "stem": "large", "block": "bottleneck", "base_channels": 4, "blocks_per_stage": [1, 2]}),
        ),
        classifier(
            "efficientnet-lite",
            json!({"kind": "efficientnet-lite", "width_multiplier": 0.25}),
        ),
        self::classifier(
            "efficientnet-lite-same",
            &json!({"kind": "efficientnet-lite", "width_multiplier": 0.25, "padding": "same", "norm_epsilon": 1e-3}),
            [32, 32, 3],
            1,
            1.0,
        ),
        self::classifier(
            "mobilenet-v3",
            &json!({"kind": "mobilenet-v3", "width_multiplier": 0.25}),
            [32, 32, 3],
            1,
            0.8,
        ),
        segmenter(
            "unet",
            &json!({"kind": "unet", "depth": 2, "base_channels": 4}),
            1,
            false,
        ),
        segmenter(
            "unet-turned",
            &json!({"kind": "unet", "depth": 1, "base_channels": 3}),
            2,
            true,
        ),
        segmenter(
            "backbone-unet",
            &json!({"kind": "backbone-unet", "decoder_channels": [6, 5, 4]}),
            1,
            false,
        ),
        segmenter(
            "backbone-unet-same",
            &json!({"kind": "backbone-unet", "backbone": "tf-efficientnet-lite0", "decoder_channels": [6, 5, 4, 4, 3]}),
            1,
            false,
        ),
        segmenter(
            "backbone-unet-resnet",
            &json!({"kind": "backbone-unet", "backbone": "resnet18", "decoder_channels": [6, 5, 4, 3]}),
            1,
            false,
        ),
        detector(
            "fast-detector",
            &json!({"kind": "fast-detector", "channels": [4, 5, 6, 7, 8], "neck_channels": 6}),
        ),
        detector(
            "yolox-nano",
            &json!({"kind": "yolox", "width_multiplier": 0.125}),
        ),
        detector(
            "yolox",
            &json!({"kind": "yolox", "width_multiplier": 0.125, "depthwise": false}),
        ),
    ]
}

/// Three networks that predict together, with calibration.
pub fn ensemble() -> Case {
    let model = json!({"kind": "cnn", "block_channels": [4], "d_hidden": 6});
    classifier("cnn-ensemble", &model, [8, 8, 1], 3, 1.7)
}

/// A model that segments, of a recipe that refines edges or does not, and its ONNX file.
pub fn refined(refine: bool) -> (Model, Vec<u8>) {
    let config = json!({"kind": "unet", "depth": 1, "base_channels": 3});
    let config: SegmentationModelConfig = serde_json::from_value(config).unwrap();
    let net = config.init(3, 2, &Device::flex()).unwrap();
    let mut spec = json!({
        "kind": "image-segmenter",
        "members": 1,
        "model": config,
        "labels": ["a", "b"],
        "input": {"channels": 3, "size": 16, "scale": "fit"},
        "normalize": {"mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1]},
        "test_time_augmentation": false,
        "training": {"refine": refine},
    });
    let (model, _) = load(&mut spec, &[net.to_bytes().unwrap()]);
    let onnx = tinderbox_export::onnx(&model).unwrap();
    (model, onnx)
}

fn segmenter(name: &str, model: &Value, members: usize, turned: bool) -> Case {
    let config: SegmentationModelConfig = serde_json::from_value(model.clone()).unwrap();
    let net = config.init(3, 3, &Device::flex()).unwrap();
    let weights = net.to_bytes().unwrap();
    let weights: Vec<_> = (0..members)
        .map(|seed| randomized(&weights, seed as u64))
        .collect();
    let mut spec = json!({
        "kind": "image-segmenter",
        "members": members,
        "model": config,
        "labels": ["a", "b", "c"],
        "input": {"channels": 3, "size": 64, "scale": "fit"},
        "normalize": {"mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1]},
        "test_time_augmentation": turned,
    });
    let (model, exported) = load(&mut spec, &weights);
    let Model::Segmenter(segmenter) = &model else {
        unreachable!("it segments")
    };
    let images = images(2, [32, 64, 3]);
    let expected = segmenter.ensemble().probabilities(&images).unwrap();
    let expected = expected
        .into_iter()
        .flat_map(|found| found.values)
        .map(f64::from);
    Case {
        name: name.to_owned(),
        inputs: vec![input(&images)],
        weights: Some((exported, vec![normalized(&images, &spec)])),
        outputs: vec![("probabilities".to_owned(), expected.collect())],
        onnx: tinderbox_export::onnx(&model).unwrap(),
    }
}

fn detector(name: &str, model: &Value) -> Case {
    let config: DetectionModelConfig = serde_json::from_value(model.clone()).unwrap();
    let net = config.init(3, 3, &Device::flex()).unwrap();
    let weights = vec![randomized(&net.to_bytes().unwrap(), 1)];
    let mut spec = json!({
        "kind": "object-detector",
        "model": config,
        "labels": ["a", "b", "c"],
        "input": {"channels": 3, "size": 96, "max_overlap": 0.5},
        "normalize": {"mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1]},
        "threshold": 0.3,
    });
    let (model, exported) = load(&mut spec, &weights);
    let Model::Detector(detector) = &model else {
        unreachable!("it detects")
    };
    let images = images(2, [64, 96, 3]);
    let network = detector.network();
    let output = network
        .model
        .detect(network.normalize.batch(&images, &network.device));
    let scores = output.scores();
    let outputs = [("boxes", output.boxes), ("scores", scores)].map(|(name, tensor)| {
        let values: Vec<f32> = tensor.try_into_vec_as().unwrap();
        (name.to_owned(), values.into_iter().map(f64::from).collect())
    });
    Case {
        name: name.to_owned(),
        inputs: vec![input(&images)],
        weights: Some((exported, vec![normalized(&images, &spec)])),
        outputs: outputs.into(),
        onnx: tinderbox_export::onnx(&model).unwrap(),
    }
}

fn images(count: usize, [height, width, channels]: [usize; 3]) -> Vec<Image> {
    let mut random = Random::new(5);
    let mut pixel = || (random.next() * 255.99) as u8;
    let images = (0..count).map(|_| Image {
        height,
        width,
        channels,
        pixels: (0..height * width * channels).map(|_| pixel()).collect(),
    });
    images.collect()
}

/// Images as the graphs take them, `[batch, channels, height, width]` from 0 to 1.
fn input(images: &[Image]) -> (String, Array) {
    let (height, width, channels) = (images[0].height, images[0].width, images[0].channels);
    let mut values = Vec::new();
    for image in images {
        for channel in 0..channels {
            let plane = image.pixels.iter().skip(channel).step_by(channels);
            values.extend(plane.map(|&value| f32::from(value) / 255.0));
        }
    }
    let shape = vec![images.len(), channels, height, width];
    let data = Data::Float(values);
    ("image".to_owned(), Array { shape, data })
}

/// Images as the networks take them.
fn normalized(images: &[Image], spec: &Value) -> (String, Array) {
    let (name, mut array) = input(images);
    let plane = images[0].height * images[0].width;
    let Data::Float(values) = &mut array.data else {
        unreachable!("pixels are floats")
    };
    let number =
        |key: &str, channel: usize| spec["normalize"][key][channel].as_f64().unwrap() as f32;
    for (at, values) in values.chunks_mut(plane).enumerate() {
        let channel = at % images[0].channels;
        for value in values {
            *value = (*value - number("mean", channel)) / number("std", channel);
        }
    }
    (name, array)
}

fn classifier(
    name: &str,
    model: &Value,
    shape: [usize; 3],
    members: usize,
    temperature: f64,
) -> Case {
    let config: ImageModelConfig = serde_json::from_value(model.clone()).unwrap();
    let net = config.init(shape, 3, &Device::flex()).unwrap();
    let weights = net.to_bytes().unwrap();
    let weights: Vec<_> = (0..members)
        .map(|seed| randomized(&weights, seed as u64))
        .collect();
    let [height, width, channels] = shape;
    let mut spec = json!({
        "kind": "image-classifier",
        "members": members,
        "model": config,
        "labels": ["a", "b", "c"],
        "input": DecodeOptions::new(height, width, channels),
        "normalize": {"mean": vec![0.4; channels], "std": vec![0.3; channels]},
        "temperature": temperature,
        "average_flip": name.contains("-flip"),
        "average_shift": usize::from(name.ends_with("-shift")),
    });
    let (model, exported) = load(&mut spec, &weights);
    let Model::Image(classifier) = &model else {
        unreachable!("it is a classifier")
    };
    let images = images(4, shape);
    let predictions = classifier.predict(&images).unwrap();
    let expected = predictions.iter().flat_map(|prediction| match prediction {
        Prediction::Class { probabilities, .. } => {
            probabilities.iter().map(|(_, p)| f64::from(*p)).collect()
        }
        _ => Vec::new(),
    });
    let outputs = vec![("probabilities".to_owned(), expected.collect())];
    Case {
        name: name.to_owned(),
        inputs: vec![input(&images)],
        weights: Some((exported, vec![normalized(&images, &spec)])),
        outputs,
        onnx: tinderbox_export::onnx(&model).unwrap(),
    }
}
