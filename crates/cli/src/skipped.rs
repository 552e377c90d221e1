//! What `--skip-errors` leaves out of the predictions.

use crate::note;
use tinderbox_train::task::Noun;

use crate::splits::count;

/// Items that could not be read: how many, and why the first one could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Skipped {
    count: usize,
    first: String,
}

impl Skipped {
    /// Counts an item.
    pub(crate) fn add(&mut self, error: &impl ToString) {
        if self.count == 0 {
            self.first = error.to_string();
        }
        self.count += 1;
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Warns of them, if there are any; `source` names the file that they are from, if it is one.
    pub(crate) fn report(&self, items: Noun, source: Option<&str>) {
        if let Some(warning) = self.warning(items, source) {
            note(&warning);
        }
    }

    fn warning(&self, items: Noun, source: Option<&str>) -> Option<String> {
        let source = source.map(|name| format!(" of `{name}`"));
        (self.count > 0).then(|| {
            format!(
                "warning: skipped {}{}; the first: {}",
                count(items, self.count),
                source.unwrap_or_default(),
                self.first
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splits::ROW;

    #[test]
    fn the_first_reason_and_the_number_are_told() {
        let mut skipped = Skipped::default();
        assert_eq!(skipped.warning(ROW, None), None);
        skipped.add(&"line 3");
        let one = "warning: skipped 1 row of `a.csv`; the first: line 3";
        assert_eq!(skipped.warning(ROW, Some("a.csv")).as_deref(), Some(one));
        skipped.add(&"line 5");
        let two = "warning: skipped 2 rows; the first: line 3";
        assert_eq!(skipped.warning(ROW, None).as_deref(), Some(two));
        assert_eq!(skipped.count(), 2);
    }
}
