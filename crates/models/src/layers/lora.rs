//! Low-rank adapters: fine-tune a large network through a few parameters per layer.
//!
//! Reference: Hu et al., *`LoRA`: low-rank adaptation of large language models*, 2021,
//! <https://arxiv.org/abs/2106.09685>.
//! Differs from it: no dropout before an adapter, because it is added to the weight instead of
//! the output. Layers need no changes for it, and both share one matrix product.
//!
//! | name | meaning | in the paper |
//! |---|---|---|
//! | `a` | down-projection, `[d_input, rank]` | `A`, transposed |
//! | `b` | up-projection, `[rank, d_output]`, zero at first | `B`, transposed |
//! | `alpha` | scale of the product, divided by the rank | `α` |

use burn::config::Config;
use burn::module::{Lora, LoraAdapter, Module, Param, ParamGroup, Reparameterizer};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, check_positive, check_range};

/// The linear layers that get an adapter, serialized in kebab case: `query-value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoraTarget {
    /// The query and value projections of attention, which suffice in the paper (section 7.1).
    QueryValue,
    /// All layers of attention and of the feed-forward networks.
    All,
}

impl LoraTarget {
    fn group(self) -> ParamGroup {
        let names: &[&str] = match self {
            Self::QueryValue => &[".attention.query.", ".attention.value."],
            Self::All => &[".attention.", ".feed_forward."],
        };
        ParamGroup::from_any_predicates(names.iter().map(|&name| name.to_owned()).collect())
    }
}

/// Configuration of low-rank adapters for [`Bert::with_lora`](crate::text::Bert::with_lora).
#[derive(Config, Debug, PartialEq)]
pub struct LoraConfig {
    /// Rank of the adapters.
    #[config(default = 8)]
    pub rank: usize,
    /// Scale of the adapters: their product is multiplied by `alpha / rank`.
    #[config(default = 16.0)]
    pub alpha: f64,
    /// The layers that get an adapter.
    #[config(default = "LoraTarget::QueryValue")]
    pub target: LoraTarget,
}

impl LoraConfig {
    /// Checks every field, for layers with at least `d_model` inputs and outputs.
    ///
    /// # Errors
    ///
    /// Names the first field that is out of range.
    pub fn validate(&self, d_model: usize) -> Result<(), ConfigError> {
        check_range("rank", self.rank, 1..=d_model)?;
        check_positive("alpha", self.alpha)
    }

    /// Attaches adapters to the layers of a network and freezes everything else.
    pub(crate) fn attach<M: Module>(&self, network: M) -> M {
        network.apply_reparameterization(Attach(self.clone()))
    }
}

struct Attach(LoraConfig);

impl Reparameterizer for Attach {
    type Reparam = LoraAdapter;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<LoraAdapter>) {
        let Self(config) = self;
        let d_input = param.lazy_shape()[0];
        let mut lora = Lora::new(config.rank, config.alpha).set_param_group(config.target.group());
        // The variance of the authors' code, independent of the rank.
        lora.init_std = Some((3.0 * d_input as f64).sqrt().recip());
        lora.reparameterize(path, param)
    }
}

/// Merges all adapters into their weights: a plain network with the same outputs. Frozen parameters
/// stay frozen.
pub fn merge_lora<M: Module>(model: M) -> M {
    model.materialize()
}

#[cfg(test)]
mod tests {
    use burn::optim::{AdamWConfig, GradientsParams};
    use burn::tensor::{Device, Int};

    use super::*;
    use crate::layers::Activation;
    use crate::summary::trainable_parameters;
    use crate::testing::{
        assert_close, assert_round_trips, ids, padding, parameters, scale_weights, small_bert,
        values,
    };
    use crate::text::BertClassifier;

    const TARGETS: [LoraTarget; 2] = [LoraTarget::QueryValue, LoraTarget::All];

    fn plain(device: &Device) -> BertClassifier {
        let bert = small_bert().with_dropout(0.0).init(device);
        scale_weights(
            BertClassifier::new(bert, 3, Activation::Tanh, 0.0).unwrap(),
            20.0,
        )
    }

    fn adapted(model: BertClassifier, target: LoraTarget) -> BertClassifier {
        let config = LoraConfig::new().with_rank(2).with_target(target);
        model.map_bert(|bert| bert.with_lora(&config)).unwrap()
    }

    fn logits(model: &BertClassifier, device: &Device) -> Tensor<2> {
        let batch: Tensor<2, Int> = ids([4, 9], 20, device);
        model.forward(batch, None, padding(&[9, 3, 5, 7], 9, device))
    }

    /// One optimizer step with a learning rate that changes every trained parameter.
    fn step(model: BertClassifier, device: &Device) -> BertClassifier {
        let loss = logits(&model, device).powi_scalar(2).mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &model);
        let mut optimizer = AdamWConfig::new().with_weight_decay(0.1).init();
        optimizer.step(0.05, model, gradients)
    }

    #[test]
    fn adapters_change_nothing_at_first() {
        let device = Device::flex();
        for target in TARGETS {
            let model = plain(&device);
            let before = values(logits(&model, &device));
            assert_eq!(values(logits(&adapted(model, target), &device)), before);
        }
    }

    #[test]
    fn adapters_and_the_head_learn_and_nothing_else() {
        let device = Device::flex().autodiff();
        for (target, layers) in [(LoraTarget::QueryValue, 2), (LoraTarget::All, 6)] {
            let model = adapted(plain(&device), target);
            let before = parameters(&model);
            let after = parameters(&step(model, &device));
            let (mut adapters, mut outside) = (0, 0);
            for (name, old) in &before {
                let is_adapter = name.contains(".lora.");
                let is_outside = !name.starts_with("bert.");
                adapters += usize::from(is_adapter);
                outside += usize::from(is_outside);
                assert_eq!(&after[name] != old, is_adapter || is_outside, "{name}");
            }
            // Two per adapted layer in both encoder layers, and both layers of the head.
            assert_eq!((adapters, outside), (2 * 2 * layers, 4));
        }
    }

    #[test]
    fn every_adapter_learns_after_the_first_step() {
        let device = Device::flex().autodiff();
        let model = step(adapted(plain(&device), LoraTarget::All), &device);
        let before = parameters(&model);
        let after = parameters(&step(model, &device));
        for (name, old) in &before {
            if name.contains(".lora.") {
                assert_ne!(&after[name], old, "{name}");
            }
        }
    }

    #[test]
    fn merging_leaves_a_plain_network_with_the_same_outputs() {
        let device = Device::flex().autodiff();
        for target in TARGETS {
            let start = plain(&device);
            let names: Vec<String> = parameters(&start).into_keys().collect();
            let untouched = values(logits(&start, &device));
            let model = step(adapted(start, target), &device).valid();
            let before = values(logits(&model, &Device::flex()));
            assert_ne!(before, untouched);
            let merged = merge_lora(model);
            assert!(parameters(&merged).into_keys().eq(names));
            let after = values(logits(&merged, &Device::flex()));
            let largest = before.iter().fold(0.0_f32, |a, b| a.max(b.abs()));
            for (after, before) in after.iter().zip(&before) {
                assert!((after - before).abs() <= 1e-5 * largest);
            }
        }
    }

    #[test]
    fn an_adapter_is_scaled_by_alpha_over_the_rank() {
        let device = Device::flex();
        let config = LoraConfig::new().with_rank(2).with_alpha(3.0);
        let layer = small_bert().init(&device).with_lora(&config).unwrap();
        let layer = scale_weights(layer, 10.0);
        let weight = &layer.layers[1].attention.value.weight;
        let mut adapter = weight.adapter().unwrap().clone();
        adapter.b = adapter.b.map(|b| b.ones_like());
        let delta = adapter.a.val().sum_dim(1).repeat_dim(1, 8) * 1.5;
        assert_close(adapter.delta(), &values(delta));
    }

    #[test]
    fn an_adapter_has_rank_times_both_widths_parameters() {
        let device = Device::flex();
        for (target, widths) in [
            (LoraTarget::QueryValue, 2 * 16),
            (LoraTarget::All, 4 * 16 + 2 * 20),
        ] {
            let model = plain(&device);
            let before = trainable_parameters(&model);
            let after = trainable_parameters(&adapted(model, target));
            assert_eq!(after - before, 2 * 2 * widths);
        }
    }

    #[test]
    fn invalid_configurations_are_rejected() {
        let base = LoraConfig::new();
        assert_eq!(base.validate(8), Ok(()));
        for invalid in [
            base.clone().with_rank(0),
            base.clone().with_rank(9),
            base.clone().with_rank(usize::MAX),
            base.clone().with_alpha(0.0),
            base.clone().with_alpha(f64::NAN),
            base.clone().with_alpha(f64::INFINITY),
        ] {
            assert!(invalid.validate(8).is_err(), "{invalid}");
            let bert = small_bert().init(&Device::flex());
            assert!(bert.with_lora(&invalid).is_err(), "{invalid}");
        }
        assert_round_trips(&base.with_target(LoraTarget::All));
    }
}
