#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that fails need not go on"
)]
//! The time of an exchange of gradients against their number:
//! `mpirun -n 2 cargo run -p tinderbox-mpi --features mpi --example exchange`, as `benches/scaling.sh` does.

use std::time::Instant;

use tinderbox_mpi::Session;

/// Exchanges of which the median is printed.
const REPEATS: usize = 21;

fn main() {
    let session = Session::start().expect("started by mpirun");
    let ranks = session.ranks();
    let group = ranks.group();
    if ranks.is_first() {
        println!("| parameters | time, ms | GB/s of each rank |\n|---|---|---|");
    }
    for size in [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000] {
        let mut values = vec![1.0_f32; size];
        group.sum(&mut values).unwrap();
        let mut times: Vec<f64> = (0..REPEATS)
            .map(|_| {
                values.fill(1.0);
                // All begin together.
                group.all_gather(&[]).unwrap();
                let started = Instant::now();
                group.sum(&mut values).unwrap();
                started.elapsed().as_secs_f64()
            })
            .collect();
        assert!(values.iter().all(|sum| *sum as usize == ranks.size()));
        times.sort_by(f64::total_cmp);
        let seconds = times[REPEATS / 2];
        let sent = 8.0 * size as f64 * (ranks.size() - 1) as f64 / ranks.size() as f64;
        if ranks.is_first() {
            println!(
                "| {size} | {:.3} | {:.2} |",
                1e3 * seconds,
                sent / seconds / 1e9
            );
        }
    }
    session.finish();
}
