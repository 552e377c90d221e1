//! Published weights that cannot be used: one clear error, for training and for prediction.

#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

use std::fs;

use burn::tensor::Device;
use tinderbox_models::vision::ResNetConfig;

use crate::common::Place;
use crate::masks::pairs;
use crate::transfer::{place, random_weights};

/// Every command that reads weights refuses those in `weights`, and leaves no run.
fn refused(place: &Place, weights: &str, words: &[&str]) {
    for args in [
        &["predict", "photos/left/3.png"][..],
        &["train", "--data", "photos", "--out", "run"],
        &[
            "train", "--recipe", "cutout", "--data", "pairs", "--out", "run",
        ],
        &["train", "--data", "pairs", "--out", "run"],
    ] {
        let args = [args, &["--weights", weights]].concat();
        place.run(&args).failed(2, words);
        assert!(!place.path("run").exists());
    }
}

/// Photos of classes, photos with masks, and weights of `mobilenetv3_small_100`.
fn both() -> Place {
    let place = place();
    let masked = pairs(4).unwrap();
    fs::rename(masked.path("pairs"), place.path("pairs")).unwrap();
    place
}

#[test]
fn a_pickle_is_refused_with_the_command_that_converts_it() {
    let place = both();
    fs::create_dir(place.path("old")).unwrap();
    place.write("old/pytorch_model.bin", b"PK\x03\x04 archive/data.pkl");
    place.write("zipped.pth", b"PK\x03\x04 archive/data.pkl");
    place.write("bare.pt", b"\x80\x02}q\x00.");
    place.write("named.safetensors", b"\x80\x02}q\x00.");
    for weights in [
        "old",
        "old/pytorch_model.bin",
        "zipped.pth",
        "bare.pt",
        "named.safetensors",
    ] {
        let words = [
            "is a Python pickle",
            "convert it once: python3 -c",
            "save_file",
        ];
        refused(&place, weights, &words);
    }
}

#[test]
fn damaged_and_missing_weights_are_named() {
    let place = both();
    let whole = fs::read(place.path("weights/model.safetensors")).unwrap();
    for (file, bytes) in [
        ("cut.safetensors", &whole[..whole.len() - 100]),
        ("header.safetensors", &whole[..200]),
        ("empty.safetensors", &[]),
        ("text.safetensors", b"not tensors at all"),
        ("huge.safetensors", &[0xFF; 64]),
    ] {
        place.write(file, bytes);
        refused(&place, file, &[file]);
    }
    refused(&place, "nowhere", &["nowhere"]);
    fs::create_dir(place.path("empty")).unwrap();
    refused(&place, "empty", &["`empty` has no `model.safetensors`"]);
    place.write("weights/config.json", "{");
    refused(&place, "weights", &["config.json", "is not valid"]);
}

#[test]
fn weights_of_another_network_name_the_tensor_its_shapes_and_the_networks_that_fit() {
    let place = both();
    place.write("weights/config.json", r#"{"architecture": "resnet18"}"#);
    let words = [
        "not of `resnet18`, which `config.json` names",
        "they fit mobilenetv3_small_100",
    ];
    refused(&place, "weights", &words);
    place.write("weights/config.json", r#"{"architecture": "vit_base"}"#);
    refused(
        &place,
        "weights",
        &["`vit_base`; known are efficientnet_lite0"],
    );

    // ResNet-18 with another width.
    let config = ResNetConfig {
        base_channels: 32,
        ..ResNetConfig::resnet18(3, 2)
    };
    let names = config.torchvision_names();
    fs::create_dir(place.path("other")).unwrap();
    let file = random_weights(names.shapes(&config.init(&Device::flex())));
    place.write("other/model.safetensors", file);
    place.write("other/config.json", r#"{"architecture": "resnet18"}"#);
    refused(
        &place,
        "other",
        &["not of `resnet18`", "has shape [32", "expected [64"],
    );
    fs::remove_file(place.path("other/config.json")).unwrap();
    refused(
        &place,
        "other",
        &[
            "fits none of the known networks, efficientnet_lite0",
            "`bn1.bias` [32]",
        ],
    );
}

#[test]
fn a_network_that_is_no_backbone_is_refused_for_masks() {
    let place = both();
    let train = [
        "train",
        "--data",
        "pairs",
        "--weights",
        "weights",
        "--out",
        "run",
    ];
    place.run(&train).failed(
        2,
        &[
            "`mobilenetv3_small_100`",
            "no backbone",
            "EfficientNet-Lite or a ResNet",
        ],
    );
    let unet = [&train[..], &["--set", "model.kind=unet"]].concat();
    place.run(&unet).failed(
        2,
        &[
            "`weights` needs a network with a backbone",
            "model.kind=backbone-unet",
        ],
    );
    assert!(!place.path("run").exists());
}
