//! The models of a server, which can be replaced while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tinderbox_predict::{Inputs, error_chain};
use tokio::sync::oneshot;

use crate::batcher::{Answer, Batcher};
use crate::limits::Limits;
use crate::metrics::{Metrics, ModelMetrics};
use crate::model::{AnswerForm, Loaded};
use crate::problem::Problem;
use crate::server::predict_once;

/// Reads a model, at the start and whenever the server is told to reload.
pub type LoadModel = Arc<dyn Fn() -> Result<Loaded, String> + Send + Sync>;

/// A model of a server.
#[derive(Clone)]
pub struct ModelSource {
    /// Its name in paths.
    pub name: String,
    /// Reads it.
    pub load: LoadModel,
}

/// A model with its queue.
pub(crate) struct Entry {
    name: String,
    load: LoadModel,
    current: RwLock<Loaded>,
    batcher: Batcher,
    metrics: Arc<ModelMetrics>,
}

/// The models by their names.
pub(crate) struct Registry {
    entries: BTreeMap<String, Arc<Entry>>,
    /// The model of paths without a name: the first.
    default: Arc<Entry>,
}

impl Registry {
    /// Loads all models.
    pub(crate) fn load(
        sources: Vec<ModelSource>,
        limits: &Limits,
        metrics: &Metrics,
    ) -> Result<Self, String> {
        let mut entries = BTreeMap::new();
        let mut default = None;
        for ModelSource { name, load } in sources {
            let loaded = load()?;
            metrics.set_model(&name, &loaded.info, 1.0);
            let own = Arc::new(metrics.of_model(&name));
            let entry = Arc::new(Entry {
                batcher: Batcher::start(limits.queue, limits.batch, limits.wait, Arc::clone(&own)),
                name: name.clone(),
                load,
                current: RwLock::new(loaded),
                metrics: own,
            });
            default.get_or_insert_with(|| Arc::clone(&entry));
            if entries.insert(name.clone(), entry).is_some() {
                return Err(format!(
                    "two models are named `{name}`; name them with `--run NAME=DIR`"
                ));
            }
        }
        let default = default.ok_or("there is no model to serve")?;
        Ok(Self { entries, default })
    }

    /// The model called `name`, or the first without a name.
    pub(crate) fn get(&self, name: Option<&str>) -> Result<Arc<Entry>, Problem> {
        let Some(name) = name else {
            return Ok(Arc::clone(&self.default));
        };
        let found = self.entries.get(name).cloned();
        found.ok_or_else(|| Problem::no_model(name, &self.names()))
    }

    /// The models that generate text, in the order of [`entries`](Self::entries).
    pub(crate) fn generators(&self) -> Vec<&Arc<Entry>> {
        let all = self.entries();
        all.filter(|entry| entry.loaded().info.answer == AnswerForm::Text)
            .collect()
    }

    /// The model called `name`, or without a name the one that generates text.
    #[cfg(feature = "text")]
    pub(crate) fn generator(&self, name: Option<&str>) -> Result<Arc<Entry>, Problem> {
        match (name, self.generators().as_slice()) {
            (None, [only]) => Ok(Arc::clone(only)),
            (None, several @ [_, _, ..]) => {
                let names = several.iter().map(|entry| format!("`{}`", entry.name));
                let names = names.collect::<Vec<_>>().join(", ");
                Err(Problem::input(format!(
                    "several models generate text; send the name of one as `model`: {names}"
                )))
            }
            _ => self.get(name),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.entries.keys().cloned().collect()
    }

    /// The models, the default one first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        let others = self.entries.values();
        let others = others.filter(|entry| !Arc::ptr_eq(entry, &self.default));
        std::iter::once(&self.default).chain(others)
    }

    /// Reads all models again. One that cannot be read stays as it is.
    pub(crate) fn reload(&self, metrics: &Metrics) -> Vec<(String, Result<(), String>)> {
        let reload = |entry: &Arc<Entry>| (entry.name.clone(), entry.reload(metrics));
        self.entries().map(reload).collect()
    }
}

impl Entry {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The model as it is now.
    pub(crate) fn loaded(&self) -> Loaded {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Adds inputs that `loaded` has decoded to the queue.
    pub(crate) fn submit(
        &self,
        loaded: &Loaded,
        inputs: Inputs,
    ) -> Result<oneshot::Receiver<Answer>, Problem> {
        if !inputs.notes().is_empty() {
            self.metrics.notes.increment(1);
        }
        self.batcher.submit(Arc::clone(&loaded.model), inputs)
    }

    fn reload(&self, metrics: &Metrics) -> Result<(), String> {
        let loaded = (self.load)()?;
        predict_once(&loaded).map_err(|error| error_chain(&error))?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        metrics.set_model(&self.name, &current.info, 0.0);
        metrics.set_model(&self.name, &loaded.info, 1.0);
        *current = loaded;
        Ok(())
    }
}
