//! L-BFGS: minimises a smooth function of many parameters from its gradient.
//!
//! Reference: Nocedal, *Updating quasi-Newton matrices with limited storage*, 1980,
//! <https://doi.org/10.1090/S0025-5718-1980-0572855-7>. The step is found by the weak Wolfe
//! bisection of Lewis and Overton, *Nonsmooth optimization via quasi-Newton methods*, 2013,
//! <https://doi.org/10.1007/s10107-012-0514-2>: a dozen lines that cannot fail on a convex function.

use std::collections::VecDeque;

/// Pairs of steps and gradient changes that are remembered.
const MEMORY: usize = 10;

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stop {
    /// Largest number of steps.
    pub(crate) iterations: usize,
    /// No entry of the gradient is larger than this.
    pub(crate) gradient: f64,
}

/// A step `s`, the change `y` of the gradient over it, and `1 / (s y)`.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    scale: f64,
}

/// A place, with the function's value and gradient there.
struct Point {
    at: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// Minimises `function`, which writes its gradient (given as zeros) and gives its value.
pub(crate) fn minimize(
    start: Vec<f64>,
    stop: Stop,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut evaluate = |at: Vec<f64>| {
        let mut gradient = vec![0.0; at.len()];
        let value = function(&at, &mut gradient);
        Point {
            at,
            value,
            gradient,
        }
    };
    let mut point = evaluate(start);
    let mut pairs = VecDeque::new();
    for _ in 0..stop.iterations {
        if point.gradient.iter().all(|g| g.abs() <= stop.gradient) {
            break;
        }
        let direction = direction(&point.gradient, &pairs);
        let Some(next) = search(&point, &direction, &mut evaluate) else {
            // No step is better: the rest is rounding.
            break;
        };
        remember(&mut pairs, &point, &next);
        point = next;
    }
    point.at
}

fn remember(pairs: &mut VecDeque<Pair>, point: &Point, next: &Point) {
    let step = difference(&next.at, &point.at);
    let change = difference(&next.gradient, &point.gradient);
    let curvature = dot(&step, &change);
    if curvature > f64::EPSILON * dot(&change, &change) {
        if pairs.len() == MEMORY {
            pairs.pop_front();
        }
        pairs.push_back(Pair {
            step,
            change,
            scale: 1.0 / curvature,
        });
    }
}

/// Minus the gradient, times the inverse Hessian that the pairs stand for.
fn direction(gradient: &[f64], pairs: &VecDeque<Pair>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let weight = pair.scale * dot(&pair.step, &direction);
        add(&mut direction, -weight, &pair.change);
        weights.push(weight);
    }
    // Without a pair, the first step has length 1 at most.
    let scale = pairs.back().map_or_else(
        || 1.0 / dot(gradient, gradient).sqrt().max(1.0),
        |last| 1.0 / (last.scale * dot(&last.change, &last.change)),
    );
    for d in &mut direction {
        *d *= scale;
    }
    for (pair, weight) in pairs.iter().zip(weights.into_iter().rev()) {
        let back = pair.scale * dot(&pair.change, &direction);
        add(&mut direction, weight - back, &pair.step);
    }
    direction
}

/// A step along `direction` that is neither too long (it must descend enough) nor too short (the
/// slope must have flattened).
fn search(
    point: &Point,
    direction: &[f64],
    evaluate: &mut impl FnMut(Vec<f64>) -> Point,
) -> Option<Point> {
    let slope = dot(&point.gradient, direction);
    let (mut low, mut high, mut step) = (0.0, f64::INFINITY, 1.0);
    let mut best = None;
    for _ in 0..40 {
        let mut at = point.at.clone();
        add(&mut at, step, direction);
        let next = evaluate(at);
        // Written so that a value that is not a number is too far.
        let descends = next.value <= point.value + 1e-4 * step * slope;
        if descends {
            if dot(&next.gradient, direction) >= 0.9 * slope {
                return Some(next);
            }
            low = step;
            best = Some(next);
        } else {
            high = step;
        }
        step = if high.is_finite() {
            f64::midpoint(low, high)
        } else {
            2.0 * step
        };
    }
    best
}

fn difference(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(l, r)| l - r).collect()
}

pub(crate) fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

pub(crate) fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    to.iter_mut().zip(what).for_each(|(t, w)| *t += factor * w);
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOP: Stop = Stop {
        iterations: 500,
        gradient: 1e-9,
    };

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_minimum() {
        let found = minimize(vec![-1.2, 1.0], STOP, |at, gradient| {
            let (x, y) = (at[0], at[1]);
            gradient[0] = -2.0 * (1.0 - x) - 400.0 * x * (y - x * x);
            gradient[1] = 200.0 * (y - x * x);
            (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2)
        });
        assert!((found[0] - 1.0).abs() < 1e-6 && (found[1] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_badly_scaled_bowl_takes_few_evaluations() {
        let scales: Vec<f64> = (0..30).map(|at| 10_f64.powi(at % 6)).collect();
        let mut evaluations = 0;
        let found = minimize(vec![1.0; 30], STOP, |at, gradient| {
            evaluations += 1;
            for (g, (x, scale)) in gradient.iter_mut().zip(at.iter().zip(&scales)) {
                *g = scale * (x - 3.0);
            }
            0.5 * dot(gradient, &difference(at, &[3.0; 30]))
        });
        assert!(found.iter().all(|x| (x - 3.0).abs() < 1e-6), "{found:?}");
        assert!(evaluations < 150, "{evaluations}");
    }

    #[test]
    fn a_function_that_is_not_a_number_stops_the_search() {
        let found = minimize(vec![1.0], STOP, |at, gradient| {
            gradient[0] = 1.0;
            if at[0] < 1.0 { f64::NAN } else { at[0] }
        });
        assert_eq!(found, [1.0]);
    }
}
