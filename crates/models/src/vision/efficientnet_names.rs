//! Names of the tensors of published EfficientNet-Lite networks.

use super::efficientnet_lite::EfficientNetLiteConfig;
use crate::pretrained::NameTable;

/// The names of the layers of a block: expansion, depthwise convolution and projection, each with its
/// normalization.
type BlockNames = [[&'static str; 2]; 3];

/// timm's names in a block with an expansion.
const TIMM: BlockNames = [["conv_pw", "bn1"], ["conv_dw", "bn2"], ["conv_pwl", "bn3"]];

/// timm's names in a block without one.
const TIMM_FIRST: BlockNames = [["", ""], ["conv_dw", "bn1"], ["conv_pw", "bn2"]];

/// The names of the package `efficientnet-lite-pytorch`.
const PORT: BlockNames = [
    ["_expand_conv", "_bn0"],
    ["_depthwise_conv", "_bn1"],
    ["_project_conv", "_bn2"],
];

impl EfficientNetLiteConfig {
    /// timm's names of the tensors, for
    /// [`SafeTensorsFile::load`](crate::pretrained::SafeTensorsFile::load).
    ///
    /// `efficientnet_lite0` has symmetric padding; networks that are called `tf_efficientnet_lite0` and so
    /// on have [`Padding::Same`](super::Padding::Same) and `norm_epsilon` 1e-3. For other classes, `.keep("output")` leaves the
    /// classifier as it is.
    ///
    /// ```
    /// use tinderbox_models::vision::EfficientNetLiteConfig;
    ///
    /// let names = EfficientNetLiteConfig::lite0(3, 1000).timm_names();
    /// assert!(names.iter().any(|pair| {
    ///     pair == ("blocks.1.0.conv_pwl.weight", "stages.1.0.projection.conv.weight")
    /// }));
    /// ```
    pub fn timm_names(&self) -> NameTable {
        let table = self.table(
            ["conv_stem", "bn1"],
            ["conv_head", "bn2"],
            |place, expands| {
                let names = if expands { TIMM } else { TIMM_FIRST };
                (format!("blocks.{}.{}", place[0], place[1]), names)
            },
        );
        table.linear("classifier", "output")
    }

    /// The names of the tensors in the package `efficientnet-lite-pytorch`, whose networks have
    /// [`Padding::Same`](super::Padding::Same) and `norm_epsilon` 1e-3; otherwise as [`timm_names`](Self::timm_names).
    pub fn port_names(&self) -> NameTable {
        let mut number = 0;
        let table = self.table(["_conv_stem", "_bn0"], ["_conv_head", "_bn1"], |_, _| {
            number += 1;
            (format!("_blocks.{}", number - 1), PORT)
        });
        table.linear("_fc", "output")
    }

    fn table(
        &self,
        stem: [&str; 2],
        head: [&str; 2],
        mut block: impl FnMut([usize; 2], bool) -> (String, BlockNames),
    ) -> NameTable {
        let mut table = NameTable::new().conv_norm(stem, "stem");
        for (stage, blocks) in self.stages().into_iter().enumerate() {
            for (index, config) in blocks.into_iter().enumerate() {
                let expands = config.expansion().is_some();
                let (theirs, names) = block([stage, index], expands);
                let ours = ["expansion", "depthwise", "projection"];
                for (layer, names) in ours.into_iter().zip(names).skip(usize::from(!expands)) {
                    let names = names.map(|name| format!("{theirs}.{name}"));
                    let ours = format!("stages.{stage}.{index}.{layer}");
                    table = table.conv_norm([&names[0], &names[1]], &ours);
                }
            }
        }
        let table = table.conv_norm(head, "head");
        self.padding.turn_kernels(table)
    }
}
