//! The parts of every page.

use std::fmt::Write as _;

use tinderbox_datasets::escape::escape_markup;

pub use crate::style::STYLE;

/// The beginning of every page up to the line that says who has written it.
const START: &str = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
                     <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
const GENERATOR: &str = "<meta name=\"generator\" content=\"Tinderbox\">\n";

/// The beginning of the style sheet of pages of earlier versions, which do not say who has written them.
const OLD_STYLE: &str = "<style>\n:root{color-scheme:light dark;--ink:";

/// A page with a title and a body, which is markup.
pub fn document(title: &str, body: &str) -> String {
    format!(
        "{START}{GENERATOR}<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape_markup(title)
    )
}

/// Whether a text is a page of [`document`], of this or an earlier version.
pub fn is_own(text: &str) -> bool {
    let rest = text.strip_prefix(START);
    rest.is_some_and(|rest| rest.starts_with(GENERATOR) || rest.contains(OLD_STYLE))
}

/// A table whose first row is the header; wide ones scroll inside of the page.
pub fn table(rows: &[Vec<String>]) -> String {
    marked_table(rows, |_| false)
}

/// The same with rows that stand out; the header is row 0.
pub fn marked_table(rows: &[Vec<String>], is_marked: impl Fn(usize) -> bool) -> String {
    let Some((head, body)) = rows.split_first() else {
        return String::new();
    };
    let mut table = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
    for cell in head {
        let _ = write!(table, "<th>{}</th>", escape_markup(cell));
    }
    table.push_str("</tr></thead>\n<tbody>\n");
    for (row, at) in body.iter().zip(1..) {
        table.push_str(if is_marked(at) {
            "<tr class=\"own\">"
        } else {
            "<tr>"
        });
        for cell in row {
            // Long texts wrap, numbers do not.
            let class = if cell.chars().count() > 28 {
                " class=\"text\""
            } else {
                ""
            };
            let _ = write!(table, "<td{class}>{}</td>", escape_markup(cell));
        }
        table.push_str("</tr>\n");
    }
    table.push_str("</tbody></table></div>\n");
    table
}

/// A card with a heading; `content` is markup.
pub fn card(title: &str, content: &str) -> String {
    if title.is_empty() {
        return format!("<div class=\"card\">{content}</div>\n");
    }
    let title = escape_markup(title);
    format!("<div class=\"card\"><h3>{title}</h3>\n{content}</div>\n")
}

/// The names of series under a chart, each with the class of its color.
pub fn key<'a>(names: impl IntoIterator<Item = (String, &'a str)>) -> String {
    let mut key = String::from("<p class=\"key\">");
    for (class, name) in names {
        let _ = write!(
            key,
            "<span><i class=\"{class}\"></i>{}</span>",
            escape_markup(name)
        );
    }
    key.push_str("</p>\n");
    key
}

/// A paragraph of text, with its line breaks; what stands between backticks is code.
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", prose(text).replace('\n', "<br>\n"))
}

/// Text as markup; what stands between backticks is code.
pub fn prose(text: &str) -> String {
    let escaped = escape_markup(text);
    let parts: Vec<&str> = escaped.split('`').collect();
    // An odd backtick is one.
    if parts.len().is_multiple_of(2) {
        return escaped;
    }
    let part = |(at, part): (usize, &&str)| match at % 2 {
        0 => (*part).to_owned(),
        _ => format!("<code>{part}</code>"),
    };
    parts.iter().enumerate().map(part).collect()
}

/// A text whose parts are colored by their weights: green for the prediction, red against it.
pub fn highlights(parts: &[(String, f64)]) -> String {
    // Where no part has a weight worth the name, none is colored.
    let most = parts
        .iter()
        .map(|(_, weight)| weight.abs())
        .filter(|weight| weight.is_finite())
        .fold(0.1, f64::max);
    let mut text = String::from("<p class=\"words\">");
    for (part, weight) in parts {
        let part = escape_markup(part);
        if *weight == 0.0 || !weight.is_finite() {
            text.push_str(&part);
            continue;
        }
        let color = if *weight > 0.0 { "for" } else { "against" };
        let opacity = 0.55 * weight.abs() / most;
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            "<span title=\"{weight:+.2}\" style=\"background:rgba(var(--{color}),{opacity:.2})\">{part}</span>"
        );
    }
    text.push_str("</p>\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_with_a_weight_are_colored_and_none_adds_markup() {
        let part = |text: &str, weight| (text.to_owned(), weight);
        let text = highlights(&[part("win", 2.0), part(" <b>", 0.0), part("<i>", -1.0)]);
        assert_eq!(text.matches("<span title").count(), 2);
        assert!(
            text.contains("&lt;b&gt;") && text.contains("&lt;i&gt;"),
            "{text}"
        );
        assert!(
            text.contains("--for),0.55") && text.contains("--against),0.28"),
            "{text}"
        );
    }

    #[test]
    fn backticks_are_code_in_pairs() {
        assert_eq!(prose("`<a>` or b"), "<code>&lt;a&gt;</code> or b");
        assert_eq!(prose("it`s"), "it`s");
    }

    #[test]
    fn a_page_is_known_as_one_also_of_an_earlier_version() {
        let page = document("a", "b");
        assert!(is_own(&page));
        assert!(is_own(&page.replace(GENERATOR, "")));
        assert!(!is_own("<!doctype html>\n<title>mine</title>\n"));
    }

    #[test]
    fn cells_cannot_add_markup() {
        let rows = vec![vec!["<th>".to_owned()], vec!["</table><script>".to_owned()]];
        let text = table(&rows) + &card("<h3>", "") + &key([("s0".to_owned(), "<i>")]);
        assert!(
            !text.contains("<script") && !text.contains("<h3><h3>"),
            "{text}"
        );
        assert!(text.contains("&lt;i&gt;"));
        assert!(document("</title><script>", "").contains("&lt;/title&gt;&lt;script&gt;"));
    }
}
