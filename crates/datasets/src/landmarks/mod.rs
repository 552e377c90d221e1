//! Images with landmarks: the same points on every object, such as the 68 points of iBUG on a face.
//!
//! | format | files | points |
//! |---|---|---|
//! | CSV | a row per face: the name of the image, then x and y of each point | in pixels |
//! | PTS of iBUG | a text file per image, with its name | in pixels |
//! | XML of dlib | a file for all images, with a box per face, which is not used | in pixels, by their names |
//!
//! PTS is that of Sagonas et al., *300 faces in-the-wild challenge*, 2013,
//! <https://doi.org/10.1109/ICCVW.2013.59>. The center of the first pixel is at 0.5 here; files are taken as they
//! are written, whatever their convention.
//!
//! A face is used if it has as many points as the first one, all of them finite numbers inside an image that is
//! there. What is done with others is the decision of the caller: [`BadPoints`].

mod csv;
mod dlib;
mod error;
mod files;
mod folder;
mod pts;
#[cfg(test)]
mod tests;

pub use self::error::LandmarkError;
pub use self::files::landmark_format;
pub use self::folder::{BadPoints, LandmarkFace, LandmarkFolder, LandmarkOptions, LandmarkSplit};

/// A format of landmarks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandmarkFormat {
    /// A table with a row for each face.
    Csv,
    /// A text file for each image.
    Pts,
    /// An XML file of dlib.
    Dlib,
}

impl LandmarkFormat {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Pts => "PTS files",
            Self::Dlib => "dlib XML",
        }
    }
}

/// A face as a label file has it.
#[derive(Clone, Debug, PartialEq)]
struct RawFace {
    /// The image as the file names it.
    image: String,
    /// The points as they are written; some may not be finite.
    points: Vec<[f32; 2]>,
    /// The label file.
    file: std::path::PathBuf,
    /// The line in it, from 1.
    line: u64,
    /// What is wrong with it, if it cannot be read.
    problem: Option<String>,
}
