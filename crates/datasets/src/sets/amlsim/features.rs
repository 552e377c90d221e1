//! What an account does.

use std::collections::{BTreeSet, HashMap};

use super::{Amlsim, Payment};
use crate::table::Column;

/// Payments below this share of what their payer pays at most are unusual.
const USUAL: f64 = 0.9;

/// Features whose means over the partners are features too.
const OF_PARTNERS: [&str; 8] = [
    "in_count",
    "out_count",
    "in_sum",
    "out_sum",
    "in_partners",
    "out_partners",
    "in_unusual",
    "out_least_share",
];

/// A column by its name.
type Named = (String, Vec<f64>);

/// The columns in the order of the table in [`Amlsim::features`].
pub(super) fn columns(data: &Amlsim) -> Vec<Column> {
    let sides = [Side::new(data, false), Side::new(data, true)];
    let mut named: Vec<Named> = sides.iter().flat_map(|side| side.columns(data)).collect();
    named.extend(unusual(data, &sides));
    named.extend(circles(data, &sides));
    let means: Vec<Named> = sides.iter().flat_map(|side| side.means(&named)).collect();
    named.extend(means);
    named
        .into_iter()
        .map(|(name, values)| Column::numeric(name, values))
        .collect()
}

/// The payments that accounts get, or that they make.
struct Side {
    made: bool,
    /// Positions of the payments of each account, by day.
    payments: Vec<Vec<usize>>,
    /// The accounts at the other end, each once.
    partners: Vec<Vec<usize>>,
}

impl Side {
    fn new(data: &Amlsim, made: bool) -> Self {
        let payments = data.by_account(made);
        let other = |&at: &usize| {
            if made {
                data.payments[at].to
            } else {
                data.payments[at].from
            }
        };
        let partners = |list: &Vec<usize>| {
            let distinct: BTreeSet<usize> = list.iter().map(other).collect();
            distinct.into_iter().collect()
        };
        let partners = payments.iter().map(partners).collect();
        Self {
            made,
            payments,
            partners,
        }
    }

    fn columns(&self, data: &Amlsim) -> Vec<Named> {
        let side = if self.made { "out" } else { "in" };
        let column = |name: &str, of: &dyn Fn(&[&Payment]) -> f64| {
            let of = |list: &Vec<usize>| {
                let payments: Vec<&Payment> = list.iter().map(|&at| &data.payments[at]).collect();
                of(&payments)
            };
            (
                format!("{side}_{name}"),
                self.payments.iter().map(of).collect::<Vec<f64>>(),
            )
        };
        let mut columns = vec![
            column("count", &|list| list.len() as f64),
            column("sum", &|list| sum(list)),
            column("mean", &|list| sum(list) / list.len() as f64),
            column("deviation", &|list| {
                deviation(list.iter().map(|payment| payment.value))
            }),
            column("least", &|list| extreme(list, f64::min)),
            column("most", &|list| extreme(list, f64::max)),
            column("first", &|list| {
                list.first().map_or(f64::NAN, |payment| payment.day)
            }),
            column("last", &|list| {
                list.last().map_or(f64::NAN, |payment| payment.day)
            }),
            column("days", &|list| {
                list.chunk_by(|a, b| a.day == b.day).count() as f64
            }),
            column("gap", &|list| mean(gaps(list))),
            column("burstiness", &burstiness),
            column("repeats", &repeats),
        ];
        let partners = self
            .partners
            .iter()
            .map(|partners| partners.len() as f64)
            .collect();
        columns.push((format!("{side}_partners"), partners));
        columns
    }

    /// Means of what the partners do.
    fn means(&self, named: &[Named]) -> Vec<Named> {
        let side = if self.made { "payees" } else { "payers" };
        let chosen = named
            .iter()
            .filter(|(name, _)| OF_PARTNERS.contains(&name.as_str()));
        let means = chosen.map(|(name, values)| {
            let of = |partners: &Vec<usize>| {
                mean(
                    partners
                        .iter()
                        .map(|&partner| values[partner])
                        .filter(|value| !value.is_nan()),
                )
            };
            (
                format!("{side}_{name}"),
                self.partners.iter().map(of).collect(),
            )
        });
        means.collect()
    }
}

fn sum(list: &[&Payment]) -> f64 {
    list.iter().map(|payment| payment.value).sum()
}

fn extreme(list: &[&Payment], pick: fn(f64, f64) -> f64) -> f64 {
    list.iter()
        .map(|payment| payment.value)
        .fold(f64::NAN, pick)
}

/// NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    sum / count
}

/// Standard deviation over the values themselves; NaN of nothing.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let center = mean(values.clone());
    mean(values.map(|value| (value - center).powi(2))).sqrt()
}

/// Days between payments that follow one another.
fn gaps<'a>(list: &'a [&'a Payment]) -> impl Iterator<Item = f64> + Clone {
    list.windows(2).map(|pair| pair[1].day - pair[0].day)
}

/// From -1 for a clock to 1 for a single burst; NaN with fewer than three payments.
fn burstiness(list: &[&Payment]) -> f64 {
    if list.len() < 3 {
        return f64::NAN;
    }
    let (deviation, mean) = (deviation(gaps(list)), mean(gaps(list)));
    (deviation - mean) / (deviation + mean)
}

/// Most payments of one amount with one account on one day.
fn repeats(list: &[&Payment]) -> f64 {
    let mut counts = HashMap::new();
    for payment in list {
        let key = (
            payment.from,
            payment.to,
            payment.value.to_bits(),
            payment.day.to_bits(),
        );
        *counts.entry(key).or_insert(0_u32) += 1;
    }
    counts.values().max().map_or(0.0, |&most| f64::from(most))
}

/// Amounts relative to the usual ones of the payer, and money out by money in.
fn unusual(data: &Amlsim, [got, made]: &[Side; 2]) -> Vec<Named> {
    let value = |&at: &usize| data.payments[at].value;
    let most: Vec<f64> = made
        .payments
        .iter()
        .map(|list| list.iter().map(value).fold(f64::NAN, f64::max))
        .collect();
    let least = made
        .payments
        .iter()
        .map(|list| list.iter().map(value).fold(f64::NAN, f64::min));
    let least_share = least.zip(&most).map(|(least, most)| least / most).collect();
    let is_unusual = |at: &usize| {
        let payment = &data.payments[*at];
        f64::from(u8::from(payment.value < USUAL * most[payment.from]))
    };
    let unusual = got
        .payments
        .iter()
        .map(|list| mean(list.iter().map(is_unusual)))
        .collect();
    let total = |list: &Vec<usize>| list.iter().map(value).sum::<f64>();
    let ratio = made
        .payments
        .iter()
        .zip(&got.payments)
        .map(|(made, got)| match total(got) {
            0.0 => f64::NAN,
            income => total(made) / income,
        });
    vec![
        ("in_unusual".to_owned(), unusual),
        ("out_least_share".to_owned(), least_share),
        ("out_in_ratio".to_owned(), ratio.collect()),
    ]
}

/// Money that comes back: at once, and over two other accounts.
fn circles(data: &Amlsim, [got, made]: &[Side; 2]) -> Vec<Named> {
    let days = PairDays::new(data);
    let same = |account: usize| {
        let back = |payee: &&usize| got.partners[account].binary_search(payee).is_ok();
        made.partners[account].iter().filter(back).count() as f64
    };
    let (mut triangles, mut timed) = (
        vec![0.0; data.accounts.len()],
        vec![0.0; data.accounts.len()],
    );
    for (account, payees) in made.partners.iter().enumerate() {
        for &second in payees.iter().filter(|&&second| second != account) {
            for &third in made.partners[second]
                .iter()
                .filter(|&&third| third != second && third != account)
            {
                let back = days.get(third, account);
                triangles[account] += f64::from(u8::from(!back.is_empty()));
                let path = [days.get(account, second), days.get(second, third), back];
                timed[account] += f64::from(u8::from(ascends(path)));
            }
        }
    }
    vec![
        (
            "same_partners".to_owned(),
            (0..data.accounts.len()).map(same).collect(),
        ),
        ("triangles".to_owned(), triangles),
        ("timed_triangles".to_owned(), timed),
    ]
}

/// The days on which one account pays another, in ascending order.
pub(super) struct PairDays(HashMap<(usize, usize), Vec<f64>>);

impl PairDays {
    pub(super) fn new(data: &Amlsim) -> Self {
        let mut days: HashMap<_, Vec<f64>> = HashMap::new();
        for payment in &data.payments {
            days.entry((payment.from, payment.to))
                .or_default()
                .push(payment.day);
        }
        Self(days)
    }

    pub(super) fn get(&self, from: usize, to: usize) -> &[f64] {
        self.0.get(&(from, to)).map_or(&[], Vec::as_slice)
    }
}

/// Whether there is a day in each list, none before the one in the list before.
fn ascends(lists: [&[f64]; 3]) -> bool {
    let mut earliest = f64::NEG_INFINITY;
    lists
        .iter()
        .all(|days| match days.iter().find(|&&day| day >= earliest) {
            Some(&day) => {
                earliest = day;
                true
            }
            None => false,
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::made;
    use super::*;

    fn get(data: &Amlsim, name: &str) -> Vec<f64> {
        let columns = columns(data);
        let column = columns.iter().find(|column| column.name() == name).unwrap();
        (0..column.len()).map(|row| column.number(row)).collect()
    }

    /// 0 pays 1 three times on day 2 and once on day 8; 1 pays 2, 2 pays 0, and 0 pays 2.
    fn data() -> Amlsim {
        made(
            4,
            &[
                (0, 1, 10.0, 2.0),
                (0, 1, 10.0, 2.0),
                (0, 1, 10.0, 2.0),
                (0, 1, 40.0, 8.0),
                (1, 2, 35.0, 5.0),
                (2, 0, 30.0, 6.0),
                (0, 2, 40.0, 1.0),
            ],
        )
    }

    #[test]
    fn payments_are_summed_up() {
        let data = data();
        assert_eq!(get(&data, "out_count"), [5.0, 1.0, 1.0, 0.0]);
        assert_eq!(get(&data, "in_sum"), [30.0, 70.0, 75.0, 0.0]);
        assert_eq!(get(&data, "out_mean")[0], 22.0);
        assert_eq!(get(&data, "in_most")[1], 40.0);
        assert!(get(&data, "in_mean")[3].is_nan() && get(&data, "out_least")[3].is_nan());
        assert!((get(&data, "in_deviation")[1] - 168.75_f64.sqrt()).abs() < 1e-12);
        assert_eq!(get(&data, "out_partners"), [2.0, 1.0, 1.0, 0.0]);
        assert_eq!(get(&data, "out_in_ratio")[..3], [110.0 / 30.0, 0.5, 0.4]);
    }

    #[test]
    fn days_are_those_of_the_account() {
        let data = data();
        assert_eq!(
            [get(&data, "out_first")[0], get(&data, "out_last")[0]],
            [1.0, 8.0]
        );
        assert_eq!(get(&data, "out_days")[0], 3.0);
        assert_eq!(get(&data, "out_gap")[0], 7.0 / 4.0);
        let clock = made(2, &[(0, 1, 1.0, 1.0), (0, 1, 1.0, 2.0), (0, 1, 1.0, 3.0)]);
        assert_eq!(get(&clock, "out_burstiness")[0], -1.0);
        assert!(get(&clock, "in_burstiness")[0].is_nan());
    }

    #[test]
    fn repeats_and_unusual_amounts_are_counted() {
        let data = data();
        assert_eq!(get(&data, "in_repeats"), [1.0, 3.0, 1.0, 0.0]);
        assert_eq!(get(&data, "in_unusual")[..3], [0.0, 0.75, 0.0]);
        assert_eq!(get(&data, "out_least_share")[..3], [0.25, 1.0, 1.0]);
    }

    #[test]
    fn money_that_comes_back_is_seen() {
        let data = data();
        assert_eq!(get(&data, "same_partners"), [1.0, 0.0, 1.0, 0.0]);
        assert_eq!(get(&data, "triangles"), [1.0, 1.0, 1.0, 0.0]);
        // From 0 on day 2, from 1 on day 5, back on day 6; from 1 it is back on day 8. From 2 it
        // would have to leave 1 after day 6.
        assert_eq!(get(&data, "timed_triangles"), [1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn partners_are_averaged_once_each() {
        let data = data();
        assert_eq!(get(&data, "payees_out_count")[0], 1.0);
        assert_eq!(get(&data, "payers_out_count")[2], 3.0);
        assert!(get(&data, "payers_in_sum")[3].is_nan());
    }
}
