//! Published image networks, as torchvision and timm have them; `references/backbones.py` makes the
//! logits.
//!
//! No weight is stored: every tensor is drawn from its published name, so that a wrong name in a table is a
//! wrong number.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, TensorView};
use tinderbox_models::pretrained::{NameTable, SafeTensorsFile};
use tinderbox_models::vision::{
    Backbone, BackboneKind, BackboneUNetConfig, EfficientNetLiteConfig, FastDetectorConfig,
    MobileNetV3Config, Padding, ResNetConfig, UNetConfig, YoloxConfig,
};

use super::{Check, LAYER_TOLERANCE, difference, read, values};

const REFERENCES: &str = include_str!("../references/backbones.json");

const CLASSES: usize = 10;

/// Odd and even on the way down: both ways of padding differ.
const SHAPE: [usize; 4] = [2, 3, 70, 64];

/// Height of the part of the images that the U-Net sees; it scores every pixel of a grid.
const UNET_HEIGHT: usize = 64;
const UNET_GRID: usize = 16;

/// The logits of each network.
pub(super) struct References(BTreeMap<String, Vec<f64>>);

pub(super) fn references() -> Result<References, String> {
    read(REFERENCES).map(References)
}

impl References {
    pub(super) fn checks(&self, device: &Device, wanted: impl Fn(&str) -> bool) -> Vec<Check> {
        let named = self.0.iter().map(|(name, logits)| {
            let title = format!("{name}, logits");
            (title, name, logits)
        });
        named
            .filter(|(title, ..)| wanted(title))
            .map(|(title, name, logits)| {
                let run = || difference(&values(compute(name, device)?)?, logits);
                Check::run(title, LAYER_TOLERANCE, run)
            })
            .collect()
    }
}

/// The logits that a network of this name gives here.
fn compute(name: &str, device: &Device) -> Result<Tensor<1>, String> {
    macro_rules! run {
        ($config:expr, $names:ident) => {{
            let config = $config;
            let model = draw(config.init(device), &config.$names())?;
            model.forward(image(device)).reshape([-1])
        }};
    }
    Ok(match name {
        "torchvision/resnet18" | "timm/resnet18" => {
            run!(ResNetConfig::resnet18(3, CLASSES), torchvision_names)
        }
        "torchvision/resnet34" => run!(ResNetConfig::resnet34(3, CLASSES), torchvision_names),
        "torchvision/resnet50" => run!(ResNetConfig::resnet50(3, CLASSES), torchvision_names),
        "torchvision/mobilenet_v3_small" => {
            run!(MobileNetV3Config::small(3, CLASSES), torchvision_names)
        }
        "timm/mobilenetv3_small_100" => {
            let config = MobileNetV3Config::small(3, CLASSES);
            run!(config.with_norm_epsilon(1e-5), timm_names)
        }
        "timm/efficientnet_lite0" => run!(EfficientNetLiteConfig::lite0(3, CLASSES), timm_names),
        "timm/efficientnet_lite1" => run!(EfficientNetLiteConfig::lite1(3, CLASSES), timm_names),
        "timm/efficientnet_lite2" => run!(EfficientNetLiteConfig::lite2(3, CLASSES), timm_names),
        "timm/tf_efficientnet_lite0" => {
            run!(
                tensorflow(EfficientNetLiteConfig::lite0(3, CLASSES)),
                timm_names
            )
        }
        "timm/tf_efficientnet_lite1" => {
            run!(
                tensorflow(EfficientNetLiteConfig::lite1(3, CLASSES)),
                timm_names
            )
        }
        "timm/tf_efficientnet_lite2" => {
            run!(
                tensorflow(EfficientNetLiteConfig::lite2(3, CLASSES)),
                timm_names
            )
        }
        "timm/tf_mobilenetv3_small_100" => {
            let config = MobileNetV3Config::small(3, CLASSES);
            run!(config.with_padding(Padding::Same), timm_names)
        }
        "unet" => unet(device)?,
        "unet/efficientnet_lite0" => {
            let lite = draw_lite(&EfficientNetLiteConfig::lite0(3, 1), device)?;
            backbone_unet(BackboneKind::EfficientnetLite0, lite, device)?
        }
        "unet/tf_efficientnet_lite0" => {
            let lite = draw_lite(&tensorflow(EfficientNetLiteConfig::lite0(3, 1)), device)?;
            backbone_unet(BackboneKind::TfEfficientnetLite0, lite, device)?
        }
        "unet/resnet18" => {
            let config = ResNetConfig::resnet18(3, 1);
            let net = draw(config.init(device), &config.torchvision_names())?;
            backbone_unet(BackboneKind::Resnet18, Backbone::ResNet(net), device)?
        }
        "yolox_nano" => yolox(&YoloxConfig::new(3, CLASSES), device)?,
        "yolox_s/narrow" => {
            let narrow = YoloxConfig::new(3, CLASSES).with_width_multiplier(0.125);
            yolox(&narrow.with_depthwise(false), device)?
        }
        "fast-detector" => fast_detector(device)?,
        name => return Err(format!("no network is called `{name}`")),
    })
}

/// As TensorFlow trained it.
fn tensorflow(config: EfficientNetLiteConfig) -> EfficientNetLiteConfig {
    config.with_padding(Padding::Same).with_norm_epsilon(1e-3)
}

fn unet(device: &Device) -> Result<Tensor<1>, String> {
    let config = UNetConfig::new(3, CLASSES)
        .with_depth(2)
        .with_base_channels(4);
    let mut names = NameTable::new();
    for convs in [
        "encoder.0",
        "encoder.1",
        "bottleneck",
        "decoder.0.convs",
        "decoder.1.convs",
    ] {
        names = double_conv(names, convs);
    }
    for layer in ["decoder.0.upsample", "decoder.1.upsample", "output"] {
        let bias = format!("{layer}.bias");
        names = names.weight(layer, layer).same(bias.clone(), bias);
    }
    let model = draw(config.init(device), &names)?;
    Ok(on_grid(model.forward(unet_image(device)), device))
}

fn draw_lite(config: &EfficientNetLiteConfig, device: &Device) -> Result<Backbone, String> {
    let net = draw(config.init(device), &config.timm_names())?;
    Ok(Backbone::EfficientNetLite(net))
}

/// A U-Net on a backbone that was drawn.
fn backbone_unet(
    kind: BackboneKind,
    backbone: Backbone,
    device: &Device,
) -> Result<Tensor<1>, String> {
    let config = BackboneUNetConfig::new(3, CLASSES)
        .with_backbone(kind)
        .with_decoder_channels(vec![12, 10, 8, 6]);
    let mut names = NameTable::new().keep("backbone");
    for step in 0..config.decoder_channels.len() {
        names = double_conv(names, &format!("decoder.{step}"));
    }
    let names = names
        .weight("output", "output")
        .same("output.bias", "output.bias");
    let model = draw(config.init(device), &names)?.map_backbone(|_| backbone);
    Ok(on_grid(model.forward(unet_image(device)), device))
}

fn double_conv(names: NameTable, convs: &str) -> NameTable {
    ["first", "second"].into_iter().fold(names, |names, conv| {
        let [conv, norm] = ["conv", "norm"].map(|layer| format!("{convs}.{conv}.{layer}"));
        names.weight(&conv, &conv).batch_norm(&norm, &norm)
    })
}

/// The raw box, the objectness and the classes of some cells.
fn yolox(config: &YoloxConfig, device: &Device) -> Result<Tensor<1>, String> {
    let model = draw(config.init(device), &config.release_names())?;
    let output = model.forward(unet_image(device));
    let objectness = output.objectness.ok_or("YOLOX has an objectness")?;
    Ok(on_cells(
        vec![output.raw_boxes, objectness, output.classes],
        device,
    ))
}

/// The box and the classes of some cells.
fn fast_detector(device: &Device) -> Result<Tensor<1>, String> {
    let config = FastDetectorConfig::new(3, CLASSES)
        .with_channels(vec![4, 6, 8, 10, 12])
        .with_neck_channels(8)
        .with_bins(4);
    let pairs = |layers: &[&str]| -> Vec<String> {
        let pair = |layer: &&str| [0, 1].map(|at| format!("{layer}.{at}"));
        layers.iter().flat_map(pair).collect()
    };
    let mut convs = pairs(&["neck.up", "neck.down", "neck.out"]);
    convs.extend(["stem", "stages.0.down"].map(str::to_owned));
    let mut outputs = Vec::new();
    for at in 0..3 {
        let stage = format!("stages.{}", at + 1);
        let layers = ["down", "blocks.0.first", "blocks.0.second"];
        convs.extend(layers.map(|layer| format!("{stage}.{layer}")));
        convs.push(format!("neck.lateral.{at}"));
        convs.extend(pairs(&[&format!("heads.{at}.convs")]));
        outputs.extend(["classes", "distances"].map(|layer| format!("heads.{at}.{layer}")));
    }
    let names = convs.iter().fold(NameTable::new(), |names, layer| {
        let [conv, norm] = ["conv", "norm"].map(|part| format!("{layer}.{part}"));
        names.weight(&conv, &conv).batch_norm(&norm, &norm)
    });
    let names = outputs.iter().fold(names, |names, layer| {
        let bias = format!("{layer}.bias");
        names.weight(layer, layer).same(bias.clone(), bias)
    });
    let output = draw(config.init(device), &names)?.forward(unet_image(device));
    Ok(on_cells(vec![output.boxes, output.classes], device))
}

/// The numbers of every 7th cell of the first image, `[batch, cells, ..]`, one cell after the other.
fn on_cells(parts: Vec<Tensor<3>>, device: &Device) -> Tensor<1> {
    let joined = Tensor::cat(parts, 2).narrow(0, 0, 1);
    let cells: Vec<i32> = (0_i32..)
        .step_by(7)
        .take(joined.dims()[1].div_ceil(7))
        .collect();
    let count = cells.len();
    let cells = Tensor::from_data(TensorData::new(cells, [count]), device);
    joined.select(1, cells).reshape([-1])
}

fn unet_image(device: &Device) -> Tensor<4> {
    image(device).narrow(2, 0, UNET_HEIGHT)
}

/// Some scores of the first image.
fn on_grid(scores: Tensor<4>, device: &Device) -> Tensor<1> {
    let every = |count: usize| {
        let places = (0_i32..).step_by(UNET_GRID);
        let places: Vec<i32> = places.take(count.div_ceil(UNET_GRID)).collect();
        let count = places.len();
        Tensor::from_data(TensorData::new(places, [count]), device)
    };
    let scores = scores.narrow(0, 0, 1).select(2, every(UNET_HEIGHT));
    scores.select(3, every(SHAPE[3])).reshape([-1])
}

fn image(device: &Device) -> Tensor<4> {
    let pixels = drawn("image").take(SHAPE.iter().product());
    let pixels: Vec<f32> = pixels.map(|value| value as f32).collect();
    Tensor::from_data(TensorData::new(pixels, SHAPE), device)
}

/// Loads drawn weights as a published file of them.
fn draw<M: Module>(network: M, names: &NameTable) -> Result<M, String> {
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = names
        .shapes(&network)
        .into_iter()
        .map(|(name, shape)| {
            let bytes = weight(name, &shape);
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
        view.map(|view| (*name, view))
    });
    let views = views.collect::<Result<Vec<_>, _>>();
    let file = views.and_then(|views| safetensors::serialize(views, None));
    let file = SafeTensorsFile::from_bytes(file.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())?;
    file.load(network, names).map_err(|error| error.to_string())
}

/// The bytes of a tensor of single precision.
fn weight(name: &str, shape: &[usize]) -> Vec<u8> {
    let fan_in: usize = shape.iter().skip(1).product();
    let (offset, scale) = match shape.len() {
        1 if name.ends_with("running_var") => (1.0, 0.5),
        1 if name.ends_with("weight") => (1.0, 0.25),
        1 => (0.0, 0.25),
        _ => (0.0, (6.0 / fan_in as f64).sqrt()),
    };
    drawn(name)
        .take(shape.iter().product())
        .flat_map(|value| ((offset + scale * value) as f32).to_le_bytes())
        .collect()
}

/// Uniform in `[-1, 1)`: splitmix64 from the FNV-1a hash of a name.
fn drawn(name: &str) -> impl Iterator<Item = f64> {
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325, |state, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    (1_u64..).map(move |index| {
        let z: u64 = start.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let z = z ^ (z >> 31);
        (z >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_published_network_gives_the_logits_of_pytorch() {
        let checks = references().unwrap().checks(&Device::flex(), |_| true);
        assert_eq!(checks.len(), 20);
        for check in checks {
            assert!(check.passed(), "{check:?}");
        }
    }
}
