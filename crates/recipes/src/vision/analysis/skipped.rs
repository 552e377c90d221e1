//! What `--skip-errors` leaves out of an analysis of many images.

use tinderbox_predict::error_chain;
use tinderbox_train::TaskError;
use tinderbox_train::format::thousands;
use tinderbox_train::task::Noun;

use crate::vision::inputs::numbered;

/// Images that cannot be read: they stop an analysis, or are left out with a note for each.
pub(super) struct Skipped {
    /// Whether they are left out.
    skip: bool,
    items: Noun,
    /// Images in all.
    total: usize,
    count: usize,
    /// Why the first one cannot be read.
    first: String,
    notes: Vec<String>,
}

impl Skipped {
    pub(super) fn new(skip: bool, items: Noun, total: usize) -> Self {
        Self {
            skip,
            items,
            total,
            count: 0,
            first: String::new(),
            notes: Vec::new(),
        }
    }

    /// Leaves out image `number`, from 1.
    ///
    /// # Errors
    ///
    /// If images are not left out, or the error is not one of the image; with how to get the results of the others.
    pub(super) fn add(
        &mut self,
        error: TaskError,
        name: &str,
        number: usize,
    ) -> Result<(), TaskError> {
        if !error.is_user() {
            return Err(error);
        }
        if !self.skip {
            if self.total == 1 {
                return Err(error);
            }
            let reason = error_chain(&numbered(error, number, self.total));
            return Err(TaskError::user(format!(
                "{reason}; use `--skip-errors` to skip such {}",
                self.items.1
            )));
        }
        let reason = error_chain(&error);
        self.notes
            .push(format!("warning: skipped `{name}`: {reason}"));
        if self.count == 0 {
            self.first = reason;
        }
        self.count += 1;
        Ok(())
    }

    /// The notes about what was left out.
    ///
    /// # Errors
    ///
    /// If it was everything, so that there is no `result`.
    pub(super) fn finish(mut self, result: &str) -> Result<Vec<String>, TaskError> {
        let items = self.items.1;
        if self.count > 0 && self.count == self.total {
            return Err(TaskError::user(format!(
                "no {result}: none of the {items} can be read; the first: {}",
                self.first
            )));
        }
        if self.count > 0 {
            let (count, all) = (thousands(self.count), thousands(self.total));
            self.notes
                .push(format!("warning: skipped {count} of {all} {items}"));
        }
        Ok(self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Noun = Noun("frame", "frames");

    #[test]
    fn without_the_flag_the_first_error_says_where_it_is_and_what_helps() {
        let mut one = Skipped::new(false, FRAME, 1);
        let error = one.add(TaskError::user("`a.png` is broken"), "a.png", 1);
        assert_eq!(error.unwrap_err().to_string(), "`a.png` is broken");
        let mut several = Skipped::new(false, FRAME, 3);
        let error = several.add(TaskError::user("`b.png` is broken"), "b.png", 2);
        assert_eq!(
            error.unwrap_err().to_string(),
            "input 2 of 3: `b.png` is broken; use `--skip-errors` to skip such frames"
        );
    }

    #[test]
    fn with_the_flag_images_are_counted_unless_it_is_all_of_them() {
        let none = Skipped::new(true, FRAME, 2);
        assert!(none.finish("track").unwrap().is_empty());
        let mut skipped = Skipped::new(true, FRAME, 2);
        skipped.add(TaskError::user("broken"), "a.png", 1).unwrap();
        let mut all = Skipped::new(true, FRAME, 1);
        all.add(TaskError::user("broken"), "a.png", 1).unwrap();
        assert_eq!(
            skipped.finish("track").unwrap(),
            [
                "warning: skipped `a.png`: broken",
                "warning: skipped 1 of 2 frames"
            ]
        );
        assert_eq!(
            all.finish("track").unwrap_err().to_string(),
            "no track: none of the frames can be read; the first: broken"
        );
        // A device that fails is no broken image.
        let mut device = Skipped::new(true, FRAME, 2);
        let failed = TaskError::from(std::io::Error::other("no device"));
        assert!(device.add(failed, "a.png", 1).is_err());
    }
}
