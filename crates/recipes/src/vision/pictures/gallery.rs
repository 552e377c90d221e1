//! The folder of pictures in a run directory.

use std::error::Error;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tinderbox_datasets::atomic_file::write_atomic;
use tinderbox_predict::error_chain;
use tinderbox_train::task::Report;

use super::Canvas;

/// Name of the folder of pictures in a run directory.
pub const IMAGES_DIR: &str = "images";

/// The pictures of a run. One that fails is a warning: the network is trained already.
#[derive(Debug)]
pub struct Gallery {
    dir: PathBuf,
    names: Vec<&'static str>,
    warnings: Vec<String>,
}

impl Gallery {
    /// An empty gallery in a run directory.
    pub fn new(run: &Path) -> Self {
        Self {
            dir: run.join(IMAGES_DIR),
            names: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Draws a picture and writes it as PNG under a file name.
    pub fn add<E: Into<Box<dyn Error>>>(
        &mut self,
        name: &'static str,
        draw: impl FnOnce() -> Result<Canvas, E>,
    ) {
        let written = draw()
            .map_err(Into::into)
            .and_then(|canvas| self.write(name, &canvas));
        match written {
            Ok(()) => self.names.push(name),
            Err(error) => {
                let reason = error_chain(&*error);
                self.warnings.push(format!("no image `{name}`: {reason}"));
            }
        }
    }

    /// Says something about the pictures.
    pub fn warn(&mut self, warning: Option<String>) {
        self.warnings.extend(warning);
    }

    fn write(&self, name: &str, canvas: &Canvas) -> Result<(), Box<dyn Error>> {
        let bytes = canvas.to_png()?;
        fs::create_dir_all(&self.dir)?;
        write_atomic(&self.dir.join(name), |file| file.write_all(&bytes))?;
        Ok(())
    }

    /// Adds the names of the pictures, and what went wrong, to a report.
    pub fn report(self, report: &mut Report) {
        report.warnings.extend(self.warnings);
        if !self.names.is_empty() {
            let names: Vec<Value> = self
                .names
                .iter()
                .map(|name| json!(format!("{IMAGES_DIR}/{name}")))
                .collect();
            report
                .details
                .insert(IMAGES_DIR.to_owned(), Value::Array(names));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_fails_is_a_warning() {
        let run = tempfile::tempdir().unwrap();
        let mut gallery = Gallery::new(run.path());
        gallery.add("good.png", || Ok::<_, std::io::Error>(Canvas::new(2, 2)));
        gallery.add("empty.png", || Ok::<_, std::io::Error>(Canvas::new(0, 2)));
        gallery.add("bad.png", || {
            Err::<Canvas, _>(std::io::Error::other("no metrics"))
        });
        assert_eq!(gallery.names, ["good.png"]);
        assert_eq!(gallery.warnings.len(), 2);
        assert!(gallery.warnings[1].contains("`bad.png`: no metrics"));
        let files = fs::read_dir(run.path().join(IMAGES_DIR)).unwrap();
        assert_eq!(files.count(), 1);
        // A file where the folder should be.
        fs::remove_dir_all(run.path().join(IMAGES_DIR)).unwrap();
        fs::write(run.path().join(IMAGES_DIR), "").unwrap();
        gallery.add("good.png", || Ok::<_, std::io::Error>(Canvas::new(2, 2)));
        assert_eq!(gallery.warnings.len(), 3);
    }
}
