//! Networks whose predictions are averaged.

use crate::PredictError;

/// The outputs of networks, if all of them are numbers.
///
/// # Errors
///
/// If one is not.
pub(crate) fn finite(outputs: Vec<f32>) -> Result<Vec<f32>, PredictError> {
    if outputs.iter().all(|output| output.is_finite()) {
        Ok(outputs)
    } else {
        Err(PredictError::NotFinite)
    }
}

/// The mean of the outputs of several networks, value by value; empty without networks.
///
/// ```
/// use tinderbox_predict::ensemble::mean;
///
/// let outputs = [vec![1.0, 0.0], vec![0.5, 0.5]].map(Ok::<_, std::convert::Infallible>);
/// assert_eq!(mean(outputs), Ok(vec![0.75, 0.25]));
/// ```
///
/// # Errors
///
/// The first error of a network.
pub fn mean<E>(outputs: impl IntoIterator<Item = Result<Vec<f32>, E>>) -> Result<Vec<f32>, E> {
    let (mut sums, mut count) = (Vec::new(), 0_usize);
    for output in outputs {
        let output = output?;
        count += 1;
        if sums.is_empty() {
            sums = output;
        } else {
            let pairs = sums.iter_mut().zip(output);
            pairs.for_each(|(sum, value)| *sum += value);
        }
    }
    if count > 1 {
        for sum in &mut sums {
            *sum /= count as f32;
        }
    }
    Ok(sums)
}
