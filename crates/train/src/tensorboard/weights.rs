//! What is measured of weights and gradients at a step of the optimizer.

use std::io;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::file::{EventFile, now};
use super::histogram::histogram;
use super::message::{Data, Histogram};
use super::{HISTOGRAMS, TENSORBOARD_DIR, WEIGHTS_DIR};
use crate::gradients::global_norm;
use crate::log::Pace;

/// An event file of the norm of the gradient and, if asked for, histograms of the weights.
#[derive(Debug)]
pub(crate) struct WeightEvents {
    file: EventFile,
    pace: Pace,
    histograms: bool,
    failure: Option<io::Error>,
}

impl WeightEvents {
    /// Continues after a step, if the run has a folder for events.
    pub(crate) fn open(run: &Path, last_step: usize, pace: Pace) -> io::Result<Option<Self>> {
        let dir = run.join(TENSORBOARD_DIR);
        if !dir.is_dir() {
            return Ok(None);
        }
        Ok(Some(Self {
            file: EventFile::resume(&dir.join(WEIGHTS_DIR), last_step)?,
            pace,
            histograms: dir.join(HISTOGRAMS).is_file(),
            failure: None,
        }))
    }

    /// Measures a step, from 1, with gradients before they are clipped.
    pub(crate) fn step<M: Module>(&mut self, model: &M, grads: &GradientsParams, step: usize) {
        let result = self.measure(model, grads, step);
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }

    /// Why something could not be written, once.
    pub(crate) fn failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn measure<M: Module>(
        &mut self,
        model: &M,
        grads: &GradientsParams,
        step: usize,
    ) -> io::Result<()> {
        let is_logged = step.is_multiple_of(self.pace.log_every);
        if is_logged && let Some(norm) = global_norm(model, grads) {
            let data = Data::Scalar(norm as f32);
            self.file.write(now(), step, "gradient_norm", data, None)?;
        }
        let is_last = step.is_multiple_of(self.pace.steps_per_epoch());
        if is_last && self.histograms {
            let mut visitor = Visitor {
                path: Vec::new(),
                found: Vec::new(),
            };
            model.visit(&mut visitor);
            for (path, histogram) in visitor.found {
                let data = Data::Histogram(histogram);
                self.file.write(now(), step, &path, data, None)?;
            }
        }
        if is_logged || is_last {
            self.file.flush()?;
        }
        Ok(())
    }
}

struct Visitor {
    path: Vec<String>,
    found: Vec<(String, Histogram)>,
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = param.val().without_autodiff().try_into_vec_as::<f32>();
        if let Ok(values) = values {
            self.found.push((self.path.join("."), histogram(&values)));
        }
    }
}
