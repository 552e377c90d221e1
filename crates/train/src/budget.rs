//! A time budget: the number of epochs that a machine trains in it.

use std::time::Duration;

use crate::ConfigError;

/// Share of the budget that is planned with; the rest is for checkpoints, metrics and slower steps.
const PLANNED: f64 = 0.95;

/// Most passes that are timed.
const MAX_PASSES: f64 = 20.0;

/// Reads a duration such as `90s`, `20m` or `1h30m`; none if it is written in any other way, or is 0.
pub fn parse(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0_u64);
    for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else {
            continue;
        };
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let number: u64 = number.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = after;
    }
    // A year, so that sums of times stay finite.
    let range = 1..=365 * 24 * 3600;
    (rest.is_empty() && range.contains(&seconds)).then(|| Duration::from_secs(seconds))
}

/// Work that begins and then comes in calls that are alike.
pub(crate) trait Pass {
    /// Why it fails.
    type Error;

    /// Begins anew, as far as there is something to wait for.
    fn begin(&mut self) -> Result<(), Self::Error>;

    /// One of its calls; after the last one it begins anew.
    fn call(&mut self) -> Result<(), Self::Error>;
}

/// Mean time of a pass of `calls` calls, in s, by as many as take about `limit_s`, at least the first two of
/// one pass, after `warm_up` ones that are not timed.
pub(crate) fn seconds_per_pass<P: Pass>(
    pass: &mut P,
    calls: usize,
    now: impl Fn() -> f64,
    warm_up: usize,
    limit_s: f64,
) -> Result<f64, P::Error> {
    pass.begin()?;
    for _ in 0..warm_up {
        pass.call()?;
    }
    let started = now();
    pass.call()?;
    let first = (now() - started).max(1e-9);
    let timed = ((limit_s / first) as usize).max(2).min(calls);
    let (started, mut begin_s, mut call_s, mut passes) = (now(), 0.0, 0.0, 0.0);
    while passes == 0.0 || (passes < MAX_PASSES && now() - started < limit_s) {
        let began = now();
        pass.begin()?;
        let ready = now();
        for _ in 0..timed {
            pass.call()?;
        }
        begin_s += ready - began;
        call_s += now() - ready;
        passes += 1.0;
    }
    Ok((begin_s + call_s * calls as f64 / timed as f64) / passes)
}

/// A budget, with the time that an epoch takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan<'a> {
    /// The budget as it is written.
    pub(crate) text: &'a str,
    /// What is left of the part that this training has, in s.
    pub(crate) left_s: f64,
    /// Trainings that share it.
    pub(crate) trainings: usize,
    /// Time of an epoch with its validation, in s.
    pub(crate) epoch_s: f64,
    /// Most epochs.
    pub(crate) most: usize,
}

impl Plan<'_> {
    /// The number of epochs that fit into the budget, from 1.
    ///
    /// # Errors
    ///
    /// If not even one fits.
    pub(crate) fn epochs(&self) -> Result<usize, ConfigError> {
        if self.epoch_s > self.left_s {
            // With what the measurement took.
            let least = (self.epoch_s / PLANNED * self.trainings as f64 * 1.1)
                .ceil()
                .max(1.0);
            let expected = format!(
                "at least {least:.0}s, since one epoch takes about {}",
                seconds(self.epoch_s)
            );
            return Err(ConfigError::new("train.budget", self.text, expected));
        }
        Ok(((PLANNED * self.left_s / self.epoch_s) as usize).clamp(1, self.most))
    }

    /// The number of epochs and why, for the user.
    pub(crate) fn note(&self, epochs: usize) -> String {
        let Self { text, most, .. } = self;
        let each = seconds(self.epoch_s);
        let of = if epochs == *most {
            format!("all {most} epochs")
        } else {
            format!("{epochs} of at most {most} epochs")
        };
        let shared = match self.trainings {
            0 | 1 => String::new(),
            trainings => format!(" for {trainings} trainings"),
        };
        format!("`train.budget` {text}{shared}: training for {of}, about {each} each")
    }
}

fn seconds(value: f64) -> String {
    let digits = if value < 0.1 {
        3
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.digits$} s")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn durations_are_hours_minutes_and_seconds_in_this_order() {
        for (text, seconds) in [
            ("90s", 90),
            ("20m", 1200),
            ("1h30m", 5400),
            ("2h", 7200),
            ("1h0m5s", 3605),
            ("8760h", 31_536_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "20",
            "m",
            "20 m",
            " 20m",
            "1.5h",
            "-1m",
            "+1m",
            "30m1h",
            "1h30",
            "20min",
            "0s",
            "8761h",
            "1m1m",
            "1H",
            "99999999999999999999h",
            "9999999999999999h",
            "١m",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// Advances a clock by 5 where it begins and by the given times, the last of which repeats.
    struct Fake<'a> {
        clock: &'a Cell<f64>,
        times: &'a [f64],
        begun: usize,
        calls: usize,
    }

    impl Pass for Fake<'_> {
        type Error = Infallible;

        fn begin(&mut self) -> Result<(), Infallible> {
            self.begun += 1;
            self.clock.set(self.clock.get() + 5.0);
            Ok(())
        }

        fn call(&mut self) -> Result<(), Infallible> {
            let time = self.times[self.calls.min(self.times.len() - 1)];
            self.calls += 1;
            self.clock.set(self.clock.get() + time);
            Ok(())
        }
    }

    /// The time of a pass of 10 calls, and how often it began and was called.
    fn measured(times: &[f64], warm_up: usize, limit_s: f64) -> (f64, [usize; 2]) {
        let clock = Cell::new(100.0);
        let mut fake = Fake {
            clock: &clock,
            times,
            begun: 0,
            calls: 0,
        };
        let seconds = seconds_per_pass(&mut fake, 10, || clock.get(), warm_up, limit_s);
        (seconds.unwrap_or_default(), [fake.begun, fake.calls])
    }

    #[test]
    fn the_time_of_a_pass_leaves_out_the_warm_up_and_counts_its_begin_once() {
        // Four of its calls fit.
        let (seconds, counts) = measured(&[60.0, 30.0, 9.0, 2.0], 3, 8.0);
        assert!((seconds - 25.0).abs() < 1e-9, "{seconds}");
        assert_eq!(counts, [2, 3 + 1 + 4]);
        // Slow calls are timed twice, whole passes as often as they fit, and instant ones not forever.
        assert_eq!(measured(&[9.0], 0, 1.0), (95.0, [2, 1 + 2]));
        assert_eq!(measured(&[1.0], 0, 40.0), (15.0, [4, 1 + 3 * 10]));
        assert_eq!(measured(&[0.0], 1, 1e9), (5.0, [21, 2 + 20 * 10]));
    }

    #[test]
    fn epochs_fit_into_the_budget_between_1_and_all() {
        let plan = |left_s: f64, epoch_s: f64| Plan {
            text: "20m",
            left_s,
            trainings: 1,
            epoch_s,
            most: 300,
        };
        for (left_s, epoch_s, epochs, words) in [
            (
                1200.0,
                10.0,
                114,
                "training for 114 of at most 300 epochs, about 10.0 s each",
            ),
            (
                1200.0,
                0.05,
                300,
                "training for all 300 epochs, about 0.050 s each",
            ),
            (1200.0, 0.0, 300, "all 300"),
            (
                1200.0,
                1190.0,
                1,
                "1 of at most 300 epochs, about 1190 s each",
            ),
        ] {
            let plan = plan(left_s, epoch_s);
            assert_eq!(plan.epochs(), Ok(epochs), "{plan:?}");
            let note = plan.note(epochs);
            assert!(
                note.starts_with("`train.budget` 20m: ") && note.contains(words),
                "{note}"
            );
        }
        for (left_s, epoch_s) in [(1200.0, 2000.0), (-5.0, 2000.0)] {
            let plan = Plan {
                trainings: 3,
                ..plan(left_s, epoch_s)
            };
            assert_eq!(
                plan.epochs().unwrap_err().to_string(),
                "`train.budget` must be at least 6948s, since one epoch takes about 2000 s (got 20m)"
            );
            assert!(
                plan.note(1)
                    .starts_with("`train.budget` 20m for 3 trainings: ")
            );
        }
    }
}
