use super::batches::WORTH_A_THREAD;
use super::*;
use burn::data::dataset::{DatasetError, InMemDataset};
use rand::RngExt as _;

/// Lets an item be seen together with a number drawn for it, slowly enough for threads.
struct Draw;
impl Collate<u64, Vec<(u64, u32)>> for Draw {
    fn collate(
        &self,
        items: Vec<u64>,
        context: &BatchContext,
        _: &Device,
    ) -> Result<Vec<(u64, u32)>, DatasetError> {
        std::thread::sleep(2 * WORTH_A_THREAD);
        let draw = |(at, item)| (item, context.item_stream(at).random::<u32>());
        Ok(items.into_iter().enumerate().map(draw).collect())
    }
}

struct Touchy {
    panics: bool,
}
impl Dataset<u64> for Touchy {
    fn get(&self, index: usize) -> Result<u64, DatasetError> {
        assert!(!(self.panics && index == 5), "bad luck with {index}");
        if index == 5 {
            return Err(DatasetError::new(std::io::Error::other("unreadable")));
        }
        Ok(index as u64)
    }
    fn len(&self) -> usize {
        8
    }
}

fn numbers(count: u64) -> Arc<dyn Dataset<u64>> {
    Arc::new(InMemDataset::new((0..count).collect()))
}

fn pass(config: LoaderConfig, epoch: usize, first: usize) -> Vec<Vec<(u64, u32)>> {
    let loader = Loader::new(numbers(23), Draw, config, &Device::flex()).unwrap();
    loader.iter_from(epoch, first).map(Result::unwrap).collect()
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let inline = pass(LoaderConfig::train(4, 7).with_workers(0), 3, 0);
    for workers in [1, 2, 5] {
        assert_eq!(
            pass(LoaderConfig::train(4, 7).with_workers(workers), 3, 0),
            inline
        );
    }
    assert_eq!(inline.len(), 5, "the last 3 items make no full batch");
}

#[test]
fn a_pass_can_begin_in_the_middle() {
    let whole = pass(LoaderConfig::train(4, 7), 2, 0);
    assert_eq!(pass(LoaderConfig::train(4, 7), 2, 3), whole[3..]);
}

#[test]
fn epochs_and_seeds_have_their_own_order() {
    let first = pass(LoaderConfig::train(4, 7), 1, 0);
    assert_ne!(pass(LoaderConfig::train(4, 7), 2, 0), first);
    assert_ne!(pass(LoaderConfig::train(4, 8), 1, 0), first);
}

#[test]
fn evaluation_sees_every_item_once_in_order() {
    let items: Vec<u64> = pass(LoaderConfig::eval(4), 1, 0)
        .into_iter()
        .flatten()
        .map(|(item, _)| item)
        .collect();
    assert_eq!(items, (0..23).collect::<Vec<_>>());
}

#[test]
fn a_panic_is_an_error_and_not_a_shorter_epoch() {
    let touchy = Arc::new(Touchy { panics: true });
    let loader = Loader::new(touchy, Draw, LoaderConfig::eval(2), &Device::flex()).unwrap();
    let results: Vec<_> = loader.iter_from(1, 0).collect();
    assert_eq!(results.len(), 4);
    let message = results[2].as_ref().unwrap_err().to_string();
    assert!(
        message.contains("batch 2 of epoch 1 panicked: bad luck with 5"),
        "{message}"
    );
}

#[test]
fn an_unreadable_item_is_reported() {
    let touchy = Arc::new(Touchy { panics: false });
    let loader = Loader::new(touchy, Draw, LoaderConfig::eval(2), &Device::flex()).unwrap();
    let results: Vec<_> = loader.iter_from(1, 0).collect();
    assert!(
        results[2]
            .as_ref()
            .unwrap_err()
            .to_string()
            .contains("unreadable")
    );
}

#[test]
fn a_dropped_pass_ends_its_threads_without_making_the_rest() {
    let loader = Loader::new(
        numbers(1_000_000),
        Draw,
        LoaderConfig::eval(1).with_workers(2),
        &Device::flex(),
    )
    .unwrap();
    let mut pass = loader.iter_from(1, 0);
    assert_eq!(pass.next().unwrap().unwrap()[0].0, 0);
    drop(pass);
}

#[test]
fn ranks_share_the_batches_of_one_process() {
    let config = LoaderConfig {
        drop_last: false,
        ..LoaderConfig::train(5, 7).with_workers(0)
    };
    let whole = pass(
        LoaderConfig {
            batch_size: 7,
            ..config.clone()
        },
        2,
        0,
    );
    // The last batch has 2 items.
    assert_eq!((whole.len(), whole[3].len()), (4, 2));
    for ranks in 1..=3 {
        let loader = |rank| {
            Loader::new(numbers(23), Draw, config.clone(), &Device::flex())
                .unwrap()
                .dealt(rank, ranks, 7)
        };
        let parts: Vec<Vec<Vec<(u64, u32)>>> = (0..ranks)
            .map(|rank| loader(rank).iter_from(2, 0).map(Result::unwrap).collect())
            .collect();
        for (number, batch) in whole.iter().enumerate() {
            let mut all: Vec<(u64, u32)> = Vec::new();
            for (rank, part) in parts.iter().enumerate() {
                let share = loader(rank).share(number);
                let count = (share * batch.len() as f64).round() as usize;
                if count == 0 {
                    assert_eq!(part[number], batch[..1], "rank {rank} of {ranks}");
                } else {
                    assert_eq!(part[number].len(), count, "rank {rank} of {ranks}");
                    all.extend(&part[number]);
                }
            }
            let mut batch = batch.clone();
            batch.sort_unstable();
            all.sort_unstable();
            assert_eq!(all, batch, "{ranks} ranks");
        }
        let progress: Vec<usize> = (0..ranks)
            .map(|rank| {
                let loader = loader(rank);
                let mut batches = loader.iter_from(2, 0);
                batches.next();
                batches.progress().items_processed
            })
            .collect();
        assert_eq!(progress, vec![7; ranks]);
    }
}

#[test]
fn empty_sets_and_empty_batches_are_refused() {
    let config = LoaderConfig::eval(0);
    let refused = Loader::new(numbers(3), Draw, config, &Device::flex()).err();
    assert_eq!(refused, Some(LoaderError::ZeroBatch));
    let refused = Loader::new(numbers(0), Draw, LoaderConfig::eval(1), &Device::flex()).err();
    assert_eq!(refused, Some(LoaderError::Empty));
}

#[test]
fn batches_by_length_hold_every_item_once_and_little_padding() {
    let lengths: Vec<usize> = (0..1000).map(|item| item * 7919 % 101).collect();
    let device = Device::flex();
    let config = LoaderConfig {
        drop_last: false,
        ..LoaderConfig::train(8, 3).with_workers(0)
    };
    let loader = Loader::new(numbers(1000), Plain, config, &device).unwrap();
    let loader = loader.by_length(lengths.clone());
    let batches = |epoch| -> Vec<Vec<u64>> {
        let batches = loader.iter_from(epoch, 0);
        batches.collect::<Result<_, _>>().unwrap()
    };
    let first = batches(1);
    let mut items: Vec<u64> = first.iter().flatten().copied().collect();
    items.sort_unstable();
    assert_eq!(items, (0..1000).collect::<Vec<_>>());
    let spread = |batch: &Vec<u64>| {
        let lengths = batch.iter().map(|&item| lengths[item as usize]);
        lengths.clone().max().unwrap() - lengths.min().unwrap()
    };
    assert!(first.iter().map(spread).sum::<usize>() < 10 * first.len());
    assert_eq!(first, batches(1));
    assert_ne!(first, batches(2));
}

#[test]
fn balanced_batches_hold_every_class_equally_often() {
    // 10 of 1000 items are of class 1.
    let classes: Vec<usize> = (0..1000).map(|item| usize::from(item % 100 == 7)).collect();
    let config = LoaderConfig::train(8, 3).with_workers(0);
    let loader = Loader::new(numbers(1000), Plain, config, &Device::flex()).unwrap();
    let loader = loader.balanced(classes);
    let items = |epoch| -> Vec<u64> {
        let batches: Vec<Vec<u64>> = loader
            .iter_from(epoch, 0)
            .collect::<Result<_, _>>()
            .unwrap();
        batches.concat()
    };
    let first = items(1);
    assert_eq!(first.len(), 1000);
    let rare: Vec<u64> = first
        .iter()
        .copied()
        .filter(|item| item % 100 == 7)
        .collect();
    assert!((440..560).contains(&rare.len()), "{}", rare.len());
    // Each of the ten about equally often.
    for item in (7..1000).step_by(100) {
        let times = rare.iter().filter(|&&found| found == item).count();
        assert!(times.abs_diff(rare.len() / 10) <= 1, "{item}: {times}");
    }
    // None of a frequent class twice.
    let mut others: Vec<u64> = first
        .iter()
        .copied()
        .filter(|item| item % 100 != 7)
        .collect();
    others.sort_unstable();
    assert!(others.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(first, items(1));
    assert_ne!(first, items(2));
}

struct Plain;
impl Collate<u64, Vec<u64>> for Plain {
    fn collate(
        &self,
        items: Vec<u64>,
        _: &BatchContext,
        _: &Device,
    ) -> Result<Vec<u64>, DatasetError> {
        Ok(items)
    }
}
