//! The plan: how much of an item there should be at which date.

/// The unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A number of objects.
    Count,
    /// A share, in `[0, 1]`.
    Share,
}

impl Unit {
    /// Its name, as in the header of a plan.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Share => "share",
        }
    }
}

/// The plan of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemPlan {
    /// Name of the item.
    pub name: String,
    /// Unit of the values.
    pub unit: Unit,
    /// The line that names it first, from 1.
    pub line: u64,
    /// Julian days with values, by day; at least one.
    pub(super) points: Vec<(f64, f64)>,
}

/// How far an item is from its plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Deviation {
    /// So many days ahead of the plan; behind it if negative.
    Days(f64),
    /// More than the whole plan: ahead by at least this, or behind if negative.
    AtLeast(f64),
    /// The plan never has such a value, and its end or start says nothing about days; or there is no plan yet.
    Outside,
}

impl ItemPlan {
    /// First and last date.
    pub fn range(&self) -> [f64; 2] {
        [self.points[0].0, self.points[self.points.len() - 1].0]
    }

    /// Julian days with their values.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// The value at a time in Julian days: linear between the dates of the plan, the last one after them. None before
    /// the first date, when there is no plan.
    pub fn value(&self, day: f64) -> Option<f64> {
        let after = self.points.partition_point(|&(at, _)| at <= day);
        let &(start, from) = self.points.get(after.checked_sub(1)?)?;
        let Some(&(end, to)) = self.points.get(after) else {
            return Some(from);
        };
        Some(from + (to - from) * (day - start) / (end - start))
    }

    /// The day at which the plan has `value`, minus `day`; of several such days the nearest counts.
    pub fn deviation(&self, day: f64, value: f64) -> Deviation {
        let [start, end] = self.range();
        let (first, last) = (self.points[0].1, self.points[self.points.len() - 1].1);
        if same(value, first) && day < start {
            // The plan begins with it, and nothing says for how long it held before.
            return Deviation::Outside;
        }
        let after = (same(value, last) && day > end).then_some(day);
        let single = (self.points.len() == 1 && same(value, first)).then_some(day);
        let reached = self.points.windows(2).filter_map(|pair| {
            let ((from, low), (to, high)) = (pair[0], pair[1]);
            if same(low, high) {
                return same(value, low).then_some(day.clamp(from, to));
            }
            let share = (value - low) / (high - low);
            let inside = (-1e-9..=1.0 + 1e-9).contains(&share);
            inside.then_some(from + share.clamp(0.0, 1.0) * (to - from))
        });
        let all = reached.chain(after).chain(single);
        let nearest = all.min_by(|a, b| (a - day).abs().total_cmp(&(b - day).abs()));
        if let Some(reached) = nearest {
            return Deviation::Days(reached - day);
        }
        self.beyond(day, value)
    }

    /// The deviation of a value that the plan never has.
    fn beyond(&self, day: f64, value: f64) -> Deviation {
        let [start, end] = self.range();
        let (first, last) = (self.points[0].1, self.points[self.points.len() - 1].1);
        let values = self.points.iter().map(|&(_, value)| value);
        let (lowest, highest) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let rises = last > first;
        let further = if rises {
            value > highest
        } else {
            value < lowest
        };
        if same(first, last) {
            Deviation::Outside
        } else if further && day < end {
            Deviation::AtLeast(end - day)
        } else if !further && day > start {
            Deviation::AtLeast(start - day)
        } else {
            Deviation::Outside
        }
    }
}

/// Whether two days or values are the same but for rounding.
pub(super) fn same(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days count from the first of August 2020.
    fn plan(points: &[(f64, f64)]) -> ItemPlan {
        ItemPlan {
            name: "slab".to_owned(),
            unit: Unit::Count,
            line: 2,
            points: points.to_vec(),
        }
    }

    #[test]
    fn the_plan_is_linear_between_its_dates_and_constant_after_them() {
        let slab = plan(&[(1.0, 0.0), (11.0, 10.0)]);
        for (day, value) in [(1.0, 0.0), (4.0, 3.0), (11.0, 10.0), (35.0, 10.0)] {
            assert!(same(slab.value(day).unwrap(), value), "{day}");
        }
        for (day, value, deviation) in [
            (4.0, 5.0, Deviation::Days(2.0)),
            (9.0, 5.0, Deviation::Days(-3.0)),
            (1.0, 0.0, Deviation::Days(0.0)),
            (31.0, 10.0, Deviation::Days(0.0)),
            (21.0, 5.0, Deviation::Days(-15.0)),
            (9.0, 11.0, Deviation::AtLeast(2.0)),
            (21.0, 11.0, Deviation::Outside),
        ] {
            assert_eq!(slab.deviation(day, value), deviation, "{day}");
        }
    }

    #[test]
    fn there_is_no_plan_before_its_first_date() {
        for points in [&[(1.0, 3.0), (11.0, 10.0)][..], &[(1.0, 3.0)]] {
            let slab = plan(points);
            assert_eq!((slab.value(0.0), slab.value(-20.0)), (None, None));
            assert_eq!(slab.deviation(-20.0, 3.0), Deviation::Outside);
            assert_eq!(slab.deviation(-20.0, 2.0), Deviation::Outside);
            assert_eq!(slab.deviation(1.0, 3.0), Deviation::Days(0.0));
        }
        // It reaches 10 in 31 days.
        let slab = plan(&[(1.0, 3.0), (11.0, 10.0)]);
        assert_eq!(slab.deviation(-20.0, 10.0), Deviation::Days(31.0));
    }

    #[test]
    fn a_falling_plan_and_a_plateau_have_deviations_too() {
        let soil = plan(&[(1.0, 80.0), (11.0, 30.0), (21.0, 30.0)]);
        for (day, value, deviation) in [
            (2.0, 70.0, Deviation::Days(1.0)),
            (15.0, 30.0, Deviation::Days(0.0)),
            (15.0, 20.0, Deviation::AtLeast(6.0)),
            (15.0, 90.0, Deviation::AtLeast(-14.0)),
        ] {
            assert_eq!(soil.deviation(day, value), deviation, "{day}");
        }
    }
}
