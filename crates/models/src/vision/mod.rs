//! Image networks: `[batch, channels, height, width]`.

mod backbone;
pub mod backbone_unet;
pub mod cnn;
pub mod detection;
pub mod efficientnet_lite;
mod efficientnet_names;
pub mod landmark_cascade;
pub mod landmark_cnn;
mod mobilenet_names;
pub mod mobilenet_v3;
pub mod resnet;
mod torchvision;
pub mod unet;

pub use backbone::ImageBackbone;
pub use backbone_unet::{Backbone, BackboneKind, BackboneUNet, BackboneUNetConfig};
pub use cnn::{Cnn, CnnConfig};
pub use detection::{
    CellGrid, DetectorOutput, FastDetector, FastDetectorConfig, STRIDES, Yolox, YoloxConfig,
};
pub use efficientnet_lite::{
    EfficientNetLite, EfficientNetLiteConfig, EfficientNetLiteEncoder, Padding,
};
pub use landmark_cascade::{LandmarkCascade, LandmarkCascadeConfig};
pub use landmark_cnn::{LandmarkCnn, LandmarkCnnConfig};
pub use mobilenet_v3::{MobileNetV3, MobileNetV3Config};
pub use resnet::{BlockKind, ResNet, ResNetConfig, Stem};
pub use unet::{UNet, UNetConfig};
