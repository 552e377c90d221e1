//! The order of the items in an epoch.

use std::collections::BTreeMap;

use super::{CLASS, Deal, GROUP, Loader, SHUFFLE};
use crate::random::{below, permutation, stream};

/// Batches that are sorted by length together: enough that each holds items of about one length,
/// few enough that its items differ from epoch to epoch.
const GROUPED: usize = 50;

/// The order of one epoch.
pub(super) struct Plan {
    pub(super) order: Vec<usize>,
    pub(super) epoch: usize,
    pub(super) seed: u64,
    pub(super) batch_size: usize,
    pub(super) deal: Deal,
}

impl Plan {
    /// The items of a batch that are this rank's.
    pub(super) fn items(&self, batch: usize) -> Vec<usize> {
        let start = batch * self.batch_size;
        let end = (start + self.batch_size).min(self.order.len());
        let all = &self.order[start..end];
        let own = all.iter().skip(self.deal.rank).step_by(self.deal.ranks);
        let own: Vec<usize> = own.copied().collect();
        // There are no batches without items.
        if own.is_empty() { vec![all[0]] } else { own }
    }
}

impl<I: 'static, O: Send + 'static> Loader<I, O> {
    pub(super) fn plan(&self, epoch: usize) -> Plan {
        let (start, end) = self.source.range;
        let balanced = self.classes.as_ref().filter(|_| self.config.shuffle);
        let mut order: Vec<usize> = if let Some(classes) = balanced {
            self.draw_balanced(classes, epoch)
        } else if self.config.shuffle {
            let mut stream = stream(self.config.seed, &[SHUFFLE, epoch as u64]);
            permutation(end - start, &mut stream)
                .into_iter()
                .map(|index| start + index)
                .collect()
        } else {
            (start..end).collect()
        };
        if let Some(lengths) = &self.lengths {
            order = self.grouped(order, lengths, epoch);
        }
        Plan {
            order,
            epoch,
            seed: self.config.seed,
            batch_size: self.config.batch_size,
            deal: self.deal,
        }
    }

    /// As many items as there are, whose classes come by chance with equal frequency. The items of a
    /// class come in an order by chance, and again when all have come.
    fn draw_balanced(&self, classes: &[usize], epoch: usize) -> Vec<usize> {
        let (start, end) = self.source.range;
        let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (item, &class) in classes.iter().enumerate().take(end).skip(start) {
            by_class.entry(class).or_default().push(item);
        }
        let classes: Vec<Vec<usize>> = by_class.into_values().collect();
        let mut stream = stream(self.config.seed, &[CLASS, epoch as u64]);
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); classes.len()];
        let mut order = Vec::with_capacity(end - start);
        while order.len() < end - start {
            let class = below(&mut stream, classes.len());
            if waiting[class].is_empty() {
                let own = permutation(classes[class].len(), &mut stream).into_iter();
                waiting[class] = own.map(|at| classes[class][at]).collect();
            }
            order.extend(waiting[class].pop());
        }
        order
    }

    /// Sorts by length: everything, or a number of batches at a time whose order is then shuffled.
    fn grouped(&self, mut order: Vec<usize>, lengths: &[usize], epoch: usize) -> Vec<usize> {
        if !self.config.shuffle {
            order.sort_by_key(|&item| lengths[item]);
            return order;
        }
        let size = self.config.batch_size;
        for group in order.chunks_mut(size * GROUPED) {
            group.sort_by_key(|&item| lengths[item]);
        }
        let full = order.len() / size;
        let mut stream = stream(self.config.seed, &[GROUP, epoch as u64]);
        let batches = permutation(full, &mut stream).into_iter();
        let mut mixed: Vec<usize> = batches
            .flat_map(|batch| &order[batch * size..(batch + 1) * size])
            .copied()
            .collect();
        mixed.extend(&order[full * size..]);
        mixed
    }
}
