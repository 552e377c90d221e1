//! The page: one HTML file that needs nothing else.

use std::fmt::Write as _;

use tinderbox_datasets::escape::escape_markup as escape;
use tinderbox_report::html::{self, document};
use tinderbox_report::svg::{Line, Style};

use super::Progress;
use super::chart::svg;
use super::draw::data_uri;
use super::items::{Item, Value, dates};
use super::outcome::Row;
use super::plan::Unit;
use super::report::file_name;
use super::series::Found;

/// Photos of one date that are shown.
const SHOWN: usize = 4;

/// What the page measures and what it cannot show.
const LIMITS: &str = "This page measures what photos show: counts, visible change and the rise of the skyline, against \
    the dates of a plan. It shows no money and no cause: whether monitoring saves a share of the budget, such as the \
    11% that the industry claims, can neither be confirmed nor refuted with it.";

impl Progress<'_> {
    /// The whole page.
    pub(super) fn page(&self) -> String {
        let mut page = format!(
            "<h1>Construction progress</h1>\n<p class=\"soft\">{}</p>\n",
            escape(&self.overview())
        );
        self.add_plan(&mut page);
        self.add_measured(&mut page);
        page.push_str("<h2>What was derived</h2>\n<ul>\n");
        for finding in self.findings().iter().chain(&self.notes) {
            line(&mut page, &format!("<li>{}</li>", escape(finding)));
        }
        page.push_str("</ul>\n");
        self.add_photos(&mut page);
        let run = self
            .options
            .run
            .as_ref()
            .map(|run| format!("Run: {}. ", escape(run)));
        let run = run.unwrap_or_default();
        line(&mut page, &format!("<footer><p>{run}{LIMITS}</p></footer>"));
        document("Construction progress", &page)
    }

    /// Charts of planned items, and the table of days.
    fn add_plan(&self, page: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        page.push_str(
            "<h2>Planned and actual</h2>\n<p class=\"key\"><span><i class=\"s0\"></i>actual</span>\
             <span><i class=\"chance\"></i>planned</span></p>\n<div class=\"charts\">\n",
        );
        for plan in &self.plan {
            let Some(item) = self.items.iter().find(|item| item.name == plan.name) else {
                continue;
            };
            let points = plan.points().iter().map(|&(day, value)| [day, value]);
            let planned = Line {
                class: "chance".to_owned(),
                style: Style::Dashed,
                points: points.collect(),
            };
            card(page, item, Some(planned));
        }
        page.push_str(
            "</div>\n<h2>Deviation in days</h2>\n<p class=\"soft\">The date when the plan reaches the actual value, \
             minus the date of the photos. The plan is linear between its dates and keeps its last value after \
             them; before them there is none.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>Item</th><th>Date</th>\
             <th>Planned</th><th>Actual</th><th>Days</th></tr></thead>\n<tbody>\n",
        );
        for row in &self.rows {
            let class = match row.days().0.map(f64::round) {
                Some(days) if days > 0.0 => " class=\"ahead\"",
                Some(days) if days < 0.0 => " class=\"behind\"",
                _ => "",
            };
            let cells = [
                escape(&row.item),
                row.date.to_string(),
                row.planned_text(),
                Row::actual_text(row),
            ];
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| format!("<td>{cell}</td>"))
                .collect();
            let days = row.days_text();
            line(
                page,
                &format!("<tr>{}<td{class}>{days}</td></tr>", cells.concat()),
            );
        }
        page.push_str("</tbody></table></div>\n");
    }

    /// Charts of what has no plan: classes, height and change.
    fn add_measured(&self, page: &mut String) {
        let is_planned = |item: &&Item| !self.plan.iter().any(|plan| plan.name == item.name);
        let items = self.items.iter().filter(is_planned);
        let change = self.change_item();
        let all: Vec<&Item> = items.chain(&change).collect();
        if all.is_empty() {
            return;
        }
        page.push_str("<h2>Measured</h2>\n<div class=\"charts\">\n");
        for item in all {
            card(page, item, None);
        }
        page.push_str("</div>\n");
    }

    /// The share that changed since the date before; none if no dates could be compared.
    fn change_item(&self) -> Option<Item> {
        let changes = self.views.changes.iter().zip(&self.photos);
        let values = changes.filter_map(|(change, photo)| {
            Some(Value {
                date: photo.time.date(),
                value: Some(change.as_ref()?.map.share()?),
                is_bound: false,
            })
        });
        let values: Vec<Value> = values.collect();
        (!values.is_empty()).then(|| Item {
            name: "changed since the date before".to_owned(),
            unit: Unit::Share,
            values,
        })
    }

    fn add_photos(&self, page: &mut String) {
        let counted = self
            .photos
            .iter()
            .any(|photo| !matches!(photo.found, Found::Nothing));
        let mut key = Vec::new();
        if self.views.changes.iter().flatten().next().is_some() {
            key.push("yellow: changed since the date before");
        }
        if !self.views.heights.is_empty() {
            key.push("green line: upper edge of a part that rises");
        }
        if counted {
            key.push("boxes or tints: classes of the run");
        }
        line(page, "<h2>Photos</h2>");
        if !key.is_empty() {
            line(page, &format!("<p class=\"key\">{}</p>", key.join("; ")));
        }
        page.push_str("<div class=\"photos\">\n");
        let mut left_out = 0;
        for (_, range) in dates(&self.photos) {
            left_out += range.len().saturating_sub(SHOWN);
            range.take(SHOWN).for_each(|at| self.add_photo(page, at));
        }
        page.push_str("</div>\n");
        if left_out > 0 {
            let text = format!(
                "{left_out} more photos are counted and not shown: the page has the first {SHOWN} of each date."
            );
            line(page, &format!("<p class=\"soft\">{text}</p>"));
        }
    }

    fn add_photo(&self, page: &mut String, at: usize) {
        let photo = &self.photos[at];
        let canvas = self.draw(at);
        let name = escape(file_name(&photo.name));
        let mut caption = format!("<b>{}</b> {name}<br>", photo.time.date());
        let _ = write!(caption, "Alignment: {}", escape(&self.placed_text(at)));
        if let (Some(text), Some(change)) = (self.change_text(at), &self.views.changes[at]) {
            let before = self.photos[change.before].time.date();
            let _ = write!(caption, ". Changed since {before}: {text}");
        }
        if let Found::Objects(objects) = &photo.found {
            let _ = write!(caption, ". Objects: {}", objects.len());
        }
        let figure = format!(
            "<figure><img src=\"{}\" alt=\"Photo of {}\" width=\"{}\" height=\"{}\" loading=\"lazy\">\
             <figcaption>{caption}</figcaption></figure>",
            data_uri(&canvas),
            photo.time.date(),
            canvas.width,
            canvas.height
        );
        line(page, &figure);
    }
}

/// A card with the chart of an item.
fn card(page: &mut String, item: &Item, planned: Option<Line>) {
    let points = item
        .values
        .iter()
        .filter_map(|value| Some([f64::from(value.date.to_julian_day()), value.value?]));
    let actual = Line::numbered(0, Style::Dotted, points.collect());
    let lines: Vec<Line> = planned.into_iter().chain([actual]).collect();
    page.push_str(&html::card(&item.name, &svg(&item.name, &lines, item.unit)));
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}
