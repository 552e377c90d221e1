//! Learning rates over a run: a pure function of the step, times what a plateau has taken off.

use serde::{Deserialize, Serialize};

use super::config::{ConfigError, check_range};

/// How the learning rate moves, as a factor on the optimizer's `learning_rate`.
///
/// Warm-up counts as a share of all steps, so that a recipe keeps its shape when its number of
/// epochs changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// The same rate at every step.
    Constant {},
    /// Linear warm-up from 0, then a linear decay to `floor`.
    Linear {
        /// Share of the steps spent warming up, in `[0, 1)`.
        warmup: f64,
        /// Last factor, in `[0, 1]`.
        floor: f64,
    },
    /// Linear warm-up from 0, then half a cosine down to `floor` (Loshchilov and Hutter, *SGDR*,
    /// 2017, <https://arxiv.org/abs/1608.03983>, without restarts).
    Cosine {
        /// Share of the steps spent warming up, in `[0, 1)`.
        warmup: f64,
        /// Last factor, in `[0, 1]`.
        floor: f64,
    },
    /// Up from `start` to 1 and down to `floor`, both as half a cosine (Smith and Topin,
    /// *Super-Convergence*, 2018, <https://arxiv.org/abs/1708.07120>).
    OneCycle {
        /// Share of the steps on the way up, in `(0, 1)`.
        rise: f64,
        /// First factor, in `[0, 1]`.
        start: f64,
        /// Last factor, in `[0, 1]`.
        floor: f64,
    },
    /// Times `factor` each time the monitored metric has not improved for `patience` epochs.
    Plateau {
        /// What the rate is multiplied with, in `(0, 1)`.
        factor: f64,
        /// Epochs without improvement before it is.
        patience: usize,
        /// Share of the steps spent warming up, in `[0, 1)`.
        warmup: f64,
    },
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant {}
    }
}

impl Schedule {
    /// One of each kind, as a recipe that only names the kind gets it.
    pub fn of_kind(kind: &str) -> Option<Self> {
        Some(match kind {
            "constant" => Self::Constant {},
            "linear" => Self::Linear {
                warmup: 0.0,
                floor: 0.0,
            },
            "cosine" => Self::Cosine {
                warmup: 0.05,
                floor: 0.0,
            },
            "one-cycle" => Self::OneCycle {
                rise: 0.3,
                start: 0.04,
                floor: 0.0,
            },
            "plateau" => Self::Plateau {
                factor: 0.5,
                patience: 2,
                warmup: 0.0,
            },
            _ => return None,
        })
    }

    /// The factor for step number `step` (from 0) of `total`.
    pub fn factor(&self, step: usize, total: usize) -> f64 {
        let total = total.max(1) as f64;
        let done = step as f64;
        match *self {
            Self::Constant {} => 1.0,
            Self::Linear { warmup, floor } => {
                let ramp = (warmup * total).round();
                if done < ramp {
                    (done + 1.0) / ramp
                } else {
                    let progress = (done - ramp) / (total - ramp).max(1.0);
                    1.0 - (1.0 - floor) * progress.min(1.0)
                }
            }
            Self::Cosine { warmup, floor } => {
                let ramp = (warmup * total).round();
                if done < ramp {
                    (done + 1.0) / ramp
                } else {
                    cosine(1.0, floor, (done - ramp) / (total - ramp).max(1.0))
                }
            }
            Self::OneCycle { rise, start, floor } => {
                let top = (rise * total).round().max(1.0);
                if done < top {
                    cosine(start, 1.0, done / top)
                } else {
                    cosine(1.0, floor, (done - top) / (total - top).max(1.0))
                }
            }
            Self::Plateau { warmup, .. } => {
                let ramp = (warmup * total).round();
                if done < ramp {
                    (done + 1.0) / ramp
                } else {
                    1.0
                }
            }
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    ///
    /// Names the first key that is out of range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let share = |name, value| check_range(name, value, 0.0..1.0);
        let unit = |name, value| check_range(name, value, 0.0..=1.0);
        match *self {
            Self::Constant {} => Ok(()),
            Self::Linear { warmup, floor } | Self::Cosine { warmup, floor } => {
                share("schedule.warmup", warmup)?;
                unit("schedule.floor", floor)
            }
            Self::OneCycle { rise, start, floor } => {
                share("schedule.rise", rise)?;
                unit("schedule.start", start)?;
                unit("schedule.floor", floor)
            }
            Self::Plateau {
                factor,
                patience,
                warmup,
            } => {
                if !(factor > 0.0 && factor < 1.0) {
                    return Err(ConfigError::new(
                        "schedule.factor",
                        factor,
                        "between 0 and 1",
                    ));
                }
                if patience == 0 {
                    return Err(ConfigError::new(
                        "schedule.patience",
                        patience,
                        "at least 1",
                    ));
                }
                share("schedule.warmup", warmup)
            }
        }
    }
}

/// Half a cosine from `from` (at 0) to `to` (at 1).
fn cosine(from: f64, to: f64, at: f64) -> f64 {
    to + (from - to) * 0.5 * (1.0 + (std::f64::consts::PI * at.min(1.0)).cos())
}

/// What a [`Schedule::Plateau`] has seen so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlateauState {
    scale: f64,
    waited: usize,
}

impl Default for PlateauState {
    fn default() -> Self {
        Self {
            scale: 1.0,
            waited: 0,
        }
    }
}

impl PlateauState {
    pub(crate) fn scale(&self) -> f64 {
        self.scale
    }

    pub(crate) fn end_epoch(&mut self, schedule: &Schedule, improved: bool) {
        let Schedule::Plateau {
            factor, patience, ..
        } = *schedule
        else {
            return;
        };
        self.waited = if improved { 0 } else { self.waited + 1 };
        if self.waited >= patience {
            self.scale *= factor;
            self.waited = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn cosine_warms_up_to_one_and_ends_at_the_floor() {
        let schedule = Schedule::Cosine {
            warmup: 0.1,
            floor: 0.01,
        };
        assert!(close(schedule.factor(0, 100), 0.1));
        assert!(close(schedule.factor(9, 100), 1.0));
        assert!(close(schedule.factor(10, 100), 1.0));
        assert!(close(schedule.factor(55, 100), 0.505));
        assert!(close(schedule.factor(100, 100), 0.01));
        assert!(
            close(schedule.factor(500, 100), 0.01),
            "it does not rise again"
        );
    }

    #[test]
    fn one_cycle_peaks_where_it_says() {
        let schedule = Schedule::OneCycle {
            rise: 0.25,
            start: 0.04,
            floor: 0.0,
        };
        assert!(close(schedule.factor(0, 100), 0.04));
        assert!(close(schedule.factor(25, 100), 1.0));
        assert!(close(schedule.factor(100, 100), 0.0));
    }

    #[test]
    fn a_plateau_lowers_the_rate_after_its_patience() {
        let schedule = Schedule::Plateau {
            factor: 0.5,
            patience: 2,
            warmup: 0.0,
        };
        let mut state = PlateauState::default();
        for (improved, scale) in [
            (true, 1.0),
            (false, 1.0),
            (false, 0.5),
            (false, 0.5),
            (false, 0.25),
            (true, 0.25),
        ] {
            state.end_epoch(&schedule, improved);
            assert!(close(state.scale(), scale));
        }
    }

    #[test]
    fn one_step_and_no_steps_do_not_divide_by_zero() {
        for kind in ["constant", "cosine", "one-cycle", "plateau"] {
            let schedule = Schedule::of_kind(kind).unwrap();
            assert!(schedule.validate().is_ok());
            for total in [0, 1, 2] {
                assert!(schedule.factor(0, total).is_finite());
            }
        }
    }
}
