//! Text from data on its way into a page or a command: no character of it may act there.

use std::fmt::Write as _;
use std::path::Path;

/// Whether a character acts on a terminal or a page: control characters, separators of lines and paragraphs,
/// the byte order mark, and the marks that embed, override or isolate a direction of writing
/// (<https://www.unicode.org/reports/tr9/>).
pub fn acts_on_a_terminal(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

/// Whether XML 1.0 cannot hold the character, even as a reference.
pub(crate) fn is_outside_xml(letter: char) -> bool {
    matches!(letter, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Text for an SVG or HTML page: markup, and characters that such a page cannot hold, are escaped.
pub fn escape_markup(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            letter if is_outside_xml(letter) => shown.push('\u{fffd}'),
            letter if acts_on_a_terminal(letter) && !"\n\r\t".contains(letter) => {
                // Writing into a string cannot fail.
                let _ = write!(shown, "\\u{:04x}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    shown
}

/// Text for a line of Markdown: neither its marks nor markup act, and it stays one line.
pub fn escape_markdown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut before = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
        // Inside of a word it is no mark.
        let is_inside = is_word(before) && is_word(letters.peek().copied());
        before = Some(letter);
        match letter {
            '_' if is_inside => shown.push('_'),
            '\n' | '\r' | '\t' => shown.push(' '),
            // As entities: a backslash is not read in every place of a page.
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '|' => shown.push_str("&#124;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '$' => {
                shown.push('\\');
                shown.push(letter);
            }
            letter if acts_on_a_terminal(letter) => {
                let _ = write!(shown, "\\\\u{:04x}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    // An address would become a link, and a leading mark a list.
    let shown = shown
        .replace("://", ":&#47;&#47;")
        .replace("www.", "www&#46;");
    if shown.starts_with(['-', '+', '#', '=']) {
        return format!("\\{shown}");
    }
    shown
}

/// Text as a YAML string in double quotes, which JSON's escapes are valid in; without markup, as not every
/// renderer of Markdown knows front matter.
pub fn escape_yaml(text: &str) -> String {
    let mut shown = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => shown.push_str("\\\""),
            '\\' => shown.push_str("\\\\"),
            letter
                if matches!(letter, '<' | '>' | '&')
                    || acts_on_a_terminal(letter)
                    || is_outside_xml(letter) =>
            {
                let _ = write!(shown, "\\u{:04x}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    shown.push('"');
    shown
}

/// A path or a word as a shell takes it, for the commands in messages: in single quotes where it needs them.
pub fn shell_word<P: AsRef<Path> + ?Sized>(path: &P) -> String {
    let word = path.as_ref().to_string_lossy();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_where_a_shell_needs_it() {
        for (path, shell) in [
            (
                "runs/mnist/20260102T030405Z-42",
                "runs/mnist/20260102T030405Z-42",
            ),
            ("my runs/a", "'my runs/a'"),
            ("it's", r"'it'\''s'"),
            ("größe", "größe"),
            ("a;b", "'a;b'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(path), shell);
        }
    }

    #[test]
    fn a_page_holds_no_markup_and_no_forbidden_character() {
        for (text, shown) in [
            ("a & b", "a &amp; b"),
            ("<m>", "&lt;m&gt;"),
            ("say \"x\"", "say &quot;x&quot;"),
            ("\x1b[31m\0", "\u{fffd}[31m\u{fffd}"),
            ("\u{ffff}", "\u{fffd}"),
            ("line\nbreak", "line\nbreak"),
            ("\u{202e}rtl", "\\u202ertl"),
        ] {
            assert_eq!(escape_markup(text), shown);
        }
    }

    #[test]
    fn a_line_of_markdown_stays_text() {
        for (text, shown) in [
            ("a|b", "a&#124;b"),
            ("**bold**", "\\*\\*bold\\*\\*"),
            ("<script>", "&lt;script&gt;"),
            ("[x](http://a.b)", "\\[x\\](http:&#47;&#47;a.b)"),
            ("two\nlines", "two lines"),
            ("- item", "\\- item"),
            ("size - 2", "size - 2"),
            ("# title", "\\# title"),
            ("return_mean and _this_", "return_mean and \\_this\\_"),
        ] {
            assert_eq!(escape_markdown(text), shown);
        }
    }

    #[test]
    fn a_string_of_yaml_ends_where_it_should() {
        assert_eq!(escape_yaml("a\": b\n\\"), r#""a\": b\u000a\\""#);
        assert_eq!(escape_yaml("<b>"), r#""\u003cb\u003e""#);
    }
}
