//! How many lesions are found at how many false alarms per image.

use std::collections::BTreeSet;

/// The free-response receiver operating characteristic: detections are points with scores, and each may hit
/// one of the lesions of its image.
///
/// The challenge CAMELYON16 scores with it (Ehteshami Bejnordi et al., 2017,
/// <https://doi.org/10.1001/jama.2017.14585>): sensitivity at [six](Self::FALSE_POSITIVES) numbers of false positives per
/// image, and their mean.
///
/// ```
/// use tinderbox_train::metrics::Froc;
///
/// let mut froc = Froc::default();
/// // Two lesions, of which the second is found first; then something else; then the other one.
/// froc.add(&[(0.9, Some(1)), (0.8, None), (0.3, Some(0))], 2);
/// assert_eq!(froc.sensitivity(0.5), Some(0.5));
/// assert_eq!(froc.sensitivity(1.0), Some(1.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Froc {
    images: usize,
    lesions: usize,
    /// Score, and the number of the lesion over all images.
    detections: Vec<(f64, Option<usize>)>,
}

impl Froc {
    /// Numbers of false positives per image at which CAMELYON16 measures.
    pub const FALSE_POSITIVES: [f64; 6] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0];

    /// Adds an image with its number of lesions: of each detection the score, and the lesion that it hits,
    /// from 0. A lesion counts once.
    ///
    /// # Panics
    ///
    /// If a detection hits a lesion that is not there.
    pub fn add(&mut self, detections: &[(f64, Option<usize>)], lesions: usize) {
        for &(score, hit) in detections {
            assert!(hit.is_none_or(|hit| hit < lesions), "no such lesion");
            self.detections
                .push((score, hit.map(|hit| hit + self.lesions)));
        }
        self.images += 1;
        self.lesions += lesions;
    }

    /// Number of lesions of all images.
    pub fn lesions(&self) -> usize {
        self.lesions
    }

    /// Share of the lesions that are found at the lowest score with at most this number of false positives
    /// per image; none without lesions.
    pub fn sensitivity(&self, false_positives: f64) -> Option<f64> {
        let most = false_positives * self.images as f64;
        let mut order = self.detections.clone();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (mut found, mut wrong) = (BTreeSet::new(), 0.0);
        // Detections of one score come together.
        for group in order.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            wrong += group.iter().filter(|(_, hit)| hit.is_none()).count() as f64;
            if wrong > most {
                break;
            }
            found.extend(group.iter().filter_map(|(_, hit)| *hit));
        }
        (self.lesions > 0).then(|| found.len() as f64 / self.lesions as f64)
    }

    /// The mean sensitivity at [`FALSE_POSITIVES`](Self::FALSE_POSITIVES), the score of CAMELYON16.
    pub fn score(&self) -> Option<f64> {
        let all = Self::FALSE_POSITIVES.map(|count| self.sensitivity(count));
        let sum: Option<f64> = all.into_iter().sum();
        sum.map(|sum| sum / Self::FALSE_POSITIVES.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn false_positives_count_per_image() {
        let mut froc = Froc::default();
        froc.add(&[(0.9, None), (0.8, Some(0)), (0.7, Some(0))], 1);
        froc.add(&[(0.6, Some(0)), (0.5, None)], 2);
        assert_eq!(froc.lesions(), 3);
        assert_eq!(froc.sensitivity(0.25), Some(0.0));
        // One false positive in two images.
        assert_eq!(froc.sensitivity(0.5), Some(2.0 / 3.0));
        assert_eq!(froc.sensitivity(8.0), Some(2.0 / 3.0));
        let expected = 2.0 / 3.0 * 5.0 / 6.0;
        assert!((froc.score().unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn equal_scores_do_not_depend_on_their_order() {
        let (mut a, mut b) = (Froc::default(), Froc::default());
        a.add(&[(0.5, Some(0)), (0.5, None)], 1);
        b.add(&[(0.5, None), (0.5, Some(0))], 1);
        assert_eq!(
            (a.sensitivity(0.5), b.sensitivity(0.5)),
            (Some(0.0), Some(0.0))
        );
        assert_eq!(
            (a.sensitivity(1.0), b.sensitivity(1.0)),
            (Some(1.0), Some(1.0))
        );
    }

    #[test]
    fn without_lesions_there_is_no_sensitivity() {
        let mut froc = Froc::default();
        froc.add(&[(0.5, None)], 0);
        assert_eq!((froc.sensitivity(1.0), froc.score()), (None, None));
    }
}
