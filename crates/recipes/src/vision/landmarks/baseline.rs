//! What the network is compared with: the mean shape, and ridge regression on the pixels.

use std::time::Instant;

use tinderbox_baselines::DualRidge;
use tinderbox_datasets::image::{Image, resize_image};
use tinderbox_predict::vision::CropFrame;
use tinderbox_train::TaskError;
use tinderbox_train::run_dir::Baseline;
use tinderbox_train::task::BaselineReport;

use super::cascade::CascadeFitter;
use super::evaluate::Evaluated;

/// Side of the gray images of the regression.
const SIDE: usize = 32;

/// Penalties that are tried, in mean squares of a row.
const L2: [f64; 5] = [0.03, 0.1, 0.3, 1.0, 3.0];

/// Parts of the training faces of which each is predicted by the others to choose the penalty.
const PARTS: usize = 4;

impl CascadeFitter<'_> {
    /// Both baselines, fitted to faces and evaluated on others.
    pub(super) fn baselines(
        &self,
        train: &[usize],
        test: &[usize],
    ) -> Result<Vec<BaselineReport>, TaskError> {
        let started = Instant::now();
        let plain: Vec<Vec<f32>> = train
            .iter()
            .map(|&face| Ok(self.crops(face, 1)?[0].points.concat()))
            .collect::<Result<_, TaskError>>()?;
        let mut mean = vec![0.0; plain[0].len()];
        for shape in &plain {
            mean.iter_mut()
                .zip(shape)
                .for_each(|(mean, value)| *mean += value / plain.len() as f32);
        }
        let found = vec![mean; test.len()];
        let mean = self.report("mean shape", train.len(), started, test, &found);
        Ok(vec![mean, self.pixels(train, test)?])
    }

    /// Ridge regression on the pixels of the crops that a cascade is fitted to.
    fn pixels(&self, train: &[usize], test: &[usize]) -> Result<BaselineReport, TaskError> {
        let started = Instant::now();
        let versions = self.versions(train.len());
        let (mut inputs, mut targets) = (Vec::new(), Vec::new());
        for &face in train {
            for crop in self.crops(face, versions)? {
                inputs.extend(gray(&crop.image));
                targets.extend(crop.points.concat());
            }
        }
        let ridge = DualRidge::new(inputs, SIDE * SIDE).map_err(TaskError::internal)?;
        let l2 = choose(&ridge, versions, &targets)?;
        let all: Vec<usize> = (0..ridge.len()).collect();
        let fit = ridge.fit(&all, &targets, l2).map_err(TaskError::internal)?;
        let (weights, bias) = ridge.primal(&fit);
        let mut found = Vec::with_capacity(test.len());
        for &face in test {
            let crop = &self.crops(face, 1)?[0];
            let mut points = bias.clone();
            for (value, weights) in gray(&crop.image)
                .into_iter()
                .zip(weights.chunks_exact(bias.len()))
            {
                points
                    .iter_mut()
                    .zip(weights)
                    .for_each(|(point, weight)| *point += value * weight);
            }
            found.push(points);
        }
        let method = "ridge regression on pixels";
        Ok(self.report(method, ridge.len(), started, test, &found))
    }

    /// Evaluates points in the coordinates of the plain crops.
    fn report(
        &self,
        method: &str,
        samples: usize,
        started: Instant,
        test: &[usize],
        found: &[Vec<f32>],
    ) -> BaselineReport {
        let mut evaluated = Evaluated::default();
        for (&face, points) in test.iter().zip(found) {
            let truth = &self.data.images.face(face).points;
            let frame = CropFrame::around_points(truth, self.collate.margin);
            let points = points
                .chunks_exact(2)
                .map(|uv| frame.to_image([uv[0], uv[1]]));
            evaluated.add(face, points.collect(), truth);
        }
        let evaluation = evaluated.evaluation();
        BaselineReport {
            result: Baseline {
                method: method.to_owned(),
                samples,
                wall_s: started.elapsed().as_secs_f64(),
                threshold: None,
                test: evaluation.metrics(),
            },
            evaluation,
        }
    }
}

/// The pixels of a crop as gray values of a small image.
fn gray(image: &Image) -> Vec<f32> {
    let small = resize_image(image, SIDE, SIDE);
    let pixels = small.pixels.chunks_exact(small.channels);
    pixels
        .map(|pixel| {
            pixel.iter().map(|&value| f32::from(value)).sum::<f32>() / (255.0 * pixel.len() as f32)
        })
        .collect()
}

/// The penalty with the least error on faces that are held out.
fn choose(ridge: &DualRidge, versions: usize, targets: &[f32]) -> Result<f64, TaskError> {
    let values = targets.len() / ridge.len();
    let mut best = (f64::INFINITY, L2[0]);
    for l2 in L2 {
        let mut error = 0.0;
        for part in 0..PARTS {
            let rows = |is_in: bool| -> Vec<usize> {
                let rows = 0..ridge.len();
                rows.filter(|row| (row / versions % PARTS == part) == is_in)
                    .collect()
            };
            let (held, others) = (rows(true), rows(false));
            if held.is_empty() || others.is_empty() {
                continue;
            }
            let fit = ridge
                .fit(&others, targets, l2)
                .map_err(TaskError::internal)?;
            let found = ridge.predict(&fit, &held);
            for (&row, found) in held.iter().zip(found.chunks_exact(values)) {
                let truth = &targets[row * values..][..values];
                error += truth
                    .iter()
                    .zip(found)
                    .map(|(a, b)| f64::from((a - b).powi(2)))
                    .sum::<f64>();
            }
        }
        if error < best.0 {
            best = (error, l2);
        }
    }
    Ok(best.1)
}
