use super::*;
use crate::random::Purpose;

fn config() -> ReplayBufferConfig {
    ReplayBufferConfig {
        capacity: 12,
        envs: 2,
        width: 1,
        batch: 4,
        n_step: 1,
        gamma: 0.5,
        sampling: Sampling::Uniform,
    }
}

fn rng(number: u64) -> Stream {
    Purpose::Sampling.stream(1, number)
}

/// Steps in which environment `e` shows `100 e + t`, gets the reward `t + 1`, and ends where
/// `ends` says; a cut-off one would have shown `-t`.
fn lived(
    config: ReplayBufferConfig,
    steps: usize,
    ends: impl Fn(usize, usize) -> u8,
) -> ReplayBuffer {
    let mut replay = ReplayBuffer::new(config).unwrap();
    for t in 0..steps {
        let show =
            |t: usize| -> Vec<f32> { (0..config.envs).map(|e| (100 * e + t) as f32).collect() };
        let ended: Vec<Step> = (0..config.envs)
            .map(|e| Step {
                reward: (t + 1) as f32,
                terminated: ends(t, e) == TERMINATED,
                truncated: ends(t, e) == TRUNCATED,
            })
            .collect();
        let after = [-(t as f32)];
        let actions: Vec<u16> = (0..config.envs).map(|e| (t % 3 + e) as u16).collect();
        replay.push(&show(t), &actions, &ended, &show(t + 1), |_| &after);
    }
    replay
}

fn at(replay: &ReplayBuffer, indices: &[usize]) -> Batch {
    replay.gather(indices.to_vec(), vec![1.0; indices.len()])
}

#[test]
fn what_follows_is_the_next_observation_of_the_same_environment() {
    let replay = lived(config(), 4, |_, _| 0);
    let batch = at(&replay, &[0, 1, 4, 7]);
    assert_eq!(batch.observations, [0.0, 100.0, 2.0, 103.0]);
    assert_eq!(batch.next_observations, [1.0, 101.0, 3.0, 104.0]);
    assert_eq!(batch.actions, [0, 1, 2, 1]);
    assert_eq!(batch.rewards, [1.0, 1.0, 3.0, 4.0]);
    assert_eq!(batch.discounts, [0.5; 4]);
}

#[test]
fn the_oldest_row_is_overwritten() {
    let replay = lived(config(), 8, |_, _| 0);
    assert_eq!(replay.len(), 12);
    // Six rows fit: the times 6, 7, 2, 3, 4, 5.
    let batch = at(&replay, &[0, 2, 4, 11]);
    assert_eq!(batch.observations, [6.0, 7.0, 2.0, 105.0]);
    assert_eq!(batch.next_observations, [7.0, 8.0, 3.0, 106.0]);
}

#[test]
fn a_termination_has_no_future_and_a_truncation_has_its_own() {
    let ends = |t, e| match (t, e) {
        (1, 0) => TERMINATED,
        (1, 1) => TRUNCATED,
        _ => 0,
    };
    let replay = lived(config(), 4, ends);
    let batch = at(&replay, &[2, 3]);
    assert_eq!(batch.discounts, [0.0, 0.5]);
    assert_eq!(batch.next_observations, [0.0, -1.0]);
    assert_eq!(batch.rewards, [2.0, 2.0]);
}

#[test]
fn several_steps_stop_at_the_end_of_an_episode_and_at_the_present() {
    let config = ReplayBufferConfig {
        n_step: 3,
        ..config()
    };
    let ends = |t, e| match (t, e) {
        (2, 0) => TERMINATED,
        (2, 1) => TRUNCATED,
        _ => 0,
    };
    let replay = lived(config, 6, ends);
    let sums = |a: f32, b: f32, c: f32| a + 0.5 * b + 0.25 * c;
    // Times 0 and 1 of both environments, 3 whole, 4 and 5 cut short by the present.
    let batch = at(&replay, &[0, 1, 2, 3, 6, 8, 10]);
    let short = [2.0 + 0.5 * 3.0; 2];
    let expected = [sums(1.0, 2.0, 3.0), sums(1.0, 2.0, 3.0)];
    assert_eq!(batch.rewards[..2], expected);
    assert_eq!(batch.rewards[2..4], short);
    assert_eq!(
        batch.rewards[4..],
        [sums(4.0, 5.0, 6.0), 5.0 + 0.5 * 6.0, 6.0]
    );
    assert_eq!(batch.discounts, [0.0, 0.125, 0.0, 0.25, 0.125, 0.25, 0.5]);
    assert_eq!(
        batch.next_observations,
        [0.0, -2.0, 0.0, -2.0, 6.0, 6.0, 6.0]
    );
}

#[test]
fn cut_observations_leave_with_their_transitions() {
    let replay = lived(config(), 50, |t, _| if t % 2 == 0 { TRUNCATED } else { 0 });
    assert_eq!(replay.cuts.len(), 6);
    assert_eq!(replay.after_cuts.len(), 6);
    for index in 0..12 {
        let batch = at(&replay, &[index]);
        let time = batch.observations[0] % 100.0;
        let cut = time % 2.0 == 0.0;
        let env = if index % 2 == 1 { 100.0 } else { 0.0 };
        let next = if cut { -time } else { env + time + 1.0 };
        assert_eq!(batch.next_observations, [next], "index {index}");
    }
}

#[test]
fn every_transition_is_drawn_about_equally_often() {
    let replay = lived(config(), 6, |_, _| 0);
    let mut counts = [0_u32; 12];
    for number in 0..3000 {
        let batch = replay.sample(&mut rng(number), 1.0).unwrap();
        assert_eq!(batch.weights, [1.0; 4]);
        for index in batch.indices {
            counts[index] += 1;
        }
    }
    // Standard deviation 30.
    assert!(counts.iter().all(|n| n.abs_diff(1000) < 180), "{counts:?}");
}

#[test]
fn large_errors_come_more_often_and_weigh_less() {
    let sampling = Sampling::Prioritized { alpha: 1.0 };
    let config = ReplayBufferConfig {
        sampling,
        ..config()
    };
    let mut replay = lived(config, 6, |_, _| 0);
    let indices: Vec<usize> = (0..12).collect();
    let errors: Vec<f32> = (0..12).map(|i| if i < 6 { 1.0 } else { -3.0 }).collect();
    replay.update_priorities(&indices, &errors);
    let mut large = 0;
    for number in 0..1000 {
        let batch = replay.sample(&mut rng(number), 1.0).unwrap();
        for (index, weight) in batch.indices.iter().zip(&batch.weights) {
            large += u32::from(*index >= 6);
            let rare = batch.indices.iter().any(|&index| index < 6);
            let expected = if *index >= 6 && rare { 1.0 / 3.0 } else { 1.0 };
            assert!((weight - expected).abs() < 1e-4, "{weight}");
        }
    }
    // Three quarters of 4000, standard deviation at most 27.
    assert!(u32::abs_diff(large, 3000) < 120, "{large}");
    // The newest is at least as urgent as any.
    let after = [0.0];
    let step = Step {
        reward: 0.0,
        terminated: false,
        truncated: false,
    };
    replay.push(&[0.0; 2], &[0; 2], &[step; 2], &[0.0; 2], |_| &after);
    let tree = replay.priorities.unwrap();
    assert!((tree.get(0) - 3.0).abs() < 1e-3);
}

#[test]
fn a_restored_replay_gives_the_same_batches() {
    for sampling in [Sampling::Uniform, Sampling::Prioritized { alpha: 0.5 }] {
        for steps in [4, 9] {
            let config = ReplayBufferConfig {
                sampling,
                n_step: 3,
                ..config()
            };
            let ends = |t, e| if (t + e) % 3 == 0 { TRUNCATED } else { 0 };
            let mut replay = lived(config, steps, ends);
            replay.update_priorities(&[0, 3], &[5.0, 0.1]);
            let bytes = replay.to_bytes();
            let mut restored = ReplayBuffer::new(config).unwrap();
            restored.restore(&bytes).unwrap();
            for number in 0..20 {
                assert_eq!(
                    restored.sample(&mut rng(number), 0.4),
                    replay.sample(&mut rng(number), 0.4)
                );
            }
            assert_eq!(restored.to_bytes(), bytes);
            for cut in [0, 7, bytes.len() - 1] {
                assert!(restored.restore(&bytes[..cut]).is_err());
            }
            let other = ReplayBufferConfig { width: 2, ..config };
            let error = ReplayBuffer::new(other)
                .unwrap()
                .restore(&bytes)
                .unwrap_err();
            assert!(matches!(error, ReplayBufferError::Foreign(_)));
        }
    }
}

#[test]
fn a_million_transitions_of_cart_pole_take_less_than_60_megabytes() {
    let config = ReplayBufferConfig {
        capacity: 1_000_000,
        envs: 8,
        width: 4,
        batch: 64,
        n_step: 3,
        gamma: 0.99,
        sampling: Sampling::Prioritized { alpha: 0.5 },
    };
    let mut replay = ReplayBuffer::new(config).unwrap();
    let step = |cut| Step {
        reward: 1.0,
        terminated: false,
        truncated: cut,
    };
    let show = [0.0; 32];
    for t in 0..125_000 {
        // Cut off every 20 steps, far more often than a time limit of 500 does.
        let steps = [step(t % 20 == 0); 8];
        replay.push(&show, &[0; 8], &steps, &show, |_| &show[..4]);
    }
    assert_eq!(replay.len(), 1_000_000);
    assert!(replay.bytes() <= 60_000_000, "{}", replay.bytes());
}

#[test]
fn a_replay_smaller_than_a_batch_is_refused() {
    let small = ReplayBufferConfig {
        capacity: 3,
        ..config()
    };
    assert_eq!(
        ReplayBuffer::new(small).unwrap_err().to_string(),
        "the replay buffer holds at most 2 transitions, fewer than a batch of 4"
    );
    let early = lived(config(), 1, |_, _| 0);
    let error = early.sample(&mut rng(0), 1.0).unwrap_err();
    assert_eq!(error, ReplayBufferError::TooFew { len: 2, batch: 4 });
}
