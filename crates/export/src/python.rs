//! Python code that loads exported weights into PyTorch.

use serde_json::Value;

/// The parts of the code of one architecture, which follow each other in a file.
macro_rules! parts {
    ($($name:literal),+) => {
        &[include_str!("python/base.py"), $(include_str!(concat!("python/", $name, ".py"))),+]
    };
}

/// The code for a model of this specification, if there is one for its architecture.
pub(crate) fn loader(spec: &Value) -> Option<String> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str);
    let architecture = spec.get("model").or_else(|| spec.get("network"));
    let architecture = architecture?.get("kind")?.as_str()?;
    let (parts, inputs): (&[&str], _) = match (text("kind")?, architecture) {
        ("image-classifier", "mlp") => (parts!("image_mlp"), "images"),
        ("image-classifier", "cnn") => (parts!("cnn"), "images"),
        ("image-classifier", "resnet") => (parts!("resnet_stages", "resnet"), "images"),
        ("image-classifier", "efficientnet-lite") => {
            (parts!("mobile_stages", "efficientnet_lite"), "images")
        }
        ("image-classifier", "mobilenet-v3") => (parts!("mobile_stages", "mobilenet_v3"), "images"),
        ("image-segmenter", "unet") => (parts!("unet"), "images"),
        ("image-segmenter", "backbone-unet") => (
            parts!("resnet_stages", "mobile_stages", "backbone_unet"),
            "images",
        ),
        ("object-detector", "fast-detector") => (parts!("cells", "fast_detector"), "images"),
        ("object-detector", "yolox") => (parts!("cells", "yolox"), "images"),
        ("table-model", "mlp") => (parts!("features", "table_mlp"), "numeric, codes"),
        ("table-model", "resnet") => (parts!("features", "table_resnet"), "numeric, codes"),
        ("table-model", "tabm") => (parts!("features", "tabm"), "numeric, codes"),
        ("table-model", "ft-transformer") => {
            (parts!("features", "ft_transformer"), "numeric, codes")
        }
        ("text-model", "encoder") => (parts!("text_encoder"), "input_ids, attention_mask"),
        ("text-model", "bert") => (parts!("bert"), "input_ids, attention_mask, token_type_ids"),
        ("agent", _) => (parts!("policy"), "observations"),
        _ => return None,
    };
    Some(parts.join("\n\n").replacen("INPUTS", inputs, 1))
}
