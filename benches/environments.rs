#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should say so and stop"
)]
//! How many steps a second the environments do on one core, starting again included: `cargo bench
//! -p tinderbox-benches --bench environments`.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tinderbox_rl::env::{CartPole, ClassicControl, TimeLimit};
use tinderbox_rl::environment::{Action, ActionSpace, Environment};
use tinderbox_rl::vector_env::VectorEnv;

const STEPS: usize = 100_000;

/// Steps every copy, with actions by chance, until [`STEPS`] are done.
fn run<E: Environment>(envs: &mut VectorEnv<E>, discrete: Option<usize>) {
    let mut bits = 1_u64;
    for _ in 0..STEPS / envs.len() {
        envs.step(|_| {
            // Xorshift (Marsaglia, 2003), so that the drawing is not what is timed.
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            match discrete {
                Some(count) => Action::Discrete((bits >> 33) as usize % count),
                None => Action::Continuous(if bits >> 63 == 0 { &[-1.5] } else { &[1.5] }),
            }
        })
        .unwrap();
    }
    black_box(envs.observations());
}

fn bench<E: Environment>(criterion: &mut Criterion, id: &str, env: &E, count: usize) {
    let discrete = match env.spec().action_space {
        ActionSpace::Discrete(count) => Some(count),
        ActionSpace::Continuous(_) => None,
    };
    let mut envs = VectorEnv::new(env, count, 42).unwrap();
    criterion
        .benchmark_group("rl")
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .throughput(Throughput::Elements(STEPS as u64))
        .bench_function(format!("step/{id}/copies={count}"), |bencher| {
            bencher.iter(|| run(&mut envs, discrete));
        });
}

fn environments(criterion: &mut Criterion) {
    let cart_pole = TimeLimit::new(CartPole::new(), 500);
    for count in [1, 8, 64] {
        bench(criterion, "CartPole", &cart_pole, count);
    }
    for name in ClassicControl::NAMES {
        bench(criterion, name, &name.parse::<ClassicControl>().unwrap(), 8);
    }
}

criterion_group!(benches, environments);
criterion_main!(benches);
