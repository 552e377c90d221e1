//! Names of the tensors of torchvision's networks.

use super::resnet::{ResNetConfig, ResidualConfig};
use crate::pretrained::NameTable;

impl ResNetConfig {
    /// torchvision's names of the tensors of a residual network, for
    /// [`SafeTensorsFile::load`](crate::pretrained::SafeTensorsFile::load).
    ///
    /// The published networks are [`resnet18`](Self::resnet18), [`resnet34`](Self::resnet34) and
    /// [`resnet50`](Self::resnet50) with 3 channels and 1000 classes. For other classes,
    /// `.keep("output")` leaves the classifier as it is.
    ///
    /// ```
    /// use tinderbox_models::vision::ResNetConfig;
    ///
    /// let names = ResNetConfig::resnet18(3, 1000).torchvision_names();
    /// assert!(names.iter().any(|pair| {
    ///     pair == ("layer2.0.downsample.0.weight", "stages.1.0.shortcut.conv.weight")
    /// }));
    /// ```
    pub fn torchvision_names(&self) -> NameTable {
        let mut table = NameTable::new()
            .weight("conv1", "stem.conv")
            .batch_norm("bn1", "stem.norm");
        for stage in 0..self.blocks_per_stage.len() {
            for (index, block) in self.stage(stage).enumerate() {
                let theirs = format!("layer{}.{index}", stage + 1);
                let ours = format!("stages.{stage}.{index}");
                table = block_names(table, [&theirs, &ours], block);
            }
        }
        table.linear("fc", "output")
    }
}

fn block_names(
    mut table: NameTable,
    [theirs, ours]: [&str; 2],
    block: ResidualConfig,
) -> NameTable {
    for index in 0..block.convs().len() {
        let number = index + 1;
        table = table
            .weight(
                &format!("{theirs}.conv{number}"),
                &format!("{ours}.convs.{index}.conv"),
            )
            .batch_norm(
                &format!("{theirs}.bn{number}"),
                &format!("{ours}.convs.{index}.norm"),
            );
    }
    if block.shortcut().is_some() {
        table = table
            .weight(
                &format!("{theirs}.downsample.0"),
                &format!("{ours}.shortcut.conv"),
            )
            .batch_norm(
                &format!("{theirs}.downsample.1"),
                &format!("{ours}.shortcut.norm"),
            );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use burn::tensor::{Device, Distribution, Tensor};
    use safetensors::Dtype;

    use super::super::resnet::{BlockKind, ResNet, Stem};
    use super::*;
    use crate::pretrained::SafeTensorsFile;
    use crate::testing::{
        Tensors, insert_f32, map_parameters, normal, parameters, safetensors_bytes, values,
    };

    fn small(block: BlockKind) -> ResNetConfig {
        ResNetConfig::new(3, 5)
            .with_stem(Stem::Large)
            .with_block(block)
            .with_blocks_per_stage(vec![1, 2])
            .with_base_channels(4)
    }

    /// A network in which every parameter and statistic differs from its initial value.
    fn trained(config: &ResNetConfig, device: &Device) -> ResNet {
        map_parameters(config.init(device), |shape| {
            Tensor::<1>::random(
                [shape.iter().product::<usize>()],
                Distribution::Uniform(0.1, 1.0),
                device,
            )
        })
    }

    /// Writes a network as torchvision does.
    fn published(model: &ResNet, config: &ResNetConfig) -> Tensors {
        let ours = parameters(model);
        let mut tensors = Tensors::new();
        for (theirs, path) in config.torchvision_names().iter() {
            let (shape, values) = &ours[path];
            if theirs == "fc.weight" {
                let [d_input, d_output] = [shape[0], shape[1]];
                let transposed: Vec<f32> = (0..d_output)
                    .flat_map(|o| (0..d_input).map(move |i| values[i * d_output + o]))
                    .collect();
                insert_f32(&mut tensors, theirs, &[d_output, d_input], &transposed);
            } else {
                insert_f32(&mut tensors, theirs, shape, values);
            }
            if let Some(norm) = theirs.strip_suffix(".running_var") {
                let count = (Dtype::I64, vec![], vec![1, 0, 0, 0, 0, 0, 0, 0]);
                tensors.insert(format!("{norm}.num_batches_tracked"), count);
            }
        }
        tensors
    }

    #[test]
    fn a_file_with_the_names_of_torchvision_gives_the_outputs_of_its_source() {
        let device = Device::flex();
        for block in [BlockKind::Basic, BlockKind::Bottleneck] {
            let config = small(block);
            let source = trained(&config, &device);
            let file = safetensors_bytes(&published(&source, &config));
            let file = SafeTensorsFile::from_bytes(file).unwrap();
            let names = config.torchvision_names();
            let loaded = file.load(config.init(&device), &names).unwrap();
            let images = normal([2, 3, 32, 32], &device);
            let expected = values(source.forward(images.clone()));
            assert_eq!(values(loaded.forward(images.clone())), expected);
            assert_ne!(values(config.init(&device).forward(images)), expected);
        }
    }

    #[test]
    fn a_new_classifier_keeps_the_backbone() {
        let device = Device::flex();
        let config = small(BlockKind::Basic);
        let source = trained(&config, &device);
        let file = safetensors_bytes(&published(&source, &config));
        let file = SafeTensorsFile::from_bytes(file).unwrap();
        let other = ResNetConfig {
            num_classes: 2,
            ..config
        };
        let names = other.torchvision_names();
        let error = file.load(other.init(&device), &names).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`fc.weight` in `model.safetensors` has shape [5, 8], expected [2, 8]"
        );
        let loaded = file
            .load(other.init(&device), &names.keep("output"))
            .unwrap();
        let images = normal([1, 3, 32, 32], &device);
        assert_eq!(loaded.forward(images.clone()).dims(), [1, 2]);
        let last = |model: &ResNet| values(model.forward_stages(images.clone()).pop().unwrap());
        assert_eq!(last(&loaded), last(&source));
    }

    #[test]
    fn names_are_those_of_the_published_networks() {
        // Of `torchvision.models.resnet18().state_dict()`, without `num_batches_tracked`.
        let config = ResNetConfig::resnet18(3, 1000);
        let table = config.torchvision_names();
        let names: BTreeSet<&str> = table.iter().map(|(theirs, _)| theirs).collect();
        assert_eq!(names.len(), 122 - 20);
        let mut expected: BTreeSet<String> = ["conv1.weight", "fc.weight", "fc.bias"]
            .map(str::to_owned)
            .into();
        let mut norms = vec!["bn1".to_owned()];
        for layer in 1..=4 {
            for block in 0..2 {
                for number in 1..=2 {
                    expected.insert(format!("layer{layer}.{block}.conv{number}.weight"));
                    norms.push(format!("layer{layer}.{block}.bn{number}"));
                }
            }
            if layer > 1 {
                expected.insert(format!("layer{layer}.0.downsample.0.weight"));
                norms.push(format!("layer{layer}.0.downsample.1"));
            }
        }
        for norm in norms {
            for field in ["weight", "bias", "running_mean", "running_var"] {
                expected.insert(format!("{norm}.{field}"));
            }
        }
        assert!(
            names
                .iter()
                .copied()
                .eq(expected.iter().map(String::as_str))
        );
        // The bottleneck of the first stage has a projection, too: it is four times as wide.
        let table = ResNetConfig::resnet50(3, 1000).torchvision_names();
        let names: BTreeSet<&str> = table.iter().map(|(theirs, _)| theirs).collect();
        assert_eq!(names.len(), 320 - 53);
        assert!(names.contains("layer1.0.downsample.0.weight"));
        assert!(names.contains("layer3.5.conv3.weight"));
    }
}
