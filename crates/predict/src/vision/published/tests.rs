//! Weights as others publish them, of a small network with untrained tensors.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use safetensors::tensor::{Dtype, TensorView, serialize_to_file};
use tinderbox_datasets::image::{Fit, Image, Interpolation};
use tinderbox_models::pretrained::NameTable;
use tinderbox_models::vision::{MobileNetV3Config, ResNetConfig};

use super::*;

/// Writes tensors of these shapes, all of them 0.01.
fn write(folder: &Path, shapes: &[(&str, Vec<usize>)]) {
    let bytes: Vec<Vec<u8>> = shapes
        .iter()
        .map(|(_, shape)| 0.01_f32.to_le_bytes().repeat(shape.iter().product()))
        .collect();
    let views = shapes.iter().zip(&bytes).map(|((name, shape), bytes)| {
        (
            *name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    serialize_to_file(views, None, &folder.join("model.safetensors")).unwrap();
}

/// A folder with `mobilenetv3_small_100` for three classes.
fn mobilenet(config_json: Option<&str>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = MobileNetV3Config::small(3, 3);
    let names: NameTable = config.timm_names();
    write(folder.path(), &names.shapes(&config.init(&Device::flex())));
    if let Some(text) = config_json {
        fs::write(folder.path().join("config.json"), text).unwrap();
    }
    folder
}

fn error(path: &Path) -> String {
    PublishedModel::open(path).unwrap_err().to_string()
}

#[test]
fn a_network_without_a_configuration_is_recognized_and_predicts() {
    let folder = mobilenet(None);
    let model = PublishedModel::open(folder.path()).unwrap();
    assert_eq!(model.architecture, "mobilenetv3_small_100");
    assert_eq!(model.labels, ["class 0", "class 1", "class 2"]);
    assert_eq!(model.digest.len(), 64);
    assert!(
        model.notes[0].contains("assumed `mobilenetv3_small_100`"),
        "{:?}",
        model.notes
    );
    let classifier = model.classifier(&Device::flex()).unwrap();
    let [height, width, channels] = classifier.spec().shape();
    let image = Image {
        height,
        width,
        channels,
        pixels: vec![9; height * width * channels],
    };
    assert_eq!(classifier.predict(&[image]).unwrap().len(), 1);
    let mut other = model.with_classes(7, &Device::flex()).unwrap();
    let backbone = other.backbone_mut().unwrap();
    assert_eq!(backbone.classifier().weight.dims(), [1024, 7]);
}

#[test]
fn preprocessing_comes_from_the_configuration() {
    let folder = mobilenet(Some(
        r#"{"architecture": "mobilenetv3_small_100.lamb_in1k", "num_classes": 3,
            "label_names": ["a", "b", "c"],
            "pretrained_cfg": {"input_size": [3, 160, 192], "interpolation": "bilinear",
              "crop_pct": 0.9, "crop_mode": "squash", "mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]}}"#,
    ));
    let model = PublishedModel::open(folder.path()).unwrap();
    assert_eq!(model.labels, ["a", "b", "c"]);
    assert!(model.notes.is_empty(), "{:?}", model.notes);
    let decode = &model.decode;
    assert_eq!(
        (decode.height, decode.width, decode.fit),
        (160, 192, Fit::Stretch)
    );
    assert_eq!(decode.interpolation, Interpolation::Bilinear);
    assert!((decode.crop - 0.9).abs() < 1e-9);
    assert_eq!(
        (&model.normalize.mean[..], model.normalize.std[2]),
        (&[0.1, 0.2, 0.3][..], 3.0)
    );
}

#[test]
fn weights_of_another_network_name_the_tensor_and_what_fits() {
    let folder = mobilenet(Some(r#"{"architecture": "resnet18"}"#));
    let message = error(folder.path());
    assert!(message.contains("not of `resnet18`"), "{message}");
    assert!(
        message.contains("they fit mobilenetv3_small_100"),
        "{message}"
    );
    let folder = mobilenet(Some(r#"{"architecture": "vit_base"}"#));
    let message = error(folder.path());
    assert!(
        message.contains("`vit_base`; known are efficientnet_lite0"),
        "{message}"
    );
    // Two blocks less than ResNet-18.
    let folder = tempfile::tempdir().unwrap();
    let config = ResNetConfig {
        blocks_per_stage: vec![1, 1, 1, 1],
        ..ResNetConfig::resnet18(3, 2)
    };
    let names = config.torchvision_names();
    write(folder.path(), &names.shapes(&config.init(&Device::flex())));
    let message = error(folder.path());
    assert!(
        message.contains("fits none of the known networks"),
        "{message}"
    );
    assert!(message.contains("`bn1.bias` [64]"), "{message}");
}

#[test]
fn a_tensor_of_another_shape_is_named_with_both_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let config = MobileNetV3Config::small(3, 3);
    let names = config.timm_names();
    let mut shapes = names.shapes(&config.init(&Device::flex()));
    let (name, shape) = &mut shapes[0];
    assert_eq!(*name, "conv_stem.weight");
    shape[0] = 8;
    write(folder.path(), &shapes);
    let json = r#"{"architecture": "mobilenetv3_small_100"}"#;
    fs::write(folder.path().join("config.json"), json).unwrap();
    let message = error(folder.path());
    assert!(
        message.contains("`conv_stem.weight`") && message.contains("[8, 3, 3, 3]"),
        "{message}"
    );
    assert!(message.contains("[16, 3, 3, 3]"), "{message}");
}

#[test]
fn pickles_are_refused_with_the_command_that_converts_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pytorch_model.bin");
    fs::write(&path, b"PK\x03\x04 and so on").unwrap();
    for target in [folder.path(), &path] {
        let message = error(target);
        assert!(
            message.contains("Python pickle") && message.contains("python3 -c"),
            "{message}"
        );
    }
    // Renaming does not make it SafeTensors.
    fs::rename(&path, folder.path().join("model.safetensors")).unwrap();
    assert!(error(folder.path()).contains("Python pickle"));
}

#[test]
fn damaged_and_missing_weights_are_errors() {
    let folder = mobilenet(None);
    let path = folder.path().join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(
        error(folder.path()).contains("is damaged"),
        "{}",
        error(folder.path())
    );
    fs::remove_file(&path).unwrap();
    assert!(error(folder.path()).contains("has no `model.safetensors`"));
    assert!(error(&folder.path().join("none")).contains("cannot read"));
    let folder = mobilenet(Some("{"));
    assert!(error(folder.path()).contains("config.json` is not valid"));
}

#[test]
fn the_classes_of_imagenet_have_names_of_their_own() {
    let mut names: Vec<&str> = IMAGENET_CLASSES.lines().collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 1000);
}
