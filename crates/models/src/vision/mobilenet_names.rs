//! Names of the tensors of published MobileNetV3-Small networks.

use super::mobilenet_v3::MobileNetV3Config;
use crate::layers::inverted_residual::InvertedResidualConfig;
use crate::pretrained::NameTable;

impl MobileNetV3Config {
    /// torchvision's names of the tensors of `mobilenet_v3_small`, for
    /// [`SafeTensorsFile::load`](crate::pretrained::SafeTensorsFile::load). For other classes,
    /// `.keep("output")` leaves the classifier as it is.
    ///
    /// ```
    /// use tinderbox_models::vision::MobileNetV3Config;
    ///
    /// let names = MobileNetV3Config::small(3, 1000).torchvision_names();
    /// assert!(names.iter().any(|pair| {
    ///     pair == ("features.4.block.3.0.weight", "stages.2.0.projection.conv.weight")
    /// }));
    /// ```
    pub fn torchvision_names(&self) -> NameTable {
        let mut table = sequential(NameTable::new(), "features.0", "stem");
        let mut number = 1;
        for (ours, block) in self.places() {
            let parts = parts(block).into_iter().enumerate();
            for (index, part) in parts {
                let theirs = format!("features.{number}.block.{index}");
                let ours = format!("{ours}.{part}");
                table = if part == "squeeze" {
                    squeeze(table, [&theirs, &ours], ["fc1", "fc2"])
                } else {
                    sequential(table, &theirs, &ours)
                };
            }
            number += 1;
        }
        let table = sequential(table, &format!("features.{number}"), "head")
            .linear("classifier.0", "hidden")
            .linear("classifier.3", "output");
        self.padding.turn_kernels(table)
    }

    /// timm's names of the tensors of `mobilenetv3_small_100`, whose `norm_epsilon` is 1e-5, and of
    /// `tf_mobilenetv3_small_100`, which has [`Padding::Same`](super::Padding::Same); otherwise as
    /// [`torchvision_names`](Self::torchvision_names).
    pub fn timm_names(&self) -> NameTable {
        let mut table = NameTable::new().conv_norm(["conv_stem", "bn1"], "stem");
        for (ours, block) in self.places() {
            let theirs = ours.replace("stages", "blocks");
            let expands = block.expansion().is_some();
            for part in parts(block) {
                let names = match (part, expands) {
                    ("expansion", _) => ["conv_pw", "bn1"],
                    ("depthwise", true) => ["conv_dw", "bn2"],
                    ("depthwise", false) => ["conv_dw", "bn1"],
                    ("projection", true) => ["conv_pwl", "bn3"],
                    ("projection", false) => ["conv_pw", "bn2"],
                    _ => ["", ""],
                };
                let ours = format!("{ours}.{part}");
                table = if part == "squeeze" {
                    let se = format!("{theirs}.se");
                    squeeze(table, [&se, &ours], ["conv_reduce", "conv_expand"])
                } else {
                    let names = names.map(|name| format!("{theirs}.{name}"));
                    table.conv_norm([&names[0], &names[1]], &ours)
                };
            }
        }
        let head = format!("blocks.{}.0", self.stages().len());
        let table = table
            .conv_norm([&format!("{head}.conv"), &format!("{head}.bn1")], "head")
            .linear("conv_head", "hidden")
            .linear("classifier", "output");
        self.padding.turn_kernels(table)
    }

    /// The path of every block.
    fn places(&self) -> impl Iterator<Item = (String, InvertedResidualConfig)> {
        let stages = self.stages().into_iter().enumerate();
        stages.flat_map(|(stage, blocks)| {
            let blocks = blocks.into_iter().enumerate();
            blocks.map(move |(index, block)| (format!("stages.{stage}.{index}"), block))
        })
    }
}

/// The layers of a block, in order.
fn parts(block: InvertedResidualConfig) -> Vec<&'static str> {
    let all = [
        (block.expansion().is_some(), "expansion"),
        (true, "depthwise"),
        (block.squeeze().is_some(), "squeeze"),
        (true, "projection"),
    ];
    let parts = all
        .into_iter()
        .filter_map(|(exists, name)| exists.then_some(name));
    parts.collect()
}

/// A convolution and its normalization, which torchvision numbers.
fn sequential(table: NameTable, theirs: &str, ours: &str) -> NameTable {
    table.conv_norm([&format!("{theirs}.0"), &format!("{theirs}.1")], ours)
}

fn squeeze(table: NameTable, [theirs, ours]: [&str; 2], names: [&str; 2]) -> NameTable {
    let layers = names.into_iter().zip(["reduce", "expand"]);
    layers.fold(table, |table, (name, layer)| {
        table.linear(&format!("{theirs}.{name}"), &format!("{ours}.{layer}"))
    })
}
