//! The networks as the crates make them, and noise of the shape that each reads.

use std::error::Error;

use burn::module::Module;
use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use tinderbox_models::tabular::TabularInputs;
use tinderbox_models::text::{TextEncoder, TextEncoderConfig};
use tinderbox_models::trainable_parameters;
use tinderbox_models::vision::{EfficientNetLiteConfig, UNetConfig};
use tinderbox_predict::Classify;
use tinderbox_predict::tabular::{Architecture, Features, Sizes, TabularNet};
use tinderbox_predict::vision::{DetectionModelConfig, ImageModelConfig};
use tinderbox_recipes::tabular::{BatchTargets, TableBatch};
use tinderbox_train::classify::LabeledBatch;

use crate::vision::{Lite, PerCell, PerPixel};

/// A network and what it reads.
#[derive(Clone)]
pub enum Net {
    /// Images of a height, a width and a number of channels.
    Image(ImageModelConfig, [usize; 3]),
    /// The same, for a network that no recipe has.
    EfficientNetLite(EfficientNetLiteConfig, [usize; 3]),
    /// Images of which every pixel has a class.
    UNet(UNetConfig, [usize; 3]),
    /// Images in which objects are found.
    Detector(DetectionModelConfig, [usize; 3]),
    /// Texts of a number of tokens.
    Text(TextEncoderConfig, usize),
    /// Rows of a table.
    Table(TableNet),
}

/// A network for rows of a table of these sizes.
#[derive(Clone)]
pub struct TableNet {
    /// The network.
    pub model: Architecture,
    /// The embeddings of its columns.
    pub features: Features,
    /// The sizes of the table.
    pub sizes: Sizes,
}

impl TableNet {
    pub(crate) fn init(
        &self,
        device: &Device,
    ) -> Result<TabularNet, tinderbox_models::ConfigError> {
        self.model.init(&self.sizes, &self.features, device)
    }
}

impl Net {
    pub(crate) fn forward(
        &self,
        classes: usize,
        size: usize,
        device: &Device,
    ) -> Result<Box<dyn Fn() -> TensorData>, Box<dyn Error>> {
        Ok(match self {
            Self::Image(config, shape) => {
                let net = config.init(*shape, classes, device)?;
                let input = images(*shape, classes, size, device).inputs;
                Box::new(move || net.classify(input.clone()).into_data())
            }
            Self::EfficientNetLite(config, shape) => {
                let net = Lite::init(config, device)?;
                let input = images(*shape, classes, size, device).inputs;
                Box::new(move || net.classify(input.clone()).into_data())
            }
            Self::UNet(config, shape) => {
                let net = PerPixel::init(config, device)?;
                let input = images(*shape, classes, size, device).inputs;
                Box::new(move || net.classify(input.clone()).into_data())
            }
            Self::Detector(config, shape) => {
                let net = PerCell::init(config, *shape, classes, device)?;
                let input = images(*shape, classes, size, device).inputs;
                Box::new(move || net.classify(input.clone()).into_data())
            }
            Self::Text(config, seq) => {
                let net = Text::init(config, device)?;
                let input = texts(config, *seq, size, device).inputs;
                Box::new(move || net.classify(input.clone()).into_data())
            }
            Self::Table(table) => {
                let net = table.init(device)?;
                let input = rows(&table.sizes, size, device).rows;
                Box::new(move || net.forward(input.clone()).into_data())
            }
        })
    }

    pub(crate) fn parameters(
        &self,
        classes: usize,
        device: &Device,
    ) -> Result<usize, Box<dyn Error>> {
        Ok(match self {
            Self::Image(config, shape) => {
                trainable_parameters(&config.init(*shape, classes, device)?)
            }
            Self::EfficientNetLite(config, _) => trainable_parameters(&Lite::init(config, device)?),
            Self::UNet(config, _) => trainable_parameters(&PerPixel::init(config, device)?),
            Self::Detector(config, shape) => {
                trainable_parameters(&PerCell::init(config, *shape, classes, device)?)
            }
            Self::Text(config, _) => trainable_parameters(&Text::init(config, device)?),
            Self::Table(table) => trainable_parameters(&table.init(device)?),
        })
    }
}

/// An encoder of texts, as one that scores classes.
#[derive(Module, Debug)]
pub(crate) struct Text {
    net: TextEncoder,
}

impl Text {
    pub(crate) fn init(
        config: &TextEncoderConfig,
        device: &Device,
    ) -> Result<Self, tinderbox_models::ConfigError> {
        config.validate()?;
        let net = config.init(device);
        Ok(Self { net })
    }
}

impl Classify for Text {
    type Input = (Tensor<2, Int>, Tensor<2, Bool>);

    fn classify(&self, (ids, padding): Self::Input) -> Tensor<2> {
        self.net.forward(ids, padding)
    }
}

/// Numbers in [-0.5, 0.5) without an order.
pub(crate) fn noise(count: usize) -> Vec<f32> {
    let noise = |index: usize| (index as f32 * 0.618_034).fract() - 0.5;
    (0..count).map(noise).collect()
}

/// A code, of which there are never as many.
pub(crate) fn number(code: usize) -> i32 {
    i32::try_from(code).unwrap_or(i32::MAX)
}

pub(crate) fn labels(classes: usize, size: usize, device: &Device) -> Tensor<1, Int> {
    let labels: Vec<i32> = (0..number(classes)).cycle().take(size).collect();
    Tensor::from_data(TensorData::new(labels, [size]), device)
}

/// A batch of noise with its labels.
pub(crate) fn images(
    [height, width, channels]: [usize; 3],
    classes: usize,
    size: usize,
    device: &Device,
) -> LabeledBatch<Tensor<4>> {
    let shape = [size, channels, height, width];
    let values = noise(shape.iter().product());
    let inputs = Tensor::from_data(TensorData::new(values, shape), device);
    LabeledBatch::new(inputs, labels(classes, size, device))
}

/// Texts of tokens without an order, all of the same length.
pub(crate) fn texts(
    config: &TextEncoderConfig,
    seq: usize,
    size: usize,
    device: &Device,
) -> LabeledBatch<(Tensor<2, Int>, Tensor<2, Bool>)> {
    let ids = (0..size * seq).map(|index| number(index * 7919 % config.vocab_size));
    let ids = TensorData::new(ids.collect::<Vec<i32>>(), [size, seq]);
    let padding = TensorData::new(vec![false; size * seq], [size, seq]);
    let inputs = (
        Tensor::from_data(ids, device),
        Tensor::from_data(padding, device),
    );
    LabeledBatch::new(inputs, labels(config.num_classes, size, device))
}

/// Rows of noise with their classes.
pub(crate) fn rows(sizes: &Sizes, size: usize, device: &Device) -> TableBatch {
    let numbers = TensorData::new(noise(size * sizes.n_numeric), [size, sizes.n_numeric]);
    let row = |row: usize| {
        let values = sizes.cardinalities.iter();
        values.map(move |values| number(row * 31 % values))
    };
    let codes: Vec<i32> = (0..size).flat_map(row).collect();
    let codes = TensorData::new(codes, [size, sizes.cardinalities.len()]);
    TableBatch {
        rows: TabularInputs::new(
            Some(Tensor::from_data(numbers, device)),
            Some(Tensor::from_data(codes, device)),
        ),
        targets: BatchTargets::Classes(labels(sizes.d_output, size, device)),
    }
}
