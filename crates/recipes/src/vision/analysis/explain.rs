//! Explanations of the classes of photos, as text and as pictures.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tinderbox_datasets::image::{Image, ImageFile, decode_full};
use tinderbox_predict::vision::ImageClassifier;
use tinderbox_predict::{PredictError, Prediction};
use tinderbox_train::section::Analysis;
use tinderbox_train::{Section, Task as _, TaskError};

use super::grad_cam::{Attribution, grad_cam};
use super::outputs::{OutputNames, class_of, files, write};
use super::skipped::Skipped;
use crate::vision::VisionTask;
use crate::vision::pictures::color::{BLACK, WHITE};
use crate::vision::pictures::{Align, Canvas, LINE_HEIGHT, drawable_names, width};

/// Points along each side of a photo at which its heat is added up.
const POINTS: usize = 90;

/// How photos are explained.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExplainOptions {
    /// The class that is explained; the predicted one if there is none.
    pub class: Option<String>,
    /// A `.png` file for one photo, or a folder for any number.
    pub out: Option<PathBuf>,
    /// Whether images that cannot be read are left out, with a note for each.
    pub skip_errors: bool,
}

/// Shows which parts of photos speak for a class; see [`grad_cam`].
///
/// # Errors
///
/// If an input cannot be read, the class is not known, the network has no feature maps, or a picture
/// cannot be written.
pub fn explain(
    model: &ImageClassifier,
    inputs: &[PathBuf],
    options: &ExplainOptions,
) -> Result<Analysis, TaskError> {
    let class = options
        .class
        .as_deref()
        .map(|name| class_of(model, name))
        .transpose()?;
    let (files, mut notes) = files(inputs)?;
    let mut names = OutputNames::of(options.out.as_deref(), &files, "")?;
    let mut analysis = Analysis::default();
    let mut skipped = Skipped::new(options.skip_errors, VisionTask::ITEM, files.len());
    for (number, file) in (1..).zip(&files) {
        let photo = match Photo::read(model, file) {
            Ok(photo) => photo,
            Err(error) => {
                skipped.add(error, &file.path().display().to_string(), number)?;
                continue;
            }
        };
        let explained = Explained::new(model, file, photo, class)?;
        let out = names.next(file.path());
        if let Some(out) = &out {
            write(&explained.picture(model), out)?;
        }
        analysis.sections.push(explained.section(out.as_deref()));
        analysis.lines.push(explained.line(out.as_deref()));
    }
    notes.extend(skipped.finish("explanation")?);
    notes.extend(
        drawable_names(model.labels())
            .1
            .filter(|_| options.out.is_some()),
    );
    analysis.notes = notes;
    Ok(analysis)
}

/// A photo as it is shown, and as the network sees it.
struct Photo {
    shown: Image,
    input: Image,
    /// The part of what is shown that the network sees: first row and column, height and width.
    region: [f64; 4],
}

impl Photo {
    fn read(model: &ImageClassifier, file: &ImageFile) -> Result<Self, TaskError> {
        let bytes = file.bytes().map_err(TaskError::user)?;
        let spec = &model.spec().input;
        let input = model.decode(&bytes, file.path())?;
        let photo =
            decode_full(&bytes, file.path(), 3, spec.max_pixels).map_err(PredictError::input)?;
        let (shown, region) = match spec.source_region([photo.height, photo.width]) {
            Some(region) => (photo, region),
            // Cut to its ink: the input itself is shown.
            None => (
                input.clone(),
                [0.0, 0.0, input.height as f64, input.width as f64],
            ),
        };
        Ok(Self {
            shown,
            input,
            region,
        })
    }
}

/// A photo with what speaks for a class.
struct Explained {
    name: String,
    photo: Image,
    /// The part of the photo that the network sees: first row and column, height and width.
    region: [f64; 4],
    map: Attribution,
    class: String,
    probability: f32,
    predicted: String,
}

impl Explained {
    fn new(
        model: &ImageClassifier,
        file: &ImageFile,
        photo: Photo,
        class: Option<usize>,
    ) -> Result<Self, TaskError> {
        let Photo {
            shown,
            input,
            region,
        } = photo;
        let prediction = model.predict(std::slice::from_ref(&input))?;
        let Some(Prediction::Class {
            label,
            probabilities,
        }) = prediction.into_iter().next()
        else {
            return Err(TaskError::user("the model gives no class"));
        };
        let predicted = probabilities.iter().position(|(name, _)| *name == label);
        let class = class.or(predicted).unwrap_or_default();
        Ok(Self {
            name: file.path().to_string_lossy().into_owned(),
            map: grad_cam(model, &input, class)?,
            photo: shown,
            region,
            class: probabilities[class].0.clone(),
            probability: probabilities[class].1,
            predicted: label,
        })
    }

    /// The heat at a point of the photo, in pixels; none outside of what the network sees.
    fn heat(&self, [y, x]: [f64; 2]) -> Option<f32> {
        let [top, left, height, width] = self.region;
        let at = [(y - top) / height, (x - left) / width];
        at.iter()
            .all(|at| (0.0..=1.0).contains(at))
            .then(|| self.map.at(at))
    }

    /// The share of the heat in each part of a 3×3 grid over the photo; none if there is no heat.
    fn grid(&self) -> Option<[[f64; 3]; 3]> {
        let mut grid = [[0.0; 3]; 3];
        for row in 0..POINTS {
            for column in 0..POINTS {
                let at =
                    |index: usize, size: usize| (index as f64 + 0.5) / POINTS as f64 * size as f64;
                let heat = self.heat([at(row, self.photo.height), at(column, self.photo.width)]);
                grid[row * 3 / POINTS][column * 3 / POINTS] += f64::from(heat.unwrap_or(0.0));
            }
        }
        let sum: f64 = grid.iter().flatten().sum();
        (sum > 0.0).then(|| grid.map(|row| row.map(|share| share / sum)))
    }

    /// The point of the photo with the most heat, `[x, y]` in pixels.
    fn hottest(&self) -> [usize; 2] {
        let mut best = (0.0, [0, 0]);
        for y in 0..self.photo.height {
            for x in 0..self.photo.width {
                let heat = self.heat([y as f64 + 0.5, x as f64 + 0.5]).unwrap_or(0.0);
                if heat > best.0 {
                    best = (heat, [x, y]);
                }
            }
        }
        best.1
    }

    /// The photo with its heat, and with a caption where there is room.
    fn picture(&self, model: &ImageClassifier) -> Canvas {
        let mut canvas = Canvas::of(&self.photo);
        canvas.overlay(|[y, x]| self.heat([y as f64 + 0.5, x as f64 + 0.5]));
        let names = drawable_names(model.labels()).0;
        let place = model.labels().iter().position(|label| *label == self.class);
        let name = place.map_or("", |place| &names[place]);
        let caption = format!("{name} {:.1}%", 100.0 * self.probability);
        let wide = width(&caption) + 12;
        if wide <= canvas.width && 4 * LINE_HEIGHT <= canvas.height {
            canvas.fill(0, 0, wide, LINE_HEIGHT + 4, BLACK);
            canvas.text(&caption, [6, 2], Align::Left, WHITE);
        }
        canvas
    }

    fn section(&self, out: Option<&Path>) -> Section {
        let mut title = format!(
            "{}: {} {:.1}%",
            self.name,
            self.class,
            100.0 * self.probability
        );
        if self.class != self.predicted {
            title = format!("{title} (predicted: {})", self.predicted);
        }
        if let Some(out) = out {
            return Section::text(format!("{title}, written to {}", out.display()));
        }
        let Some(grid) = self.grid() else {
            return Section::text(format!("{title}: no part of the image speaks for it"));
        };
        let head = ["share of the heat", "left", "center", "right"]
            .map(str::to_owned)
            .to_vec();
        let rows = ["top", "middle", "bottom"]
            .iter()
            .zip(grid)
            .map(|(name, row)| {
                let shares = row.iter().map(|share| format!("{:.1}%", 100.0 * share));
                std::iter::once((*name).to_owned()).chain(shares).collect()
            });
        Section::table(title, std::iter::once(head).chain(rows).collect())
    }

    fn line(&self, out: Option<&Path>) -> Value {
        json!({
            "input": self.name,
            "label": self.predicted,
            "class": self.class,
            "probability": self.probability,
            "width": self.photo.width,
            "height": self.photo.height,
            "grid": self.grid(),
            "hottest": self.hottest(),
            "out": out,
        })
    }
}
