//! Learning rates that differ between the parts of a model.
//!
//! Reference: Howard and Ruder, *Universal language model fine-tuning for text classification*,
//! 2018, <https://arxiv.org/abs/1801.06146>; Sun et al., *How to fine-tune BERT for text
//! classification?*, 2019, <https://arxiv.org/abs/1905.05583>.

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::tensor::Tensor;

use super::config::ConfigError;

/// Factors on the learning rate by part of a model.
#[derive(Default)]
pub(crate) struct ParamGroups(Vec<Part>);

struct Part {
    name: String,
    factor: f64,
    group: ParamGroup,
}

impl ParamGroups {
    /// # Errors
    ///
    /// If a name is no path, or a factor is not positive.
    pub(crate) fn new(parts: &[(String, f64)]) -> Result<Self, ConfigError> {
        parts
            .iter()
            .map(Part::new)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Refuses a part that the model does not have.
    pub(crate) fn check<M: Module>(&self, model: &M) -> Result<(), ConfigError> {
        let mut paths = Paths::default();
        if !self.0.is_empty() {
            model.visit(&mut paths);
        }
        let has = |part: &Part| paths.found.iter().any(|path| part.has(path));
        match self.0.iter().find(|part| !has(part)) {
            None => Ok(()),
            Some(part) => Err(refuse(
                &part.name,
                "the name of a part of the model, as in `layers.0`",
            )),
        }
    }

    /// The rate of each parameter, where `rate` is that of those in no part.
    pub(crate) fn at(&self, rate: f64) -> ModuleLearningRate {
        if self.0.is_empty() {
            return rate.into();
        }
        let base = ModuleLrScheduler::new(rate);
        let add = |rates: ModuleLrScheduler, part: &Part| {
            rates.with_group(part.group.clone(), rate * part.factor)
        };
        self.0.iter().fold(base, add).step()
    }

    /// What a checkpoint must have been made with.
    pub(crate) fn identity(&self) -> String {
        let lines = self.0.iter();
        let lines = lines.map(|part| format!("\nlearning rate of {}: {}", part.name, part.factor));
        lines.collect()
    }
}

impl Part {
    fn new((name, factor): &(String, f64)) -> Result<Self, ConfigError> {
        let refuse = || refuse(name, "names with dots between them, as in `layers.0`");
        let is_name = |part: &str| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if !name.split('.').all(is_name) {
            return Err(refuse());
        }
        if !(*factor > 0.0 && factor.is_finite()) {
            let key = format!("learning rate of {name}");
            return Err(ConfigError::new(key, factor, "a positive, finite factor"));
        }
        // Whole names: `layers.1` is not `layers.10`.
        let pattern = format!(r"(^|\.){}(\.|$)", name.replace('.', r"\."));
        Ok(Self {
            name: name.clone(),
            factor: *factor,
            group: ParamGroup::from_regex(pattern).map_err(|_| refuse())?,
        })
    }

    fn has(&self, path: &str) -> bool {
        self.group.matches(&ParamId::from(0), Some(path))
    }
}

fn refuse(name: &str, expected: &str) -> ConfigError {
    ConfigError::new("part with a learning rate", name, expected)
}

/// The names of all parameters.
#[derive(Default)]
struct Paths {
    path: Vec<String>,
    found: Vec<String>,
}

impl ModuleVisitor for Paths {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn visit_float<const D: usize>(&mut self, _param: &Param<Tensor<D>>) {
        self.found.push(self.path.join("."));
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }
}

/// Factors for [`Trainer::learning_rates`](super::Trainer::learning_rates), with which a network in
/// a field `bert` learns the slower the lower a layer is: each has `decay` times the rate of the one
/// above it, the embeddings that of a layer below the lowest, and the head the full rate.
///
/// ```
/// use tinderbox_train::layer_factors;
///
/// let factors = layer_factors(2, 0.5);
/// let expected = [("bert", 0.125), ("layers.0", 0.25), ("layers.1", 0.5)];
/// assert!(factors.iter().map(|(name, factor)| (name.as_str(), *factor)).eq(expected));
/// ```
pub fn layer_factors(num_layers: usize, decay: f64) -> Vec<(String, f64)> {
    let factor = |below_head: usize| decay.powi(i32::try_from(below_head).unwrap_or(i32::MAX));
    let layer = |index: usize| (format!("layers.{index}"), factor(num_layers - index));
    // Of the parts that a parameter is in the last counts.
    let embeddings = ("bert".to_owned(), factor(num_layers + 1));
    std::iter::once(embeddings)
        .chain((0..num_layers).map(layer))
        .collect()
}

#[cfg(test)]
mod tests {
    use burn::nn::LinearConfig;
    use burn::tensor::Device;
    use tinderbox_models::layers::Activation;
    use tinderbox_models::text::{BertClassifier, BertConfig};

    use super::*;

    fn rate(rates: &ParamGroups, path: &str) -> f64 {
        rates.at(0.1).lr_from_param(ParamId::from(7), Some(path))
    }

    fn rates(parts: &[(&str, f64)]) -> Result<ParamGroups, ConfigError> {
        let parts = parts
            .iter()
            .map(|(name, factor)| ((*name).to_owned(), *factor));
        ParamGroups::new(&parts.collect::<Vec<_>>())
    }

    fn is(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn a_part_is_named_by_whole_names_and_the_last_one_counts() {
        let rates = rates(&[("bert", 0.5), ("layers.1", 0.25)]).unwrap();
        is(rate(&rates, "bert.tokens.weight"), 0.05);
        is(
            rate(&rates, "net.bert.layers.1.attention.query.weight"),
            0.025,
        );
        is(rate(&rates, "bert.layers.10.attention.query.weight"), 0.05);
        is(rate(&rates, "layers.1"), 0.025);
        is(rate(&rates, "layers.11.norm"), 0.1);
        is(rate(&rates, "layersx1.norm"), 0.1);
        is(rate(&rates, "head.weight"), 0.1);
        is(rates.at(0.1).base(), 0.1);
        is(rate(&ParamGroups::default(), "bert.layers.1"), 0.1);
    }

    #[test]
    fn what_is_no_part_is_refused_by_name() {
        for name in ["", ".", "a..b", "a.", "(", "a*", "layers .1"] {
            let message = rates(&[(name, 0.5)]).err().unwrap().to_string();
            assert!(message.ends_with(&format!("(got {name})")), "{message}");
        }
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = rates(&[("bert", factor)]).err().unwrap().to_string();
            assert!(message.contains("`learning rate of bert`"), "{message}");
        }
        let layer = LinearConfig::new(1, 1).init(&Device::flex());
        assert_eq!(rates(&[("bias", 0.5)]).unwrap().check(&layer), Ok(()));
        let message = rates(&[("weight", 0.5), ("wight", 0.5)]).unwrap();
        let message = message.check(&layer).unwrap_err().to_string();
        assert!(message.ends_with("(got wight)"), "{message}");
    }

    #[test]
    fn factors_reach_every_layer_of_a_bert_and_not_its_head() {
        let config = BertConfig::new(9).with_d_model(4).with_n_heads(2);
        let config = config.with_n_layers(11).with_d_hidden(4);
        let bert = config.init(&Device::flex());
        let model = BertClassifier::new(bert, 2, Activation::Tanh, 0.0).unwrap();
        let rates = ParamGroups::new(&layer_factors(model.num_layers(), 0.5)).unwrap();
        rates.check(&model).unwrap();
        let mut paths = Paths::default();
        model.visit(&mut paths);
        for path in &paths.found {
            let mut names = path.split('.').skip_while(|name| *name != "layers").skip(1);
            let below_head = match names.next() {
                Some(index) => 11 - index.parse::<i32>().unwrap(),
                None if path.starts_with("bert.") => 12,
                None => 0,
            };
            is(rate(&rates, path), 0.1 * 0.5_f64.powi(below_head));
        }
    }
}
