//! The names of the tensors of YOLOX in its release.

use super::YoloxConfig;
use super::blocks::{Conv3x3, CspLayer};
use crate::pretrained::NameTable;

impl YoloxConfig {
    /// The names of the tensors in the weights of the release
    /// (<https://github.com/Megvii-BaseDetection/YOLOX>, version 0.1.1).
    pub fn release_names(&self) -> NameTable {
        let network = self.init(&burn::tensor::Device::default());
        let names = Names(NameTable::new()).conv("backbone.backbone.stem.conv", "backbone.stem");
        let stages = network.backbone.stages.iter().enumerate();
        let names = stages.fold(names, |names, (at, stage)| {
            let ours = format!("backbone.stages.{at}");
            let theirs = format!("backbone.backbone.dark{}", at + 2);
            let down = (format!("{theirs}.0"), format!("{ours}.down"));
            let names = names.conv3x3(&stage.down, &down.0, &down.1);
            let (names, csp) = match &stage.pyramid {
                Some(_) => {
                    let pyramid = format!("{ours}.pyramid");
                    let names = names
                        .conv(&format!("{theirs}.1.conv1"), &format!("{pyramid}.reduce"))
                        .conv(&format!("{theirs}.1.conv2"), &format!("{pyramid}.join"));
                    (names, 2)
                }
                None => (names, 1),
            };
            names.csp(
                &stage.csp,
                &format!("{theirs}.{csp}"),
                &format!("{ours}.csp"),
            )
        });
        let neck = &network.neck;
        let names = names
            .conv("backbone.lateral_conv0", "neck.lateral.0")
            .conv("backbone.reduce_conv1", "neck.lateral.1")
            .csp(&neck.up[0], "backbone.C3_p4", "neck.up.0")
            .csp(&neck.up[1], "backbone.C3_p3", "neck.up.1")
            .conv3x3(&neck.down[0], "backbone.bu_conv2", "neck.down.0")
            .conv3x3(&neck.down[1], "backbone.bu_conv1", "neck.down.1")
            .csp(&neck.out[0], "backbone.C3_n3", "neck.out.0")
            .csp(&neck.out[1], "backbone.C3_n4", "neck.out.1");
        let levels = network.head.levels.iter().enumerate();
        let names = levels.fold(names, |names, (at, level)| {
            let ours = format!("head.levels.{at}");
            let names = names.conv(&format!("head.stems.{at}"), &format!("{ours}.stem"));
            let branches = [
                ("cls_convs", "class_convs", &level.class_convs),
                ("reg_convs", "box_convs", &level.box_convs),
            ];
            let names = branches
                .into_iter()
                .fold(names, |names, (theirs, own, convs)| {
                    let convs = convs.iter().enumerate();
                    convs.fold(names, |names, (conv_at, conv)| {
                        let theirs = format!("head.{theirs}.{at}.{conv_at}");
                        names.conv3x3(conv, &theirs, &format!("{ours}.{own}.{conv_at}"))
                    })
                });
            let outputs = [
                ("cls_preds", "classes"),
                ("reg_preds", "boxes"),
                ("obj_preds", "objectness"),
            ];
            outputs.into_iter().fold(names, |names, (theirs, own)| {
                names.output(&format!("head.{theirs}.{at}"), &format!("{ours}.{own}"))
            })
        });
        names.0
    }
}

/// A table that grows by whole blocks.
struct Names(NameTable);

impl Names {
    /// A convolution with its normalization.
    fn conv(self, theirs: &str, ours: &str) -> Self {
        let tensors = [format!("{theirs}.conv"), format!("{theirs}.bn")];
        Self(self.0.conv_norm([&tensors[0], &tensors[1]], ours))
    }

    fn conv3x3(self, conv: &Conv3x3, theirs: &str, ours: &str) -> Self {
        let dense = format!("{ours}.conv");
        if conv.depthwise.is_none() {
            return self.conv(theirs, &dense);
        }
        self.conv(&format!("{theirs}.dconv"), &format!("{ours}.depthwise"))
            .conv(&format!("{theirs}.pconv"), &dense)
    }

    fn csp(self, csp: &CspLayer, theirs: &str, ours: &str) -> Self {
        let names = [("conv1", "main"), ("conv2", "bypass"), ("conv3", "join")];
        let names = names.into_iter().fold(self, |names, (conv, own)| {
            names.conv(&format!("{theirs}.{conv}"), &format!("{ours}.{own}"))
        });
        let blocks = csp.blocks.iter().enumerate();
        blocks.fold(names, |names, (at, block)| {
            let (theirs, ours) = (format!("{theirs}.m.{at}"), format!("{ours}.blocks.{at}"));
            names
                .conv(&format!("{theirs}.conv1"), &format!("{ours}.reduce"))
                .conv3x3(
                    &block.expand,
                    &format!("{theirs}.conv2"),
                    &format!("{ours}.expand"),
                )
        })
    }

    /// A convolution with a bias.
    fn output(self, theirs: &str, ours: &str) -> Self {
        let table = self.0.weight(theirs, ours);
        Self(table.same(format!("{theirs}.bias"), format!("{ours}.bias")))
    }
}
