//! Image networks: `[batch, channels, height, width]`.

pub mod cnn;
pub mod efficientnet_lite;
pub mod resnet;
mod torchvision;
pub mod unet;

pub use cnn::{Cnn, CnnConfig};
pub use efficientnet_lite::{EfficientNetLite, EfficientNetLiteConfig};
pub use resnet::{BlockKind, ResNet, ResNetConfig, Stem};
pub use unet::{UNet, UNetConfig};
