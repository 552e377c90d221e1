//! burn-train's side of the loop: who hears of its events, and who stops it.

use std::sync::Arc;

use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::{
    InferenceStep, Interrupter, LearnerEvent, LearnerModel, SupervisedTrainingEventProcessor,
    TrainStep, TrainingComponents, TrainingItem, ValidLoader,
};

use super::error::TrainError;
use crate::event_queue::{Event, Relay};

/// Whether to stop after an epoch.
type EarlyStopping = Box<dyn FnMut(usize, &EventStoreClient) -> bool>;

pub(super) struct Events<M: LearnerModel> {
    relay: Relay<M>,
    interrupter: Interrupter,
    early_stopping: Option<EarlyStopping>,
    store: Arc<EventStoreClient>,
    valid: ValidLoader<M>,
}

impl<M: LearnerModel> Events<M> {
    pub(super) fn new(components: TrainingComponents<M>, valid: ValidLoader<M>) -> Self {
        Self {
            relay: Relay::new(components.event_processor, components.interrupter.clone()),
            interrupter: components.interrupter,
            early_stopping: components.early_stopping.map(|mut strategy| {
                let should_stop = move |epoch, store: &_| strategy.should_stop(epoch, store);
                Box::new(should_stop) as EarlyStopping
            }),
            store: components.event_store,
            valid,
        }
    }

    pub(super) fn train(&mut self, event: LearnerEvent<<M as TrainStep>::Output>) {
        self.relay.send(Event::Train(event));
    }

    pub(super) fn train_item(&mut self, item: TrainingItem<<M as TrainStep>::Output>) {
        self.train(LearnerEvent::ProcessedItem(item));
    }

    pub(super) fn valid(&mut self, event: LearnerEvent<<M as InferenceStep>::Output>) {
        self.relay.send(Event::Valid(event));
    }

    /// Waits until every event so far has reached the metrics file.
    pub(super) fn flush(&mut self) {
        self.relay.flush();
        // The store has a queue of its own, which answers in order: any question empties it.
        let _ = self
            .store
            .find_metric("", 0, Aggregate::Mean, &Split::Train);
    }

    pub(super) fn valid_loader(&self) -> ValidLoader<M> {
        Arc::clone(&self.valid)
    }

    /// Whether the early stopping that a caller added to burn-train's builder ends training.
    pub(super) fn should_stop(&mut self, epoch: usize) -> bool {
        self.early_stopping
            .as_mut()
            .is_some_and(|should_stop| should_stop(epoch, &self.store))
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interrupter.should_stop()
    }

    /// The error that burn-train stopped with.
    pub(super) fn error(&self) -> Option<TrainError> {
        self.interrupter.error().map(TrainError::Burn)
    }

    pub(super) fn end(self) -> SupervisedTrainingEventProcessor<M> {
        self.relay.end()
    }
}
