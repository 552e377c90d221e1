//! Image networks: `[batch, channels, height, width]`.

pub mod cnn;
pub mod resnet;
mod torchvision;

pub use cnn::{Cnn, CnnConfig};
pub use resnet::{BlockKind, ResNet, ResNetConfig, Stem};
