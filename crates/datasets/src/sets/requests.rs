//! Lines to a help desk, made from templates.

mod lines;
mod words;

use std::collections::HashSet;

use self::lines::{CLASSES, CLOSERS, CONNECTORS, Lines, OPENERS};
use self::words::SLOTS;
use crate::random::{Stream, below, permutation, stream, uniform};
use crate::text::TextSet;

/// Number of lines to train on, to choose by and to test on.
const ROWS: [usize; 3] = [4800, 300, 600];

/// Chance that a line also says what is in order with something else; most is learnt from such lines.
const ASIDE: [f32; 3] = [0.6, 0.3, 0.3];

/// Chance of a slip of the keyboard in a line.
const TYPO: f32 = 0.1;

/// Letters of the shortest word that a slip falls into.
const TYPO_LETTERS: usize = 5;

/// Lines to a help desk with what they are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requests {
    /// To train on.
    pub train: TextSet,
    /// To choose by: templates of its own, some words that are not in `train`.
    pub valid: TextSet,
    /// To test on: templates, products, places, names, devices and manners that are not in `train`.
    pub test: TextSet,
}

/// The three parts; a number of the random stream as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Valid,
    Test,
}

/// Makes requests of customers, of eight classes in equal parts: 4,800 to train on, 300 to choose by
/// and 600 to test on.
///
/// A line is a template filled with words, with a greeting and thanks or without. Six in ten of the
/// training lines, and three of the others, say too that something else is in order, as in "the invoice
/// is right, but the parcel is late": what counts is the complaint. One in ten has a typing error. Lines
/// of the three parts come from different templates, and what fills them in `test` (products, cities,
/// names, days, numbers, devices) occurs in no line of `train`; the words that carry the class are
/// those of `train` in other company.
///
/// ```
/// let set = tinderbox_datasets::sets::requests(0);
/// assert_eq!((set.train.texts().len(), set.test.texts().len()), (4800, 600));
/// assert_eq!(set.train.class_names()[0], "billing");
/// ```
pub fn requests(seed: u64) -> Requests {
    Requests {
        train: make(seed, Part::Train),
        valid: make(seed, Part::Valid),
        test: make(seed, Part::Test),
    }
}

fn make(seed: u64, part: Part) -> TextSet {
    /// Attempts at a line that is not there yet.
    const ATTEMPTS: usize = 20;
    let rows = ROWS[part as usize];
    let order = permutation(rows, &mut stream(seed, &[part as u64]));
    let mut seen = HashSet::new();
    let (mut texts, mut labels) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    for row in order {
        let class = row % CLASSES.len();
        let mut writer = Writer {
            part,
            rng: stream(seed, &[part as u64, row as u64]),
        };
        let mut line = writer.line(class);
        for _ in 1..ATTEMPTS {
            if !seen.contains(&line) {
                break;
            }
            line = writer.line(class);
        }
        seen.insert(line.clone());
        texts.push(line);
        labels.push(class as u16);
    }
    TextSet::of(
        texts,
        labels,
        CLASSES.map(|class| class.name.to_owned()).to_vec(),
    )
}

/// Writes the lines of a part.
struct Writer {
    part: Part,
    rng: Stream,
}

impl Writer {
    /// A line of a class.
    fn line(&mut self, class: usize) -> String {
        let core = self.pick(&CLASSES[class].requests);
        let core = self.fill(core);
        let body = if uniform(&mut self.rng) < ASIDE[self.part as usize] {
            let other = (class + 1 + below(&mut self.rng, CLASSES.len() - 1)) % CLASSES.len();
            let aside = self.pick(&CLASSES[other].asides);
            let aside = self.fill(aside);
            let connector = self.pick(&CONNECTORS);
            connector
                .replace("{aside}", &aside)
                .replace("{core}", &core)
        } else {
            core
        };
        let (opener, closer) = (self.pick(&OPENERS), self.pick(&CLOSERS));
        let closer = self.fill(closer);
        let line = format!("{opener}{body}{closer}");
        let line = self.typo(line);
        self.capital(line)
    }

    /// One of the lines of this part.
    fn pick(&mut self, lines: &Lines) -> &'static str {
        let lines = match self.part {
            Part::Train => lines.train,
            Part::Valid => lines.valid,
            Part::Test => lines.test,
        };
        lines[below(&mut self.rng, lines.len())]
    }

    /// Puts words in place of the names in braces.
    fn fill(&mut self, template: &str) -> String {
        let mut pieces = template.split(['{', '}']);
        let mut line = pieces.next().unwrap_or_default().to_owned();
        // Names and what follows them alternate.
        while let (Some(name), Some(after)) = (pieces.next(), pieces.next()) {
            let word = self.word(name);
            if word.starts_with(['a', 'e', 'i', 'o', 'u'])
                && (line == "a " || line.ends_with(" a "))
            {
                line.insert(line.len() - 1, 'n');
            }
            line.push_str(&word);
            line.push_str(after);
        }
        line
    }

    fn word(&mut self, name: &str) -> String {
        if matches!(name, "order" | "sum") {
            return self.number(name == "order");
        }
        let slot = SLOTS.iter().find(|slot| slot.0 == name);
        let Some((_, words)) = slot else {
            return name.to_owned();
        };
        self.pick(words).to_owned()
    }

    /// A number of an order or a sum of money; the leading digit is of this part only.
    fn number(&mut self, order: bool) -> String {
        let leading = match self.part {
            Part::Train => 1 + below(&mut self.rng, 5),
            Part::Valid => 6,
            Part::Test => 7 + below(&mut self.rng, 3),
        };
        if order {
            format!("{leading}{:04}", below(&mut self.rng, 10_000))
        } else {
            format!(
                "{leading}{}.{}0",
                below(&mut self.rng, 10),
                below(&mut self.rng, 10)
            )
        }
    }

    /// Swaps, drops or doubles a letter of a long word, now and then.
    fn typo(&mut self, line: String) -> String {
        if uniform(&mut self.rng) >= TYPO {
            return line;
        }
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let letters = |word: &String| word.chars().all(|c| c.is_ascii_alphabetic());
        let long = |word: &String| word.len() >= TYPO_LETTERS && letters(word);
        let places: Vec<usize> = (0..words.len()).filter(|&at| long(&words[at])).collect();
        if places.is_empty() {
            return line;
        }
        let word = &mut words[places[below(&mut self.rng, places.len())]];
        let mut letters: Vec<char> = word.chars().collect();
        let at = 1 + below(&mut self.rng, letters.len() - 2);
        match below(&mut self.rng, 3) {
            0 => letters.swap(at, at + 1),
            1 => drop(letters.remove(at)),
            _ => letters.insert(at, letters[at]),
        }
        *word = letters.into_iter().collect();
        words.join(" ")
    }

    /// Begins most lines with a capital letter.
    fn capital(&mut self, line: String) -> String {
        const CAPITAL: f32 = 0.7;
        if uniform(&mut self.rng) >= CAPITAL {
            return line;
        }
        let mut letters = line.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn words(lines: &[String]) -> BTreeSet<String> {
        let letters = |c: char| !c.is_alphanumeric();
        let words = lines.iter().flat_map(|line| line.split(letters));
        words.map(str::to_lowercase).collect()
    }

    fn all_lines() -> Vec<&'static Lines> {
        let classes = CLASSES
            .iter()
            .flat_map(|class| [&class.requests, &class.asides]);
        classes.chain([&CONNECTORS]).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_lines_and_another_gives_others() {
        assert_eq!(requests(3), requests(3));
        assert_ne!(requests(3).train.texts(), requests(4).train.texts());
    }

    #[test]
    fn the_classes_are_equally_frequent() {
        let set = requests(0);
        for (part, rows) in [(&set.train, 4800), (&set.valid, 300), (&set.test, 600)] {
            assert_eq!(part.texts().len(), rows);
            for class in 0..8 {
                let found = part
                    .labels()
                    .iter()
                    .filter(|&&label| label == class)
                    .count();
                assert!((rows / 8..=rows / 8 + 1).contains(&found));
            }
        }
    }

    #[test]
    fn no_template_is_in_two_parts() {
        for lines in all_lines() {
            let all = [lines.train, lines.valid, lines.test].concat();
            let distinct: BTreeSet<&str> = all.iter().copied().collect();
            assert_eq!(distinct.len(), all.len(), "{lines:?}");
        }
    }

    #[test]
    fn every_name_in_braces_has_words() {
        for lines in all_lines() {
            for line in [lines.train, lines.valid, lines.test].concat() {
                for name in line
                    .split('{')
                    .skip(1)
                    .filter_map(|rest| rest.split('}').next())
                {
                    let known = ["order", "sum", "aside", "core"].contains(&name);
                    assert!(known || SLOTS.iter().any(|slot| slot.0 == name), "{line}");
                }
            }
        }
    }

    #[test]
    fn most_test_lines_have_words_that_are_in_no_training_line() {
        let set = requests(0);
        let trained = words(set.train.texts());
        let fresh = |line: &&String| {
            words(std::slice::from_ref(*line))
                .iter()
                .any(|word| !trained.contains(word))
        };
        let fresh = set.test.texts().iter().filter(fresh).count();
        assert!(fresh >= 480, "{fresh} of 600");
    }

    #[test]
    fn few_lines_are_double_and_none_is_both_trained_and_tested() {
        let set = requests(0);
        let distinct: BTreeSet<&String> = set.train.texts().iter().collect();
        assert!(distinct.len() > 4750, "{}", distinct.len());
        assert!(set.test.texts().iter().all(|line| !distinct.contains(line)));
    }
}
