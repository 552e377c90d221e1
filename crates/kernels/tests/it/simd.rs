//! All tests again with smaller registers than the processor's: each in a process of its own,
//! because the instruction set is chosen once.

use std::process::Command;

const VARIABLE: &str = "TINDERBOX_SIMD";

/// What only the kernels promise: without SIMD, Burn's operations take their place.
const NOT_BURNS: [&str; 7] = [
    "activation::",
    "batch_norm::a_mean_far_from_zero_costs_no_accuracy",
    "batch_norm::batch_norm_equals_loops",
    "a_window_larger_than_the_input_is_refused",
    "mismatched_channels_are_rejected",
    "upsample::nan_propagates",
    "conv2d::kept_weights",
];

/// Runs the other tests of this binary, without some, with an instruction set; `name` may be one that
/// this processor lacks, which repeats them with its best.
fn run_all_with(name: &str, skipped: &[&str]) {
    if std::env::var_os(VARIABLE).is_some() {
        // The variable already forces one for all tests.
        return;
    }
    let mut tests = Command::new(std::env::current_exe().unwrap());
    tests.args(["--skip", "simd::"]).env(VARIABLE, name);
    for test in skipped {
        tests.args(["--skip", test]);
    }
    let output = tests.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}:\n{printed}");
    assert!(!printed.contains(" 0 passed"), "{name}:\n{printed}");
}

#[test]
fn kernels_are_correct_without_simd() {
    run_all_with("scalar", &NOT_BURNS);
}

#[test]
fn kernels_are_correct_with_avx2() {
    run_all_with("avx2", &[]);
}

#[test]
fn kernels_are_correct_with_avx512() {
    run_all_with("avx512", &[]);
}

#[test]
fn unknown_instruction_set_is_ignored() {
    let mut tests = Command::new(std::env::current_exe().unwrap());
    let tests = tests.args(["--exact", "linear::linear_equals_burn"]);
    let output = tests.env(VARIABLE, "no such set").output().unwrap();
    assert!(output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains(" 1 passed"), "{printed}");
}
