//! Brings the loop's events to burn-train a few milliseconds late, many at a time.
//!
//! burn-train takes one event at a time and wakes a thread for each, which takes a quarter of a
//! small network's step. Here a thread of its own hands them over, and the loop wakes that thread
//! now and then. No event is lost or overtaken.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use burn::train::{
    EventProcessorTraining as _, InferenceStep, Interrupter, LearnerEvent, LearnerModel,
    SupervisedTrainingEventProcessor, TrainStep,
};

/// Longer steps are reported each, as they end.
const LATEST: Duration = Duration::from_millis(10);

/// Most events held; they may hold tensors.
const MOST: usize = 128;

pub(super) enum Event<M: LearnerModel> {
    Train(LearnerEvent<<M as TrainStep>::Output>),
    Valid(LearnerEvent<<M as InferenceStep>::Output>),
}

enum Message<M: LearnerModel> {
    Events(Vec<Event<M>>),
    /// To be answered when all before it is done.
    Flush(Sender<()>),
}

/// burn-train's event processor behind a thread.
pub(super) struct Relay<M: LearnerModel> {
    held: Vec<Event<M>>,
    since: Instant,
    sender: SyncSender<Message<M>>,
    thread: JoinHandle<SupervisedTrainingEventProcessor<M>>,
}

impl<M: LearnerModel> Relay<M> {
    /// Takes the processor over; its failures reach `interrupter`.
    pub(super) fn new(
        processor: SupervisedTrainingEventProcessor<M>,
        interrupter: Interrupter,
    ) -> Self {
        // A loop that is faster than its metrics waits for them.
        let (sender, receiver) = sync_channel(1);
        Self {
            held: Vec::new(),
            since: Instant::now(),
            sender,
            thread: spawn(move || hand_over(processor, &interrupter, &receiver)),
        }
    }

    pub(super) fn send(&mut self, event: Event<M>) {
        self.held.push(event);
        if self.held.len() >= MOST || self.since.elapsed() >= LATEST {
            self.send_held();
        }
    }

    /// Waits until every event so far has been processed.
    pub(super) fn flush(&mut self) {
        self.send_held();
        let (done, wait) = channel();
        // A thread that is gone has panicked, which `end` tells.
        if self.sender.send(Message::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// Gives the processor back when every event has been processed.
    pub(super) fn end(mut self) -> SupervisedTrainingEventProcessor<M> {
        self.send_held();
        drop(self.sender);
        match self.thread.join() {
            Ok(processor) => processor,
            Err(panic) => resume_unwind(panic),
        }
    }

    fn send_held(&mut self) {
        if !self.held.is_empty() {
            let _ = self
                .sender
                .send(Message::Events(std::mem::take(&mut self.held)));
        }
        self.since = Instant::now();
    }
}

fn hand_over<M: LearnerModel>(
    mut processor: SupervisedTrainingEventProcessor<M>,
    interrupter: &Interrupter,
    receiver: &Receiver<Message<M>>,
) -> SupervisedTrainingEventProcessor<M> {
    for message in receiver {
        match message {
            Message::Events(events) => {
                for event in events {
                    let result = match event {
                        Event::Train(event) => processor.process_train(event),
                        Event::Valid(event) => processor.process_valid(event),
                    };
                    interrupter.fail_on_error(result);
                }
            }
            Message::Flush(done) => {
                interrupter.fail_on_error(processor.flush());
                let _ = done.send(());
            }
        }
    }
    processor
}
