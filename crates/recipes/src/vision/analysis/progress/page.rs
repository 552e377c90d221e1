//! The page: one HTML file that needs nothing else.

use std::fmt::Write as _;

use super::Progress;
use super::chart::{Line, svg};
use super::draw::data_uri;
use super::items::{Item, Value, dates};
use super::outcome::{Row, value_text};
use super::plan::Unit;
use super::report::file_name;
use super::series::Found;

/// Photos of one date that are shown.
const SHOWN: usize = 4;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d7dce1;--ground:#fff;--card:#f6f8fa;\
--plan:#59636e;--actual:#0072b2;--good:#00704f;--bad:#b34700}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a3abb4;--line:#3a4149;--ground:#15181c;\
--card:#1e2328;--plan:#a3abb4;--actual:#56b4e9;--good:#3ecf9a;--bad:#ff9a52}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0 auto;max-width:72rem;\
padding:1.5rem 1rem 3rem}
h1{font-size:1.6rem;line-height:1.2;margin:0}h2{font-size:1.2rem;margin:2.2rem 0 .6rem}
h3{font-size:1rem;margin:0 0 .3rem;overflow-wrap:anywhere}
p,ul{margin:.4rem 0;max-width:46rem}ul{padding-left:1.2rem}li{margin:.3rem 0}
small,figcaption,.soft{color:var(--soft)}
.charts,.photos{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr))}
.card,figure{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:0;padding:.8rem;min-width:0}
figure{padding:0;overflow:hidden}figcaption{padding:.6rem .8rem;font-size:.9rem;overflow-wrap:anywhere}
figcaption b{color:var(--ink)}
img{display:block;width:100%;height:auto}
svg{display:block;width:100%;height:auto;max-width:40rem}
svg text{font-size:13px;fill:var(--soft)}.grid{stroke:var(--line)}
polyline{fill:none;stroke-width:2.5;stroke-linejoin:round}
polyline.plan{stroke:var(--plan);stroke-dasharray:7 5}polyline.actual{stroke:var(--actual)}
circle.actual{fill:var(--actual)}
.key{font-size:.85rem;color:var(--soft)}.key b{color:var(--actual)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.93rem;width:100%}
th,td{padding:.35rem .6rem;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--soft);font-weight:600}
th:first-child,td:first-child{text-align:left;padding-left:0}
@media(max-width:30rem){table{font-size:.82rem}th,td{padding:.35rem .2rem}td:last-child{white-space:normal}}
.ahead{color:var(--good);font-weight:600}.behind{color:var(--bad);font-weight:600}
footer{border-top:1px solid var(--line);margin-top:2.5rem;padding-top:.8rem;color:var(--soft);font-size:.9rem}
";

/// What the page measures and what it cannot show.
const LIMITS: &str = "This page measures what photos show: counts, visible change and the rise of the skyline, against \
    the dates of a plan. It shows no money and no cause: whether monitoring saves a share of the budget, such as the \
    11% that the industry claims, can neither be confirmed nor refuted with it.";

impl Progress<'_> {
    /// The whole page.
    pub(super) fn page(&self) -> String {
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Construction progress</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <h1>Construction progress</h1>\n<p class=\"soft\">{}</p>\n",
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
        line(
            &mut page,
            &format!("<footer><p>{run}{LIMITS}</p></footer>\n</body>\n</html>"),
        );
        page
    }

    /// Charts of planned items, and the table of days.
    fn add_plan(&self, page: &mut String) {
        if self.rows.is_empty() {
            return;
        }
        page.push_str(
            "<h2>Planned and actual</h2>\n<p class=\"key\"><b>—</b> actual, - - planned</p>\n<div class=\"charts\">\n",
        );
        for plan in &self.plan {
            let Some(item) = self.items.iter().find(|item| item.name == plan.name) else {
                continue;
            };
            let planned = Line {
                class: "plan",
                points: plan.points().to_vec(),
                dots: false,
            };
            card(page, item, Some(planned));
        }
        page.push_str(
            "</div>\n<h2>Deviation in days</h2>\n<p class=\"soft\">The date when the plan reaches the actual value, \
             minus the date of the photos.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>Item</th><th>Date</th>\
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
                value_text(row.planned, row.unit),
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
        .filter_map(|value| Some((f64::from(value.date.to_julian_day()), value.value?)));
    let actual = Line {
        class: "actual",
        points: points.collect(),
        dots: true,
    };
    let lines: Vec<Line> = planned.into_iter().chain([actual]).collect();
    let name = escape(&item.name);
    let chart = svg(&name, &lines, item.unit);
    line(
        page,
        &format!("<div class=\"card\"><h3>{name}</h3>\n{chart}</div>"),
    );
}

fn line(page: &mut String, text: &str) {
    page.push_str(text);
    page.push('\n');
}

/// Text for the page: markup is escaped, and control characters are replaced.
fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            letter if letter.is_control() => shown.push('\u{fffd}'),
            letter => shown.push(letter),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_add_markup() {
        assert_eq!(
            escape("<a b=\"c\">&\u{1b}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;\u{fffd}"
        );
    }
}
