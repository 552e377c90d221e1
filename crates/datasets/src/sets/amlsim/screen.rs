//! The screen that a bank runs without a model: an alert where a count passes a limit.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::features::PairDays;
use super::{Amlsim, Payment};

/// A pattern that analysts look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Many accounts pay into one within few days.
    FanIn,
    /// One account pays into many within few days.
    FanOut,
    /// What comes in from several goes out within few days.
    PassThrough,
    /// A payment is cut into equal parts on one day.
    Structuring,
    /// Money comes back over two or three accounts within few days.
    RoundTrip,
}

/// Where the counts of a screen become alerts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenLimits {
    /// Length of the window, in days.
    pub days: f64,
    /// Accounts on the other side within the window that make a fan.
    pub fan: usize,
    /// Payers within the window before what comes in can be passed through.
    pub pass_payers: usize,
    /// Share of the money received that goes out again, at least and at most.
    pub pass_share: [f64; 2],
    /// Equal payments to one account on one day.
    pub equal_payments: usize,
    /// Accounts in a round trip, at most; 2 or 3.
    pub trip: usize,
}

impl Default for ScreenLimits {
    fn default() -> Self {
        Self {
            days: 7.0,
            fan: 5,
            pass_payers: 2,
            pass_share: [0.9, 1.1],
            equal_payments: 3,
            trip: 3,
        }
    }
}

/// An account that a rule points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Alert {
    /// Position of the account.
    pub account: usize,
    /// The rule.
    pub rule: Rule,
}

/// Alerts by account and rule, each once.
pub(super) fn screen(data: &Amlsim, limits: &ScreenLimits) -> Vec<Alert> {
    let (got, made) = (data.by_account(false), data.by_account(true));
    let list = |positions: &[usize]| -> Vec<Payment> {
        positions.iter().map(|&at| data.payments[at]).collect()
    };
    let ways = Ways {
        data,
        made: &made,
        days: PairDays::new(data),
    };
    let mut alerts = Vec::new();
    for account in 0..data.accounts.len() {
        let (got, made) = (list(&got[account]), list(&made[account]));
        let rules = [
            (Rule::FanIn, fans(&got, |payment| payment.from, limits)),
            (Rule::FanOut, fans(&made, |payment| payment.to, limits)),
            (Rule::PassThrough, passes_through(&got, &made, limits)),
            (
                Rule::Structuring,
                is_cut(&got, limits) || is_cut(&made, limits),
            ),
            (Rule::RoundTrip, comes_back(account, &ways, limits)),
        ];
        let found = rules.into_iter().filter(|(_, found)| *found);
        alerts.extend(found.map(|(rule, _)| Alert { account, rule }));
    }
    alerts
}

/// For each payment, those within the window that it opens.
fn windows(list: &[Payment], days: f64) -> impl Iterator<Item = &[Payment]> {
    (0..list.len()).map(move |start| {
        let end = list.partition_point(|payment| payment.day < list[start].day + days);
        &list[start..end]
    })
}

fn fans(list: &[Payment], other: fn(&Payment) -> usize, limits: &ScreenLimits) -> bool {
    windows(list, limits.days).any(|window| distinct(window, other) >= limits.fan)
}

fn distinct(window: &[Payment], other: fn(&Payment) -> usize) -> usize {
    let mut others: Vec<usize> = window.iter().map(other).collect();
    others.sort_unstable();
    others.dedup();
    others.len()
}

fn passes_through(got: &[Payment], made: &[Payment], limits: &ScreenLimits) -> bool {
    windows(got, limits.days).any(|window| {
        let start = window[0].day;
        let income: f64 = window.iter().map(|payment| payment.value).sum();
        let inside = |payment: &&Payment| payment.day >= start && payment.day < start + limits.days;
        let outgo: f64 = made
            .iter()
            .filter(inside)
            .map(|payment| payment.value)
            .sum();
        let [least, most] = limits.pass_share;
        distinct(window, |payment| payment.from) >= limits.pass_payers
            && (least..=most).contains(&(outgo / income))
    })
}

fn is_cut(list: &[Payment], limits: &ScreenLimits) -> bool {
    let mut counts = HashMap::new();
    list.iter().any(|payment| {
        let key = (
            payment.from,
            payment.to,
            payment.value.to_bits(),
            payment.day.to_bits(),
        );
        let count = counts.entry(key).or_insert(0);
        *count += 1;
        *count >= limits.equal_payments
    })
}

/// Whether a payment of `account` is followed back to it within the window.
fn comes_back(account: usize, ways: &Ways<'_>, limits: &ScreenLimits) -> bool {
    let within = |from: usize, start: f64, end: f64| {
        ways.days
            .get(from, account)
            .iter()
            .any(|&day| day >= start && day < end)
    };
    ways.made_by(account)
        .filter(|first| first.to != account)
        .any(|first| {
            let end = first.day + limits.days;
            let second = ways
                .made_by(first.to)
                .filter(|second| second.day >= first.day && second.day < end);
            within(first.to, first.day, end)
                || (limits.trip >= 3 && { second }.any(|second| within(second.to, second.day, end)))
        })
}

/// Payments by payer, and by both ends.
struct Ways<'a> {
    data: &'a Amlsim,
    made: &'a [Vec<usize>],
    days: PairDays,
}

impl<'a> Ways<'a> {
    fn made_by(&self, account: usize) -> impl Iterator<Item = &'a Payment> {
        let data = self.data;
        self.made[account].iter().map(move |&at| &data.payments[at])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::made;
    use super::*;

    fn rules(data: &Amlsim, account: usize) -> Vec<Rule> {
        let alerts = data.screen(&ScreenLimits::default());
        alerts
            .iter()
            .filter(|alert| alert.account == account)
            .map(|alert| alert.rule)
            .collect()
    }

    #[test]
    fn many_payers_in_a_week_are_a_fan_and_in_a_month_are_not() {
        let payments = |step: f64| -> Vec<_> {
            (1..=5)
                .map(|payer| (payer, 0, 10.0, payer as f64 * step))
                .collect()
        };
        assert_eq!(rules(&made(6, &payments(1.0)), 0), [Rule::FanIn]);
        assert_eq!(rules(&made(6, &payments(2.0)), 0), []);
        let out: Vec<_> = (1..=5).map(|payee| (0, payee, 10.0, 3.0)).collect();
        assert_eq!(rules(&made(6, &out), 0), [Rule::FanOut]);
    }

    #[test]
    fn money_passed_on_within_days_is_an_alert() {
        let payments = |share: f64| {
            made(
                4,
                &[
                    (1, 0, 50.0, 1.0),
                    (2, 0, 50.0, 2.0),
                    (0, 3, 100.0 * share, 4.0),
                ],
            )
        };
        assert_eq!(rules(&payments(0.95), 0), [Rule::PassThrough]);
        assert_eq!(rules(&payments(0.5), 0), []);
    }

    #[test]
    fn equal_parts_on_one_day_are_an_alert_at_both_ends() {
        let data = made(2, &[(0, 1, 9.0, 1.0), (0, 1, 9.0, 1.0), (0, 1, 9.0, 1.0)]);
        assert_eq!(
            [rules(&data, 0), rules(&data, 1)],
            [[Rule::Structuring], [Rule::Structuring]]
        );
        let apart = made(2, &[(0, 1, 9.0, 1.0), (0, 1, 9.0, 1.0), (0, 1, 9.0, 2.0)]);
        assert_eq!(rules(&apart, 0), []);
    }

    #[test]
    fn money_that_is_back_within_days_is_an_alert() {
        let around = |last: f64| made(3, &[(0, 1, 9.0, 1.0), (1, 2, 8.0, 2.0), (2, 0, 3.0, last)]);
        assert!(rules(&around(5.0), 0).contains(&Rule::RoundTrip));
        assert!(!rules(&around(9.0), 0).contains(&Rule::RoundTrip));
        // Backwards in time is no trip.
        let backwards = made(3, &[(0, 1, 9.0, 4.0), (1, 2, 8.0, 3.0), (2, 0, 3.0, 2.0)]);
        assert!(!rules(&backwards, 0).contains(&Rule::RoundTrip));
        let pair = made(2, &[(0, 1, 9.0, 1.0), (1, 0, 3.0, 2.0)]);
        assert!(rules(&pair, 0).contains(&Rule::RoundTrip));
    }
}
