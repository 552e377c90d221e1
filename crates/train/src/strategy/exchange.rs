//! What the ranks of a training exchange at each step: gradients, and the statistics of batches.
//!
//! Both go through one flat buffer on the host, which is summed in rank order. Burn's backward pass gives
//! all gradients at once, so there is nothing to send before its end.

use std::time::Instant;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor, TensorData};
use burn::train::LearnerModel;

use super::error::TrainError;
use super::step::GradientSum;
use crate::ranks::Ranks;

/// The buffers of a training on several ranks.
///
/// A buffer begins with the change of the running statistics of normalization layers, unless these see the items of
/// all ranks anyway, then comes the gradient of every parameter that is trained, then for each of these whether it has a gradient. It is
/// laid out alike on all ranks: a parameter without a gradient here may have one elsewhere.
pub(super) struct Exchange {
    /// The running statistics before the step, which are the same on all ranks; empty if they stay so by themselves.
    statistics: Vec<f32>,
    /// Memory of the buffer of the step before.
    buffer: Vec<f32>,
}

/// The part of a rank in a step, on the host.
pub(super) struct Packed {
    values: Vec<f32>,
    batches: usize,
}

impl Exchange {
    /// `synchronized` says whether batch normalization normalizes with the items of all ranks.
    pub(super) fn new<M: LearnerModel>(model: &M, synchronized: bool) -> Result<Self, TrainError> {
        let statistics = if synchronized {
            Vec::new()
        } else {
            statistics(model)?
        };
        Ok(Self {
            statistics,
            buffer: Vec::new(),
        })
    }

    /// Copies the part of this rank to the host, weighted by the share of the items that it is of.
    pub(super) fn pack<M: LearnerModel>(
        &mut self,
        model: &M,
        sum: &GradientSum,
        share: f64,
    ) -> Result<Packed, TrainError> {
        let mut values = std::mem::take(&mut self.buffer);
        values.clear();
        if !self.statistics.is_empty() {
            let new = statistics(model)?;
            let changes = new.iter().zip(&self.statistics);
            values.extend(changes.map(|(new, old)| (new - old) * share as f32));
        }
        let weight = sum.weight as f32;
        let values = pack_gradients(model, &sum.grads, weight, values).map_err(unreadable)?;
        Ok(Packed {
            values,
            batches: sum.batches,
        })
    }

    /// Adds the parts of all ranks. The statistics of the model become their mean over the ranks.
    pub(super) fn add<M: LearnerModel>(
        &mut self,
        ranks: &Ranks,
        model: M,
        mut packed: Packed,
    ) -> Result<(M, GradientSum), TrainError> {
        ranks.sum(&mut packed.values)?;
        let (changes, gradients) = packed.values.split_at(self.statistics.len());
        for (old, change) in self.statistics.iter_mut().zip(changes) {
            *old += change;
        }
        let model = if self.statistics.is_empty() {
            model
        } else {
            model.map(&mut SetStatistics {
                values: &self.statistics,
                in_statistic: false,
            })
        };
        let sum = GradientSum {
            grads: unpack_gradients(&model, gradients),
            batches: packed.batches,
            weight: 1.0,
        };
        self.buffer = packed.values;
        Ok((model, sum))
    }
}

/// Adds the gradients of all ranks, each multiplied by its `share`, and the numbers in `also` as they are.
///
/// Nothing changes on a single rank. A rank that cannot read its gradients takes part, so that none waits
/// for it.
///
/// # Errors
///
/// If a rank cannot read its gradients, or is gone.
pub fn sum_gradients<M: Module>(
    ranks: &Ranks,
    model: &M,
    grads: GradientsParams,
    share: f64,
    also: &mut [f32],
) -> Result<GradientsParams, TrainError> {
    if ranks.is_alone() {
        return Ok(grads);
    }
    let packed = pack_gradients(model, &grads, share as f32, also.to_vec());
    let (mut values, error) = match packed {
        Ok(values) => (values, None),
        Err(error) => {
            let zeros = pack_gradients(model, &GradientsParams::new(), 0.0, also.to_vec());
            let mut values = zeros.map_err(unreadable)?;
            // It says whether the last parameter has a gradient, so it is a number otherwise.
            if let Some(last) = values.last_mut() {
                *last = f32::NAN;
            }
            (values, Some(error))
        }
    };
    ranks.sum(&mut values)?;
    if let Some(error) = error {
        return Err(unreadable(error));
    }
    if values.last().is_some_and(|value| value.is_nan()) {
        return Err(unreadable("another rank failed".to_owned()));
    }
    let (sums, gradients) = values.split_at(also.len());
    also.copy_from_slice(sums);
    Ok(unpack_gradients(model, gradients))
}

/// Appends the gradient of every parameter that is trained, and then for each whether it has one.
fn pack_gradients<M: Module>(
    model: &M,
    grads: &GradientsParams,
    weight: f32,
    values: Vec<f32>,
) -> Result<Vec<f32>, String> {
    let mut pack = Pack {
        grads,
        weight,
        values,
        present: Vec::new(),
        error: None,
    };
    model.visit(&mut pack);
    let mut values = pack.values;
    values.append(&mut pack.present);
    pack.error.map_or(Ok(values), Err)
}

/// The gradients in such values.
fn unpack_gradients<M: Module>(model: &M, values: &[f32]) -> GradientsParams {
    let mut elements = Elements(0);
    model.visit(&mut elements);
    let (values, present) = values.split_at(elements.0);
    let mut unpack = Unpack {
        values,
        present,
        grads: GradientsParams::new(),
    };
    model.visit(&mut unpack);
    unpack.grads
}

/// The time of an exchange, in s, for a time budget; all ranks measure it together.
pub(crate) fn exchange_seconds<M: LearnerModel>(
    ranks: &Ranks,
    model: &M,
) -> Result<f64, TrainError> {
    let mut elements = Elements(0);
    model.visit(&mut elements);
    let mut values = vec![0.0; elements.0];
    // The first one also connects the ranks.
    ranks.all_well(Ok(()))?;
    ranks.sum(&mut values)?;
    let started = Instant::now();
    for _ in 0..MEASURED {
        ranks.sum(&mut values)?;
    }
    Ok(started.elapsed().as_secs_f64() / f64::from(MEASURED))
}

/// Exchanges that are timed.
const MEASURED: u32 = 5;

/// The running statistics of normalization layers, with those of the latest batch.
fn statistics<M: LearnerModel>(model: &M) -> Result<Vec<f32>, TrainError> {
    let mut statistics = Statistics::default();
    // `valid` takes in the latest batch.
    model.valid().visit(&mut statistics);
    statistics
        .error
        .map_or(Ok(statistics.values), |error| Err(unreadable(error)))
}

/// Whether a model has layers with running statistics.
pub(crate) fn has_batch_norm<M: LearnerModel>(model: &M) -> Result<bool, TrainError> {
    Ok(!statistics(model)?.is_empty())
}

fn unreadable(message: String) -> TrainError {
    TrainError::Exchange(message)
}

fn scale(values: &mut [f32], weight: f32) {
    for value in values {
        *value *= weight;
    }
}

/// Appends the values of a tensor.
fn read<const D: usize>(tensor: Tensor<D>, values: &mut Vec<f32>) -> Result<(), String> {
    let data = tensor.try_into_data().map_err(|error| error.to_string())?;
    // Other precisions are converted.
    let data = if data.dtype() == DType::F32 {
        data
    } else {
        data.convert::<f32>()
    };
    let own = data.as_slice::<f32>();
    values.extend_from_slice(own.map_err(|error| format!("{error:?}"))?);
    Ok(())
}

/// A tensor like another one, with the first of `values`, which are taken.
fn write<const D: usize>(values: &mut &[f32], like: &Tensor<D>) -> Tensor<D> {
    let shape = like.shape();
    let own;
    (own, *values) = values.split_at(shape.num_elements());
    let data = TensorData::new(own.to_vec(), shape);
    Tensor::from_data(data, (&like.device(), like.dtype()))
}

fn is_statistic(name: &str, container: &str) -> bool {
    container == "Struct:BatchNorm" && name.starts_with("running_")
}

fn is_trained<const D: usize>(param: &Param<Tensor<D>>) -> bool {
    let weights = param.val();
    weights.is_autodiff() && weights.is_require_grad()
}

#[derive(Default)]
struct Statistics {
    values: Vec<f32>,
    in_statistic: bool,
    error: Option<String>,
}

impl ModuleVisitor for Statistics {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.in_statistic = is_statistic(name, container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.in_statistic
            && let Err(error) = read(param.val(), &mut self.values)
        {
            self.error = Some(error);
        }
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.in_statistic = false;
    }
}

struct SetStatistics<'a> {
    values: &'a [f32],
    in_statistic: bool,
}

impl ModuleMapper for SetStatistics<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.in_statistic = is_statistic(name, container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.in_statistic {
            return param;
        }
        param.map(|tensor| write(&mut self.values, &tensor))
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.in_statistic = false;
    }
}

struct Pack<'a> {
    grads: &'a GradientsParams,
    weight: f32,
    values: Vec<f32>,
    present: Vec<f32>,
    error: Option<String>,
}

impl ModuleVisitor for Pack<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !is_trained(param) {
            return;
        }
        if let Some(grad) = self.grads.get::<D>(param.id) {
            self.present.push(1.0);
            let start = self.values.len();
            if let Err(error) = read(grad, &mut self.values) {
                self.error = Some(error);
            }
            scale(&mut self.values[start..], self.weight);
        } else {
            self.present.push(0.0);
            let zeros = param.val().shape().num_elements();
            self.values.resize(self.values.len() + zeros, 0.0);
        }
    }
}

/// Counts what is trained.
struct Elements(usize);

impl ModuleVisitor for Elements {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if is_trained(param) {
            self.0 += param.val().shape().num_elements();
        }
    }
}

struct Unpack<'a> {
    values: &'a [f32],
    present: &'a [f32],
    grads: GradientsParams,
}

impl ModuleVisitor for Unpack<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !is_trained(param) {
            return;
        }
        let weights = param.val().inner();
        let grad = write(&mut self.values, &weights);
        let is_present;
        (is_present, self.present) = self.present.split_at(1);
        if is_present[0] > 0.0 {
            self.grads.register(param.id, grad);
        }
    }
}
