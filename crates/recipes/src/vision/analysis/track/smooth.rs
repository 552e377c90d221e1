//! The One Euro filter: smooth where a point rests, quick where it moves.
//!
//! Reference: Casiez, Roussel and Vogel, *1 € filter: a simple speed-based low-pass filter for noisy input in
//! interactive systems*, CHI 2012, <https://doi.org/10.1145/2207676.2208639>.
//! Differs from it: speeds are in sides of the face a second, so that the size of a face does not matter.

use tinderbox_datasets::image::bounds_of;

/// Cutoff frequency of a point that rests, in Hz.
const MIN_CUTOFF: f32 = 2.0;

/// By how many Hz the cutoff grows with the speed, in sides of the face a second.
const BETA: f32 = 20.0;

/// Cutoff frequency of the speed, in Hz.
const SPEED_CUTOFF: f32 = 1.0;

/// A filter of the points of one face.
#[derive(Clone, Debug)]
pub(super) struct OneEuro {
    /// Time between two frames, in s.
    period: f32,
    state: Option<State>,
}

#[derive(Clone, Debug)]
struct State {
    /// The last points as they came, and smoothed.
    raw: Vec<[f32; 2]>,
    smooth: Vec<[f32; 2]>,
    /// Smoothed speeds, in pixels a second.
    speeds: Vec<[f32; 2]>,
}

impl OneEuro {
    pub(super) fn new(fps: f64) -> Self {
        Self {
            period: (1.0 / fps) as f32,
            state: None,
        }
    }

    /// Forgets the points, as for another face.
    pub(super) fn reset(&mut self) {
        self.state = None;
    }

    /// The smoothed points of the next frame.
    pub(super) fn next(&mut self, points: &[[f32; 2]]) -> Vec<[f32; 2]> {
        let Some(state) = self
            .state
            .as_mut()
            .filter(|state| state.raw.len() == points.len())
        else {
            self.state = Some(State {
                raw: points.to_vec(),
                smooth: points.to_vec(),
                speeds: vec![[0.0; 2]; points.len()],
            });
            return points.to_vec();
        };
        let [left, top, right, bottom] = bounds_of(points);
        let side = (right - left).max(bottom - top).max(1.0);
        let period = self.period;
        let weight = |cutoff: f32| 1.0 / (1.0 + 1.0 / (std::f32::consts::TAU * cutoff * period));
        for (at, point) in points.iter().enumerate() {
            for (axis, &now) in point.iter().enumerate() {
                let speed = (now - state.raw[at][axis]) / period;
                let smoothed = &mut state.speeds[at][axis];
                *smoothed += weight(SPEED_CUTOFF) * (speed - *smoothed);
                let cutoff = MIN_CUTOFF + BETA * smoothed.abs() / side;
                let smooth = &mut state.smooth[at][axis];
                *smooth += weight(cutoff) * (now - *smooth);
            }
        }
        state.raw = points.to_vec();
        state.smooth.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trembling_point_rests_and_a_moving_one_is_followed() {
        let mut filter = OneEuro::new(25.0);
        let corner = [100.0, 100.0];
        let (mut least, mut most) = (f32::MAX, f32::MIN);
        for frame in 0..60 {
            let x = 50.0 + if frame % 2 == 0 { 0.5 } else { -0.5 };
            let x = filter.next(&[[x, 50.0], [0.0, 0.0], corner])[0][0];
            if frame > 20 {
                (least, most) = (least.min(x), most.max(x));
            }
        }
        assert!(most - least < 0.7, "{least} {most}");
        let mut x = 0.0;
        for frame in 1..=50 {
            x = filter.next(&[[50.0 + frame as f32, 50.0], [0.0, 0.0], corner])[0][0];
        }
        assert!((x - 100.0).abs() < 2.0, "{x}");
        filter.reset();
        assert_eq!(filter.next(&[[7.0, 7.0]]), [[7.0, 7.0]]);
        // Another number of points is another face.
        let first = filter.next(&[[9.0, 7.0], [1.0, 1.0]])[0].map(|at| at as usize);
        assert_eq!(first, [9, 7]);
    }
}
