//! The queue of a model: inputs of requests that wait are predicted together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tinderbox_predict::{Inputs, Prediction};
use tokio::sync::oneshot;

use crate::metrics::ModelMetrics;
use crate::model::Served;
use crate::problem::Problem;

/// Predictions, or why there are none.
pub(crate) type Answer = Result<Vec<Prediction>, Problem>;

/// Inputs that wait for their predictions.
struct Job {
    /// The model that decoded them.
    model: Arc<dyn Served>,
    inputs: Inputs,
    reply: oneshot::Sender<Answer>,
}

/// The queue of a model. Its thread ends when the queue is dropped.
pub(crate) struct Batcher {
    sender: SyncSender<Job>,
    metrics: Arc<ModelMetrics>,
}

impl Batcher {
    /// Starts the thread that predicts.
    pub(crate) fn start(
        queue: usize,
        size: usize,
        wait: Duration,
        metrics: Arc<ModelMetrics>,
    ) -> Self {
        let (sender, receiver) = sync_channel(queue);
        let worker = Worker {
            receiver,
            size,
            wait,
            metrics: Arc::clone(&metrics),
        };
        thread::spawn(move || worker.run());
        Self { sender, metrics }
    }

    /// Adds inputs to the queue.
    pub(crate) fn submit(
        &self,
        model: Arc<dyn Served>,
        inputs: Inputs,
    ) -> Result<oneshot::Receiver<Answer>, Problem> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            model,
            inputs,
            reply,
        };
        match self.sender.try_send(job) {
            Ok(()) => {
                self.metrics.queue.increment(1.0);
                Ok(answer)
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Problem::busy()),
        }
    }
}

struct Worker {
    receiver: Receiver<Job>,
    size: usize,
    wait: Duration,
    metrics: Arc<ModelMetrics>,
}

impl Worker {
    fn run(self) {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| self.receiver.recv().ok()) {
            let (jobs, more) = self.gather(first);
            next = more;
            self.metrics.queue.decrement(jobs.len() as f64);
            // Nobody waits for these any more.
            let jobs: Vec<Job> = jobs
                .into_iter()
                .filter(|job| !job.reply.is_closed())
                .collect();
            if !jobs.is_empty() {
                self.predict(jobs);
            }
        }
    }

    /// The jobs of a batch, and one that does not fit it.
    fn gather(&self, first: Job) -> (Vec<Job>, Option<Job>) {
        let until = Instant::now() + self.wait;
        let mut inputs = first.inputs.len();
        let mut jobs = vec![first];
        while inputs < self.size {
            let left = until.saturating_duration_since(Instant::now());
            let job = match self.receiver.recv_timeout(left) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            };
            // After a reload, waiting inputs were decoded by the model before it.
            let fits =
                Arc::ptr_eq(&job.model, &jobs[0].model) && inputs + job.inputs.len() <= self.size;
            if !fits {
                return (jobs, Some(job));
            }
            inputs += job.inputs.len();
            jobs.push(job);
        }
        (jobs, None)
    }

    fn predict(&self, jobs: Vec<Job>) {
        let model = Arc::clone(&jobs[0].model);
        let (mut all, mut replies) = (None::<Inputs>, Vec::new());
        for job in jobs {
            let count = job.inputs.len();
            let added = if let Some(all) = &mut all {
                all.append(job.inputs)
            } else {
                all = Some(job.inputs);
                Ok(())
            };
            match added {
                Ok(()) => replies.push((job.reply, count)),
                Err(error) => drop(job.reply.send(Err(error.into()))),
            }
        }
        let Some(all) = all else { return };
        self.metrics.batch_size.record(all.len() as f64);
        let answer = catch_unwind(AssertUnwindSafe(|| model.answer(&all)));
        let answer = match answer {
            Ok(answer) => answer.map_err(Problem::from),
            Err(_) => Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the model failed on these inputs; the log of the server says why",
            )),
        };
        match answer {
            Ok(predictions) => {
                self.metrics.predictions.increment(predictions.len() as u64);
                let mut rest = predictions.into_iter();
                for (reply, count) in replies {
                    // The client may have gone.
                    let _ = reply.send(Ok(rest.by_ref().take(count).collect()));
                }
            }
            Err(problem) => {
                for (reply, _) in replies {
                    let _ = reply.send(Err(problem.clone()));
                }
            }
        }
    }
}
