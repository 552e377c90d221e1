//! The line of an epoch: every metric where there is room, and the ones that matter where there is
//! not. A line on a terminal is never broken, and no word in it is cut.

use std::collections::BTreeMap;

use crate::output::width;

/// What is known of an epoch.
pub(crate) struct EpochLine<'a> {
    /// As in `epoch 3/10`.
    pub(crate) position: String,
    pub(crate) train: &'a BTreeMap<String, f64>,
    pub(crate) valid: &'a BTreeMap<String, f64>,
    pub(crate) seconds: f64,
}

/// A part of the line, and how early it is left out.
struct Part {
    group: &'static str,
    text: String,
    /// Parts of the largest rank go first; those of rank 0 stay.
    rank: usize,
}

impl EpochLine<'_> {
    /// Everything, for a file or a pipe.
    pub(crate) fn full(&self) -> String {
        let columns = |metrics: &BTreeMap<String, f64>| {
            let shown = metrics.iter().filter(|(name, _)| *name != "learning_rate");
            let shown = shown.map(|(name, value)| format!("{name} {value:.4}"));
            shown.collect::<Vec<_>>().join("  ")
        };
        let rate = self.train.get("learning_rate");
        let rate = rate
            .map(|rate| format!("  learning_rate {rate:.2e}"))
            .unwrap_or_default();
        format!(
            "{}  train  {}{rate}  valid  {}  {:.1} s",
            self.position,
            columns(self.train),
            columns(self.valid),
            self.seconds
        )
    }

    /// What fits a terminal of so many columns.
    pub(crate) fn fitted(&self, columns: usize) -> String {
        let mut parts = self.parts();
        while width(&joined(&parts)) > columns {
            let last = parts.iter().map(|part| part.rank).max().unwrap_or(0);
            if last == 0 {
                break;
            }
            parts.retain(|part| part.rank < last);
        }
        joined(&parts)
    }

    fn parts(&self) -> Vec<Part> {
        let part = |group, text, rank| Part { group, text, rank };
        let mut parts = vec![part("", self.position.clone(), 0)];
        let named = |names: &[&String], metrics: &BTreeMap<String, f64>, group, ranks: &[usize]| {
            let one = |(name, rank): (&&String, &usize)| {
                let value = metrics.get(*name).copied().unwrap_or(f64::NAN);
                part(group, format!("{name} {value:.4}"), *rank)
            };
            names.iter().zip(ranks).map(one).collect::<Vec<_>>()
        };
        // The loss alone shows whether training makes progress; more metrics say how good the model is.
        let train = ordered(self.train, true);
        let ranks: Vec<usize> = (0..train.len())
            .map(|at| if at == 0 { 4 } else { 30 + at })
            .collect();
        parts.extend(named(&train, self.train, "train", &ranks));
        let valid = ordered(self.valid, false);
        let ranks: Vec<usize> = (0..valid.len())
            .map(|at| [1, 2].get(at).copied().unwrap_or(10 + at))
            .collect();
        parts.extend(named(&valid, self.valid, "valid", &ranks));
        if let Some(rate) = self.train.get("learning_rate") {
            parts.push(part("lr", format!("{rate:.1e}"), 100));
        }
        parts.push(part("time", format!("{:.1} s", self.seconds), 3));
        parts
    }
}

/// Names of metrics, with the loss first or last.
fn ordered(metrics: &BTreeMap<String, f64>, loss_first: bool) -> Vec<&String> {
    let shown = metrics.keys().filter(|name| *name != "learning_rate");
    let (loss, others): (Vec<_>, Vec<_>) = shown.partition(|name| *name == "loss");
    if loss_first {
        [loss, others].concat()
    } else if others.is_empty() {
        loss
    } else {
        // The best known of the others, then the loss, then the rest.
        [&others[..1], &loss, &others[1..]].concat()
    }
}

/// Two spaces between groups, one within a group, whose name stands in front.
fn joined(parts: &[Part]) -> String {
    let mut line = String::new();
    let mut group = "";
    for part in parts {
        if part.group != group || line.is_empty() {
            if !line.is_empty() {
                line.push_str("  ");
            }
            group = part.group;
            if !matches!(group, "" | "time") {
                line.push_str(group);
                line.push(' ');
            }
        } else {
            line.push(' ');
        }
        line.push_str(&part.text);
    }
    line
}

/// As many of the words as fit in so many columns, from the first.
pub(crate) fn fitting(words: &[String], columns: usize) -> String {
    let mut line = String::new();
    for word in words {
        let gap = if line.is_empty() { 0 } else { 2 };
        if width(&line) + gap + width(word) > columns {
            break;
        }
        if gap > 0 {
            line.push_str("  ");
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(names: &[&str]) -> BTreeMap<String, f64> {
        let pairs = names.iter().map(|name| ((*name).to_owned(), 0.5));
        pairs.collect()
    }

    #[test]
    fn a_line_drops_whole_parts_until_it_fits() {
        let mut train = metrics(&["accuracy", "loss"]);
        train.insert("learning_rate".to_owned(), 1e-3);
        let valid = metrics(&["accuracy", "f1", "loss"]);
        let line = EpochLine {
            position: "epoch  3/40".to_owned(),
            train: &train,
            valid: &valid,
            seconds: 12.34,
        };
        for (columns, text) in [
            (
                120,
                "epoch  3/40  train loss 0.5000 accuracy 0.5000  valid accuracy 0.5000 loss 0.5000 f1 \
                 0.5000  lr 1.0e-3  12.3 s",
            ),
            (
                80,
                "epoch  3/40  train loss 0.5000  valid accuracy 0.5000 loss 0.5000 f1 0.5000  12.3 s",
            ),
            (60, "epoch  3/40  valid accuracy 0.5000 loss 0.5000  12.3 s"),
            (40, "epoch  3/40  valid accuracy 0.5000"),
            (20, "epoch  3/40"),
            (1, "epoch  3/40"),
        ] {
            let fitted = line.fitted(columns);
            assert!(
                columns < 11 || width(&fitted) <= columns,
                "{columns}: {fitted}"
            );
            if columns != 80 {
                assert_eq!(fitted, text, "{columns}");
            }
        }
        assert!(line.fitted(80).len() <= 80 && line.fitted(80).contains("train loss"));
        let full = line.full();
        for word in [
            "train  accuracy",
            "learning_rate 1.00e-3",
            "f1 0.5000",
            "12.3 s",
        ] {
            assert!(full.contains(word), "{full}");
        }
    }

    #[test]
    fn words_fit_or_are_left_out() {
        let words = ["loss 0.5000", "accuracy 0.9000"].map(str::to_owned);
        for (columns, text) in [
            (30, "loss 0.5000  accuracy 0.9000"),
            (27, "loss 0.5000"),
            (11, "loss 0.5000"),
            (10, ""),
        ] {
            assert_eq!(fitting(&words, columns), text);
        }
    }
}
