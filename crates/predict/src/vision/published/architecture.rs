//! The networks of which published weights can be used.

use std::path::Path;

use burn::tensor::Device;
use tinderbox_datasets::image::{DecodeOptions, Fit, Interpolation};
use tinderbox_models::Template;
use tinderbox_models::pretrained::{NameTable, SafeTensorsError, SafeTensorsFile};
use tinderbox_models::vision::{EfficientNetLiteConfig, MobileNetV3Config, Padding, ResNetConfig};

use super::PublishedError;
use super::config::PublishedConfig;
use crate::vision::{ImageModel, ImageModelConfig, Normalize};

/// Mean and standard deviation of the training images of `ImageNet`, as most networks use them.
const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// To values from -1 to 1, as TensorFlow's networks have them.
const HALVES: [[f32; 3]; 2] = [[0.5; 3]; 2];

/// `(x - 127) / 128`, as in the networks' first publication.
const CENTERED: [[f32; 3]; 2] = [[127.0 / 255.0; 3], [128.0 / 255.0; 3]];

/// The first tensor of EfficientNet-Lite under the names of `efficientnet-lite-pytorch`.
const PORT_STEM: &str = "_conv_stem.weight";

/// Channels of an image.
const CHANNELS: usize = 3;

/// A network under its name in timm.
#[derive(Clone, Debug)]
pub(super) struct Architecture {
    pub(super) name: &'static str,
    pub(super) config: ImageModelConfig,
    /// Height and width of the images it was published for.
    side: usize,
    crop: f64,
    interpolation: Interpolation,
    /// Mean and standard deviation.
    statistics: [[f32; 3]; 2],
    naming: Naming,
}

/// Whose names the tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Timm,
    Torchvision,
    /// The package `efficientnet-lite-pytorch`.
    Port,
}

/// Names of all networks, for a message.
pub(super) fn known() -> String {
    let names: Vec<&str> = all(false).iter().map(|network| network.name).collect();
    format!(
        "{}, and for detection yolox_nano, _tiny, _s, _m, _l and _x",
        names.join(", ")
    )
}

fn all(is_port: bool) -> Vec<Architecture> {
    [efficientnets(is_port), resnets(), mobilenets()].concat()
}

/// EfficientNet-Lite, trained in PyTorch and (`tf_`) in TensorFlow.
fn efficientnets(is_port: bool) -> Vec<Architecture> {
    let lite = EfficientNetLiteConfig::lite0;
    let sizes = [
        (
            ["efficientnet_lite0", "tf_efficientnet_lite0"],
            lite(0, 0),
            224,
            0.875,
        ),
        (
            ["efficientnet_lite1", "tf_efficientnet_lite1"],
            EfficientNetLiteConfig::lite1(0, 0),
            240,
            0.882,
        ),
        (
            ["efficientnet_lite2", "tf_efficientnet_lite2"],
            EfficientNetLiteConfig::lite2(0, 0),
            260,
            0.890,
        ),
    ];
    let both = sizes.into_iter().flat_map(|(names, config, side, crop)| {
        let tensorflow = config
            .clone()
            .with_padding(Padding::Same)
            .with_norm_epsilon(1e-3);
        let network = move |name, config: EfficientNetLiteConfig, statistics| Architecture {
            name,
            config: config.into(),
            side,
            crop,
            interpolation: Interpolation::Bicubic,
            statistics,
            naming: if is_port { Naming::Port } else { Naming::Timm },
        };
        let statistics = if is_port { CENTERED } else { HALVES };
        [
            network(names[0], config, IMAGENET),
            network(names[1], tensorflow, statistics),
        ]
    });
    // The port has TensorFlow's networks only.
    both.filter(|network| !is_port || network.name.starts_with("tf_"))
        .collect()
}

fn resnets() -> Vec<Architecture> {
    let network = |name, config: ResNetConfig| Architecture {
        name,
        config: config.into(),
        side: 224,
        crop: 0.875,
        interpolation: Interpolation::Bilinear,
        statistics: IMAGENET,
        naming: Naming::Torchvision,
    };
    vec![
        network("resnet18", ResNetConfig::resnet18(0, 0)),
        network("resnet34", ResNetConfig::resnet34(0, 0)),
        network("resnet50", ResNetConfig::resnet50(0, 0)),
    ]
}

/// MobileNetV3-Small, as timm, TensorFlow and torchvision have it.
fn mobilenets() -> Vec<Architecture> {
    let config = MobileNetV3Config::small(0, 0);
    let network =
        |name, config: MobileNetV3Config, interpolation, statistics, naming| Architecture {
            name,
            config: config.into(),
            side: 224,
            crop: 0.875,
            interpolation,
            statistics,
            naming,
        };
    let tensorflow = config.clone().with_padding(Padding::Same);
    let (bilinear, bicubic) = (Interpolation::Bilinear, Interpolation::Bicubic);
    vec![
        network(
            "mobilenetv3_small_100",
            config.clone().with_norm_epsilon(1e-5),
            bicubic,
            IMAGENET,
            Naming::Timm,
        ),
        network(
            "tf_mobilenetv3_small_100",
            tensorflow,
            bilinear,
            HALVES,
            Naming::Timm,
        ),
        network(
            "mobilenet_v3_small",
            config,
            bilinear,
            IMAGENET,
            Naming::Torchvision,
        ),
    ]
}

/// The network that `config.json` names or, without it, the first that fits, with what was assumed.
pub(super) fn find(
    file: &SafeTensorsFile,
    config: Option<&PublishedConfig>,
) -> Result<(Architecture, Vec<String>), PublishedError> {
    let all = all(file.shape(PORT_STEM).is_some());
    let Some(config) = config else {
        return guess(all, file);
    };
    let Some(named) = all.iter().find(|network| network.name == config.name()) else {
        return Err(PublishedError::Unknown {
            path: file.path().with_file_name("config.json"),
            name: config.name().to_owned(),
        });
    };
    match named.check(file) {
        Ok(()) => Ok((named.clone(), Vec::new())),
        Err(difference) => Err(PublishedError::Other {
            name: named.name.to_owned(),
            difference,
            fits: fitting(&all, file),
        }),
    }
}

fn guess(
    all: Vec<Architecture>,
    file: &SafeTensorsFile,
) -> Result<(Architecture, Vec<String>), PublishedError> {
    let mut fitting = all
        .into_iter()
        .filter(|network| network.check(file).is_ok());
    let Some(network) = fitting.next() else {
        return Err(PublishedError::NoneFits {
            path: file.path().to_owned(),
            tensors: first_tensors(file),
        });
    };
    let others: Vec<String> = fitting.map(|other| format!("`{}`", other.name)).collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        format!(
            " ({} has the same shapes: a `config.json` would tell)",
            others.join(", ")
        )
    };
    let note = format!(
        "no `config.json` next to `{}`: assumed `{}`{others}, images of {side}x{side}, {}",
        file.path().display(),
        network.name,
        network.preprocessing(),
        side = network.side,
    );
    Ok((network, vec![note]))
}

fn fitting(all: &[Architecture], file: &SafeTensorsFile) -> String {
    let fitting = all.iter().filter(|network| network.check(file).is_ok());
    let names: Vec<&str> = fitting.map(|network| network.name).collect();
    if names.is_empty() {
        return format!("none of the known networks fits: {}", known());
    }
    format!("they fit {}", names.join(", "))
}

pub(in crate::vision) fn first_tensors(file: &SafeTensorsFile) -> String {
    let tensors = file.tensors().into_iter().take(3);
    let tensors: Vec<String> = tensors
        .map(|(name, shape)| format!("`{name}` {shape:?}"))
        .collect();
    tensors.join(", ")
}

impl Architecture {
    /// Number of classes of the published classifier.
    pub(super) fn classes(&self, file: &SafeTensorsFile) -> Result<usize, PublishedError> {
        let name = self.classifier();
        let shape = file.shape(name);
        let classes = shape.and_then(|shape| shape.first().copied());
        classes.ok_or_else(|| {
            PublishedError::SafeTensors(SafeTensorsError::Missing {
                path: file.path().to_owned(),
                tensor: name.to_owned(),
            })
        })
    }

    /// Name of the weight of the classifier.
    fn classifier(&self) -> &'static str {
        match (&self.config, self.naming) {
            (ImageModelConfig::Resnet(_), _) => "fc.weight",
            (_, Naming::Port) => "_fc.weight",
            (_, Naming::Timm) => "classifier.weight",
            // MobileNetV3, whose classifier has a hidden layer.
            (_, Naming::Torchvision) => "classifier.3.weight",
        }
    }

    /// Whether the tensors are those of this network.
    fn check(&self, file: &SafeTensorsFile) -> Result<(), SafeTensorsError> {
        let classes = file
            .shape(self.classifier())
            .and_then(|shape| shape.first());
        // Without a classifier the names do not fit either.
        let classes = classes.copied().unwrap_or(1);
        // Parameters are made when they are used, so this network costs nothing.
        let device = Device::default();
        match self
            .config
            .clone()
            .with_sizes([self.side, self.side, CHANNELS], classes)
        {
            ImageModelConfig::EfficientnetLite(Template(config)) => {
                file.fits(&config.init(&device), &self.efficientnet_names(&config))
            }
            ImageModelConfig::Resnet(Template(config)) => {
                file.fits(&config.init(&device), &config.torchvision_names())
            }
            ImageModelConfig::MobilenetV3(Template(config)) => {
                file.fits(&config.init(&device), &self.mobilenet_names(&config))
            }
            ImageModelConfig::Mlp(_) | ImageModelConfig::Cnn(_) => Ok(()),
        }
    }

    /// The network with the weights of the file.
    pub(super) fn load(
        &self,
        file: &SafeTensorsFile,
        classes: usize,
        device: &Device,
    ) -> Result<ImageModel, PublishedError> {
        let shape = [self.side, self.side, CHANNELS];
        Ok(match self.config.clone().with_sizes(shape, classes) {
            ImageModelConfig::EfficientnetLite(Template(config)) => {
                let names = self.efficientnet_names(&config);
                file.load(config.init(device), &names)?.into()
            }
            ImageModelConfig::Resnet(Template(config)) => file
                .load(config.init(device), &config.torchvision_names())?
                .into(),
            ImageModelConfig::MobilenetV3(Template(config)) => {
                let names = self.mobilenet_names(&config);
                file.load(config.init(device), &names)?.into()
            }
            other => other.init(shape, classes, device)?,
        })
    }

    fn efficientnet_names(&self, config: &EfficientNetLiteConfig) -> NameTable {
        match self.naming {
            Naming::Port => config.port_names(),
            Naming::Timm | Naming::Torchvision => config.timm_names(),
        }
    }

    fn mobilenet_names(&self, config: &MobileNetV3Config) -> NameTable {
        match self.naming {
            Naming::Torchvision => config.torchvision_names(),
            Naming::Timm | Naming::Port => config.timm_names(),
        }
    }

    fn preprocessing(&self) -> String {
        let [mean, std] = self.statistics;
        let interpolation = match self.interpolation {
            Interpolation::Bicubic => "bicubic",
            Interpolation::Bilinear | Interpolation::Triangle => "bilinear",
        };
        format!(
            "{interpolation}, center crop {}, mean {mean:.3?}, std {std:.3?}",
            self.crop
        )
    }

    /// How images are prepared: as `config.json` says, or as the network was published.
    pub(super) fn preprocess(
        &self,
        config: Option<&PublishedConfig>,
        weights: &Path,
    ) -> Result<(DecodeOptions, Normalize), PublishedError> {
        let own = config
            .map(|config| config.pretrained_cfg.clone())
            .unwrap_or_default();
        let refuse = |reason: String| PublishedError::Config {
            path: weights.with_file_name("config.json"),
            reason,
        };
        let [channels, height, width] = own.input_size.unwrap_or([CHANNELS, self.side, self.side]);
        if channels != CHANNELS {
            return Err(refuse(format!(
                "`input_size` has {channels} channels, expected 3"
            )));
        }
        let interpolation = match own.interpolation.as_deref() {
            None => self.interpolation,
            Some("bicubic") => Interpolation::Bicubic,
            Some("bilinear") => Interpolation::Bilinear,
            Some(other) => {
                let reason = format!("`interpolation` is `{other}`, expected bilinear or bicubic");
                return Err(refuse(reason));
            }
        };
        let fit = match own.crop_mode.as_deref() {
            None | Some("center") => Fit::Crop,
            Some("squash") => Fit::Stretch,
            Some(other) => {
                let reason = format!("`crop_mode` is `{other}`, expected center or squash");
                return Err(refuse(reason));
            }
        };
        let decode = DecodeOptions {
            fit,
            interpolation,
            crop: own.crop_pct.unwrap_or(self.crop),
            ..DecodeOptions::new(height, width, channels)
        };
        decode.validate()?;
        let [mean, std] = self.statistics;
        let (mean, std) = (own.mean.unwrap_or(mean), own.std.unwrap_or(std));
        if std.iter().any(|value| !value.is_normal()) || mean.iter().any(|value| !value.is_finite())
        {
            return Err(refuse("`mean` or `std` is not a usable number".to_owned()));
        }
        let (mean, std) = (mean.to_vec(), std.to_vec());
        Ok((decode, Normalize { mean, std }))
    }
}
