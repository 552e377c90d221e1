//! What was derived as tables for a terminal and as data.

use tinderbox_datasets::format::shorten;
use tinderbox_train::Section;
use tinderbox_train::section::Analysis;

use super::Progress;
use super::align::{LEAST_AGREEING, NotAligned, Reason};
use super::items::{Item, dates};
use super::outcome::value_text;
use super::plan::Unit;
use super::views::Placed;

/// Letters of a file name in a table.
const NAME: usize = 26;

/// Most columns of items in a table.
const ACROSS: usize = 4;

impl Progress<'_> {
    pub(super) fn analysis(&self) -> Analysis {
        let mut sections = vec![Section::text(self.overview()), self.photo_section()];
        sections.extend(self.items.chunks(ACROSS).map(item_section));
        if !self.rows.is_empty() {
            sections.push(Section::table("Planned and actual", self.deviation_rows()));
        }
        let findings = self.findings();
        if !findings.is_empty() {
            sections.push(Section::text(wrapped(&findings)));
        }
        if let Some(out) = &self.options.out {
            sections.push(Section::text(format!("written to {}", out.display())));
        }
        Analysis {
            sections,
            lines: vec![self.json()],
            notes: self.notes.clone(),
        }
    }

    /// Number of photos and dates.
    pub(super) fn overview(&self) -> String {
        let dates = dates(&self.photos);
        let range = match (dates.first(), dates.last()) {
            (Some((first, _)), Some((last, _))) if first != last => format!("{first} to {last}"),
            (Some((first, _)), _) => first.to_string(),
            _ => String::new(),
        };
        let noun = if dates.len() == 1 { "date" } else { "dates" };
        format!(
            "{} photos of {} {noun}, {range}",
            self.photos.len(),
            dates.len()
        )
    }

    /// How a photo was aligned, in a few words.
    pub(super) fn placed_text(&self, at: usize) -> String {
        match &self.views.placed[at] {
            Placed::Reference => "reference".to_owned(),
            Placed::Aligned(found, via) => {
                let residual = found.residual * self.photos[at].scale();
                let via = via.map_or(String::new(), |via| {
                    format!(", through {}", self.photos[via].time.date())
                });
                format!("residual {residual:.1} px{via}")
            }
            Placed::Not(not) => not_text(*not),
        }
    }

    /// The share that changed, for people.
    pub(super) fn change_text(&self, at: usize) -> Option<String> {
        let share = self.views.changes[at].as_ref()?.map.share()?;
        Some(value_text(share, Unit::Share))
    }

    fn photo_section(&self) -> Section {
        let head = ["date", "photo", "alignment", "changed"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for (at, photo) in self.photos.iter().enumerate() {
            let change = self.change_text(at).unwrap_or_else(|| "–".to_owned());
            rows.push(vec![
                photo.time.date().to_string(),
                shorten(file_name(&photo.name), NAME),
                self.placed_text(at),
                change,
            ]);
        }
        Section::table("Photos", rows)
    }

    fn deviation_rows(&self) -> Vec<Vec<String>> {
        let head = ["item", "date", "planned", "actual", "days"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        rows.extend(self.rows.iter().map(|row| {
            vec![
                shorten(&row.item, 20),
                row.date.to_string(),
                row.planned_text(),
                row.actual_text(),
                row.days_text(),
            ]
        }));
        rows
    }

    /// What the numbers mean, and what could not be derived, as sentences.
    pub(super) fn findings(&self) -> Vec<String> {
        let mut findings = Vec::new();
        let total = self.photos.len();
        let reasons = self.views.placed.iter().filter_map(|placed| match placed {
            Placed::Not(not) => Some(not.reason),
            _ => None,
        });
        let reasons: Vec<Reason> = reasons.collect();
        if !reasons.is_empty() {
            findings.push(not_aligned(&reasons, total));
        }
        let compared = self.views.changes.iter().flatten();
        if compared.clone().any(|change| change.map.share().is_some()) {
            findings.push(
                "Changed: the share of the textured cells seen on both dates that look different from the date before. \
                 Vehicles, cranes, people, shadows and weather count as well as building."
                    .to_owned(),
            );
        } else {
            findings
                .push("Change could not be derived: no two dates could be compared.".to_owned());
        }
        findings.push(self.height_finding());
        findings
    }

    fn height_finding(&self) -> String {
        let Some(photo) = self.photos.get(self.views.reference) else {
            return String::new();
        };
        let total = self.photos.len();
        if self.views.heights.is_empty() {
            return match self.views.with_sky {
                0 => "Height could not be derived: no photo has sky above the site.".to_owned(),
                sky => format!(
                    "Height was not derived: no part of the skyline rises on the aligned photos ({sky} of {total} \
                     photos have sky).{}",
                    self.unsteady_text()
                ),
            };
        }
        format!(
            "Height: how far the upper edge of a part of the skyline rose since the first date, as a share of the \
             {} pixels of the photo's height. It is no length: nothing in a photo says how many meters a pixel is, and \
             far parts look smaller than near ones. A value with ≥ is a lower bound: the part leaves the photo at \
             the top.{}",
            photo.size[0],
            self.unsteady_text()
        )
    }

    fn unsteady_text(&self) -> String {
        match self.views.unsteady {
            0 => String::new(),
            1 => " One part is left out because its edge also falls, as it does at a crane."
                .to_owned(),
            parts => format!(
                " {parts} parts are left out because their edge also falls, as it does at a crane."
            ),
        }
    }
}

/// Why a photo was not aligned, in a few words.
fn not_text(not: NotAligned) -> String {
    match not.reason {
        Reason::FewCorners => match not.corners {
            0 => "no: no corner was found".to_owned(),
            1 => "no: only 1 corner was found".to_owned(),
            found => format!("no: only {found} corners were found"),
        },
        Reason::NoAgreement => format!("no: {} of {} corners agree", not.agreeing, not.matched),
        Reason::OnePart => format!("no: {} corners in one part", not.agreeing),
    }
}

/// How many photos were not aligned, and why.
fn not_aligned(reasons: &[Reason], total: usize) -> String {
    let few = format!(
        "a small or smooth photo with too few corners (at least {LEAST_AGREEING} are needed)"
    );
    let all = [
        (
            Reason::NoAgreement,
            "another view, or too little that stayed the same",
        ),
        (Reason::FewCorners, few.as_str()),
        (
            Reason::OnePart,
            "corners that agree in one part of the photo only",
        ),
    ];
    let present = all.iter().filter(|(reason, _)| reasons.contains(reason));
    let texts: Vec<&str> = present.map(|&(_, text)| text).collect();
    format!(
        "{} of {total} photos could not be aligned: {}. They are counted, but change and height leave them out.",
        reasons.len(),
        texts.join("; ")
    )
}

/// A table with a column for each item and a row for each date.
fn item_section(items: &[Item]) -> Section {
    let names = items.iter().map(|item| shorten(&item.name, 14));
    let mut rows = vec![
        std::iter::once("date".to_owned())
            .chain(names)
            .collect::<Vec<_>>(),
    ];
    for (at, value) in items
        .first()
        .map_or(&[][..], |item| &item.values)
        .iter()
        .enumerate()
    {
        let cells = items.iter().map(|item| {
            let value = item.values[at];
            let bound = if value.is_bound { "≥ " } else { "" };
            value.value.map_or_else(
                || "–".to_owned(),
                |number| bound.to_owned() + &value_text(number, item.unit),
            )
        });
        rows.push(
            std::iter::once(value.date.to_string())
                .chain(cells)
                .collect(),
        );
    }
    Section::table("Measured", rows)
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Paragraphs of lines of at most 80 letters.
fn wrapped(paragraphs: &[String]) -> String {
    let wrap = |text: &String| {
        let mut lines = vec![String::new()];
        for word in text.split(' ') {
            let line = lines.last().map_or(0, |line| line.chars().count());
            if line > 0 && line + 1 + word.chars().count() > 80 {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        lines.join("\n")
    };
    let paragraphs: Vec<String> = paragraphs.iter().map(wrap).collect();
    paragraphs.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_that_is_not_aligned_says_what_it_lacks() {
        for (reason, agreeing, text) in [
            (Reason::NoAgreement, 12, "no: 12 of 80 corners agree"),
            (Reason::FewCorners, 0, "no: only 9 corners were found"),
            (Reason::OnePart, 20, "no: 20 corners in one part"),
        ] {
            let not = NotAligned {
                agreeing,
                matched: 80,
                corners: 9,
                reason,
            };
            assert_eq!(not_text(not), text);
        }
        let text = not_aligned(&[Reason::OnePart, Reason::OnePart], 3);
        assert!(text.starts_with("2 of 3 photos"), "{text}");
        assert!(text.contains("one part of the photo"), "{text}");
        assert!(!text.contains("another view"), "{text}");
    }

    #[test]
    fn paragraphs_fit_a_terminal() {
        let text = wrapped(&["many words ".repeat(40), "few".to_owned()]);
        assert!(text.lines().all(|line| line.chars().count() <= 80));
        assert!(text.ends_with("\nfew"));
        assert_eq!(file_name("a/b\\c.jpg"), "c.jpg");
    }
}
