//! The different n-grams of a text, order after order.
//!
//! An n-gram is a child of the one without its last token, and has its number at every position where it
//! ends. The numbers of one order sort the positions by prefix; as the positions are sorted by token
//! before, equal n-grams are then neighbors. Sorting is by counting, so an order takes linear time.

/// The n-grams of one order, in the order of their prefixes and last tokens.
#[derive(Clone, Debug)]
pub(super) struct Grams {
    /// Where the n-grams of each prefix start, and where the last ones end.
    starts: Vec<u32>,
    /// Their last tokens.
    last: Vec<u32>,
}

impl Grams {
    /// Number of prefixes: the n-grams of the order below.
    pub(super) fn prefixes(&self) -> usize {
        self.starts.len() - 1
    }

    /// The n-grams with a prefix.
    pub(super) fn of_prefix(&self, prefix: usize) -> std::ops::Range<usize> {
        self.starts[prefix] as usize..self.starts[prefix + 1] as usize
    }

    /// The n-gram of a prefix and a token, if it occurs.
    pub(super) fn find(&self, prefix: u32, token: u32) -> Option<usize> {
        let range = self.of_prefix(prefix as usize);
        let at = self.last[range.clone()].binary_search(&token).ok()?;
        Some(range.start + at)
    }
}

/// The n-grams of one order with their counts.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) grams: Grams,
    /// How often each occurs.
    pub(super) occurrences: Vec<u32>,
    /// How many different tokens occur in front of each; of the last order, 0.
    pub(super) extensions: Vec<u32>,
}

/// Counts the n-grams of 1, 2, … up to `max_order` tokens, as long as there are at most `max_ngrams` of them,
/// and always those of 2.
pub(super) fn count(
    tokens: &[u32],
    vocab_size: usize,
    max_order: usize,
    max_ngrams: usize,
) -> Vec<Order> {
    let positions = 0..tokens.len() as u32;
    let (by_token, starts) = counting_sort(positions, vocab_size, |at| tokens[at as usize]);
    let occurrences = starts.windows(2).map(|range| range[1] - range[0]).collect();
    let mut orders = vec![Order {
        grams: Grams {
            starts: vec![0, vocab_size as u32],
            last: (0..vocab_size as u32).collect(),
        },
        occurrences,
        extensions: vec![0; vocab_size],
    }];
    let mut ids = tokens.to_vec();
    let mut total = 0;
    for length in 2..=max_order.min(tokens.len()) {
        let Some(below) = orders.last_mut() else {
            break;
        };
        let (order, extensions) = longer(below, &mut ids, tokens, &by_token, length);
        total += order.occurrences.len();
        if length > 2 && total > max_ngrams {
            break;
        }
        below.extensions = extensions;
        orders.push(order);
    }
    orders
}

/// The n-grams of `length` tokens, and how many of them end with each n-gram of the order below.
///
/// `ids` are the n-grams of the order below that end at each position, and become those of this order.
fn longer(
    below: &Order,
    ids: &mut Vec<u32>,
    tokens: &[u32],
    by_token: &[u32],
    length: usize,
) -> (Order, Vec<u32>) {
    let complete = by_token.iter().copied();
    let complete = complete.filter(|&at| at as usize + 1 >= length);
    let prefixes = below.occurrences.len();
    let (sorted, groups) = counting_sort(complete, prefixes, |at| ids[at as usize - 1]);
    let (mut starts, mut last, mut occurrences) = (vec![0], Vec::new(), Vec::new());
    let mut extensions = vec![0; prefixes];
    let mut next = vec![0; tokens.len()];
    for group in groups.windows(2) {
        let group = &sorted[group[0] as usize..group[1] as usize];
        let token = |at: &u32| tokens[*at as usize];
        for equal in group.chunk_by(|left, right| token(left) == token(right)) {
            let id = last.len() as u32;
            last.push(token(&equal[0]));
            occurrences.push(equal.len() as u32);
            extensions[ids[equal[0] as usize] as usize] += 1;
            for &at in equal {
                next[at as usize] = id;
            }
        }
        starts.push(last.len() as u32);
    }
    *ids = next;
    let order = Order {
        grams: Grams { starts, last },
        extensions: vec![0; occurrences.len()],
        occurrences,
    };
    (order, extensions)
}

/// Positions in the order of their keys, those with equal keys as they come, and where those of each key start.
fn counting_sort(
    positions: impl Iterator<Item = u32> + Clone,
    keys: usize,
    key: impl Fn(u32) -> u32,
) -> (Vec<u32>, Vec<u32>) {
    let mut starts = vec![0_u32; keys + 1];
    for at in positions.clone() {
        starts[key(at) as usize + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let mut sorted = vec![0; starts[keys] as usize];
    for at in positions {
        let slot = &mut next[key(at) as usize];
        sorted[*slot as usize] = at;
        *slot += 1;
    }
    (sorted, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_extensions_are_those_by_hand() {
        // a b a b a c
        let orders = count(&[0, 1, 0, 1, 0, 2], 4, 3, 100);
        assert_eq!(orders.len(), 3);
        assert_eq!(orders[0].occurrences, [3, 2, 1, 0]);
        assert_eq!(orders[0].extensions, [1, 1, 1, 0]);
        // ab, ac, ba; the first `ab` has nothing in front of it.
        assert_eq!(orders[1].grams.last, [1, 2, 0]);
        assert_eq!(orders[1].grams.starts, [0, 2, 3, 3, 3]);
        assert_eq!(orders[1].occurrences, [2, 1, 2]);
        assert_eq!(orders[1].extensions, [1, 1, 1]);
        // aba, bab, bac
        assert_eq!(orders[2].grams.last, [0, 1, 2]);
        assert_eq!(orders[2].occurrences, [2, 1, 1]);
        assert_eq!(orders[2].grams.find(2, 2), Some(2));
        assert_eq!(orders[2].grams.find(1, 2), None);
    }

    #[test]
    fn too_many_ngrams_end_the_orders_but_pairs_are_always_counted() {
        let tokens: Vec<u32> = (0..50).map(|at| at * at % 17).collect();
        let of = |most| count(&tokens, 17, 6, most).len();
        assert_eq!((of(1), of(1_000)), (2, 6));
        assert_eq!(count(&[1, 0, 1], 2, 6, 100).len(), 3);
    }
}
