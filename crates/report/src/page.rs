//! The page of a run.

use std::fmt::Write as _;
use std::path::Path;

use tinderbox_train::section::Body;

use crate::facts::{capital, fold_rows, score_rows, sentence, split_rows, tiles};
use crate::images::Thumbnails;
use crate::series::{overfitting, training};
use crate::{Run, compare, curves, html, model, reproduce, section, warnings};
use tinderbox_datasets::escape::escape_markup;

/// Images of a run that a chart of the page shows better.
const REDRAWN: [&str; 3] = ["learning-curves", "confusion-matrix", "precision-recall"];

/// One run, or several side by side, as a page that needs nothing else.
pub fn page(runs: &[Run]) -> String {
    match runs {
        [run] => single(run),
        _ => compare::page(runs),
    }
}

fn single(run: &Run) -> String {
    let mut page = header(run);
    add_scores(&mut page, run);
    add_training(&mut page, run);
    add_sections(&mut page, run);
    add_images(&mut page, run);
    add_data(&mut page, run);
    add_reproduction(&mut page, run);
    page.push_str(&footer());
    html::document(&title(run), &page)
}

/// The name of the recipe, or of the directory where there is none.
pub(crate) fn title(run: &Run) -> String {
    let recipe = run.summary.as_ref().map(|summary| summary.recipe.as_str());
    let stored = run.model.get("recipe").and_then(|recipe| recipe.as_str());
    let name = recipe.filter(|name| !name.is_empty()).or(stored);
    name.unwrap_or(&run.name).to_owned()
}

fn header(run: &Run) -> String {
    let mut text = format!(
        "<header>\n<small>{} · {}</small>\n<h1>{}</h1>\n",
        escape_markup(&capital(model::task(run).name)),
        escape_markup(&run.name),
        escape_markup(&title(run))
    );
    if let Some(data) = run
        .summary
        .as_ref()
        .and_then(|summary| summary.data.as_ref())
    {
        text.push_str(&html::paragraph(&capital(&data.summary)));
    }
    let _ = writeln!(
        text,
        "<p class=\"lead\">{}</p>",
        html::prose(&sentence(run))
    );
    text.push_str("<ul class=\"tiles\">\n");
    for (value, name) in tiles(run) {
        let (value, name) = (escape_markup(&value), escape_markup(&name));
        // Writing into a string cannot fail.
        let _ = writeln!(text, "<li><b>{value}</b><span>{name}</span></li>");
    }
    text.push_str("</ul>\n");
    text.push_str(&warning_list(&warnings::warnings(run)));
    text.push_str("</header>\n");
    text
}

/// Warnings as a list; nothing without any.
pub(crate) fn warning_list(warnings: &[String]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let mut text = String::from("<div class=\"warnings\"><b>Warnings</b>\n<ul>\n");
    for warning in warnings {
        let _ = writeln!(text, "<li>{}</li>", html::prose(&capital(warning)));
    }
    text.push_str("</ul></div>\n");
    text
}

fn add_scores(page: &mut String, run: &Run) {
    let Some(summary) = &run.summary else { return };
    let rows = score_rows(summary);
    let folds = fold_rows(run);
    if rows.is_empty() && folds.is_empty() {
        return;
    }
    page.push_str("<h2>Scores</h2>\n");
    page.push_str(&html::marked_table(&rows, |row| {
        rows[row][0] == "this model, test"
    }));
    page.push_str(&html::table(&folds));
}

fn add_training(page: &mut String, run: &Run) {
    let Some(training) = training(run).filter(|training| !training.metrics.is_empty()) else {
        return;
    };
    let headline = run
        .summary
        .as_ref()
        .and_then(|summary| summary.headline.as_ref());
    let headline = headline.map(|headline| headline.metric.as_str());
    page.push_str("<h2>Training</h2>\n");
    if let Some(text) = overfitting(&training) {
        page.push_str(&html::paragraph(&text));
    }
    page.push_str(&curves::charts(&training, headline));
}

fn add_sections(page: &mut String, run: &Run) {
    let Some(sections) = run.sections.as_ref().filter(|all| !all.is_empty()) else {
        return;
    };
    page.push_str("<h2>Test results</h2>\n");
    page.push_str(&section::all(sections));
}

/// The name of an image, from its file.
pub(crate) fn image_name(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    capital(&stem.replace(['-', '_'], " "))
}

fn add_images(page: &mut String, run: &Run) {
    let mut files = run.images();
    let sections = || run.sections.iter().flatten();
    let has_matrix = sections().any(|section| matches!(section.body, Body::Matrix { .. }));
    let has_recall = sections()
        .any(|section| matches!(&section.body, Body::Curves { axes: [x, _], .. } if x == "recall"));
    let is_redrawn = |file: &Path| {
        let stem = file.file_stem().unwrap_or_default();
        let drawn = [run.metrics.is_some(), has_matrix, has_recall];
        REDRAWN
            .iter()
            .zip(drawn)
            .any(|(name, drawn)| drawn && stem == *name)
    };
    files.retain(|file| !is_redrawn(file));
    if files.is_empty() {
        return;
    }
    let images = Thumbnails::read(&run.dir, files);
    page.push_str("<h2>Images</h2>\n<div class=\"photos\">\n");
    for image in &images.shown {
        let name = escape_markup(&image_name(&image.file));
        let file = escape_markup(&image.file.display().to_string());
        let [width, height] = image.size;
        let _ = writeln!(
            page,
            "<figure><img src=\"{}\" alt=\"{name}\" width=\"{width}\" height=\"{height}\">\
             <figcaption><b>{name}</b> <code>{file}</code></figcaption></figure>",
            image.uri
        );
    }
    page.push_str("</div>\n");
    if !images.left_out.is_empty() {
        let names: Vec<String> = images
            .left_out
            .iter()
            .map(|file| {
                format!(
                    "<code>{}</code>",
                    escape_markup(&file.display().to_string())
                )
            })
            .collect();
        let count = names.len();
        let noun = if count == 1 { "image is" } else { "images are" };
        let _ = writeln!(
            page,
            "<p class=\"soft\">{count} {noun} not on this page, which is kept below 1 MB, or cannot be read: \
             {}.</p>",
            names.join(", ")
        );
    }
}

fn add_data(page: &mut String, run: &Run) {
    let Some(summary) = &run.summary else { return };
    let rows = split_rows(summary);
    if rows.is_empty() {
        return;
    }
    page.push_str("<h2>Data</h2>\n");
    page.push_str(&html::table(&rows));
    let data = summary.data.iter().flat_map(|data| &data.splits);
    let sources: Vec<String> = data
        .filter(|split| !split.source.is_empty())
        .map(|split| format!("{}: {}", split.name, split.source))
        .collect();
    if !sources.is_empty() {
        page.push_str(&html::paragraph(&format!(
            "Sources: {}.",
            sources.join("; ")
        )));
    }
}

fn add_reproduction(page: &mut String, run: &Run) {
    page.push_str("<h2>Reproducibility</h2>\n");
    if let Some(command) = reproduce::command(run) {
        let _ = writeln!(
            page,
            "<p>In the run directory, this command repeats the run:</p>\n<pre>{}</pre>",
            escape_markup(&command)
        );
    }
    page.push_str("<table class=\"facts\">\n<tbody>\n");
    for [name, value] in reproduce::facts(run) {
        let (name, value) = (escape_markup(&name), escape_markup(&value));
        let _ = writeln!(page, "<tr><td>{name}</td><td>{value}</td></tr>");
    }
    page.push_str("</tbody></table>\n");
    if let Some(recipe) = &run.recipe {
        let _ = writeln!(
            page,
            "<h3>Resolved recipe</h3>\n<pre class=\"recipe\">{}</pre>",
            escape_markup(recipe.trim_end())
        );
    }
}

/// What holds for every page.
pub(crate) fn footer() -> String {
    "<footer><p>Made from the files of the run; nothing was computed again. Scores on data from another time or \
     place may be lower.</p></footer>\n"
        .to_owned()
}

#[cfg(test)]
mod tests;
