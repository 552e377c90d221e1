//! Learning rates that fall from the last stage of a network to the first.

use std::collections::BTreeSet;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Factors for [`Trainer::learning_rates`](tinderbox_train::Trainer::learning_rates), with which each stage
/// of a network has `decay` times the rate of the one above it, and its classifier the full rate.
pub(in crate::vision) fn layer_rates<M: Module>(model: &M, decay: f64) -> Vec<(String, f64)> {
    let mut parts = Parts::default();
    model.visit(&mut parts);
    let count = parts.stages.len();
    let factor = |below: usize| decay.powi(i32::try_from(below).unwrap_or(i32::MAX));
    let stages = parts.stages.iter().enumerate();
    let stages = stages.map(|(at, stage)| (format!("stages.{stage}"), factor(count - at)));
    let stem = parts.stem.then(|| ("stem".to_owned(), factor(count + 1)));
    // The layer between the stages and the classifier learns as the last stage does.
    let head = parts.head.then(|| ("head".to_owned(), factor(1)));
    stem.into_iter().chain(stages).chain(head).collect()
}

/// The parts of a network of stages.
#[derive(Default)]
struct Parts {
    path: Vec<String>,
    stages: BTreeSet<usize>,
    stem: bool,
    head: bool,
}

impl ModuleVisitor for Parts {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.stem |= self.path.iter().any(|name| name == "stem");
        self.head |= self.path.iter().any(|name| name == "head");
        let mut names = self
            .path
            .iter()
            .skip_while(|name| *name != "stages")
            .skip(1);
        let stage: Option<usize> = names.next().and_then(|name| name.parse().ok());
        self.stages.extend(stage);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use tinderbox_predict::vision::ImageModelConfig;

    use super::*;

    #[test]
    fn lower_stages_learn_more_slowly_in_every_network_with_stages() {
        for (kind, count, head) in [("efficientnet-lite", 7, true), ("resnet", 3, false)] {
            let config = ImageModelConfig::of_kind(kind).unwrap();
            let net = config.init([32, 32, 3], 2, &Device::flex()).unwrap();
            let rates = layer_rates(&net, 0.5);
            let factor = |name: &str| {
                let found = rates.iter().find(|(own, _)| own == name);
                found.map(|(_, factor)| *factor)
            };
            assert_eq!(factor("stem"), Some(0.5_f64.powi(count + 1)), "{kind}");
            assert_eq!(factor("stages.0"), Some(0.5_f64.powi(count)), "{kind}");
            assert_eq!(
                factor(&format!("stages.{}", count - 1)),
                Some(0.5),
                "{kind}"
            );
            assert_eq!(factor("head"), head.then_some(0.5), "{kind}");
            assert_eq!(factor("output"), None, "{kind}");
        }
    }
}
