//! `doctor` and `parity`: whether each device computes the right numbers.

use std::panic;

use anyhow::anyhow;
use burn::tensor::Device;
use tinderbox_backend::{DeviceSpec, devices, open};
use tinderbox_parity::Check;

use crate::{Failure, Output, note, table};

/// A device that was found and opened.
struct Opened {
    spec: DeviceSpec,
    device: Device,
    description: String,
    /// What it needs to work.
    needs: &'static str,
}

/// Checks each device for a second, and suggests a fix for those that fail.
///
/// # Errors
///
/// If a device fails, or one that was compiled in is not on this machine.
pub(crate) fn doctor() -> Result<(), Failure> {
    let (opened, mut failed) = open_all();
    let mut rows = Vec::new();
    for found in &opened {
        let checks = without_panic_output(|| tinderbox_parity::probe(&found.device));
        let Some(worst) = worst(&checks) else {
            continue;
        };
        let verdict = if worst.passed() { "pass" } else { "FAIL" };
        rows.push(vec![
            found.spec.to_string(),
            verdict.to_owned(),
            outcome(worst),
            found.description.clone(),
        ]);
        if !worst.passed() {
            failed.push(format!(
                "`{}` computes wrong numbers; it needs {}",
                found.spec, found.needs
            ));
        }
    }
    print(&["device", "result", "difference", "name"], rows)?;
    exit_status(&failed)
}

/// Compares every layer, loss and model on each device with stored reference values, and the devices
/// with each other.
///
/// # Errors
///
/// As for [`doctor`].
pub(crate) fn parity() -> Result<(), Failure> {
    let (opened, mut failed) = open_all();
    let mut columns: Vec<Vec<Check>> = Vec::new();
    for (index, found) in opened.iter().enumerate() {
        note(&format!("{}: {}", found.spec, found.description));
        let other = &opened[(index + 1) % opened.len()];
        columns.push(without_panic_output(|| {
            let mut checks = tinderbox_parity::parity(&found.device);
            checks.push(tinderbox_parity::transfer(&found.device, &other.device));
            checks
        }));
    }
    let mut header = vec!["largest relative difference", "tolerance"];
    let names: Vec<String> = opened.iter().map(|found| found.spec.to_string()).collect();
    header.extend(names.iter().map(String::as_str));
    let count = columns.iter().map(Vec::len).max().unwrap_or(0);
    let mut rows: Vec<Vec<String>> = (0..count)
        .map(|index| {
            let first = &columns[0][index];
            let mut row = vec![first.name.clone(), format!("{:.0e}", first.tolerance)];
            row.extend(columns.iter().map(|checks| mark(&checks[index])));
            row
        })
        .collect();
    let mut verdicts = vec!["all".to_owned(), String::new()];
    for (found, checks) in opened.iter().zip(&columns) {
        let wrong: Vec<&Check> = checks.iter().filter(|check| !check.passed()).collect();
        verdicts.push(if wrong.is_empty() { "pass" } else { "FAIL" }.to_owned());
        for check in wrong {
            failed.push(format!(
                "`{}`, {}: {}",
                found.spec,
                check.name,
                outcome(check)
            ));
        }
    }
    rows.push(verdicts);
    print(&header, rows)?;
    exit_status(&failed)
}

/// Every compiled device that was found on this machine, and the problems of the others.
fn open_all() -> (Vec<Opened>, Vec<String>) {
    let (mut opened, mut failed) = (Vec::new(), Vec::new());
    for status in devices() {
        let info = status.info;
        if info.is_compiled() && status.found.is_empty() {
            failed.push(format!(
                "`{}` was not found on this machine; it needs {}",
                info.device, info.needs
            ));
        }
        for found in status.found {
            match open(found.spec) {
                Ok(device) => opened.push(Opened {
                    spec: found.spec,
                    device: device.device,
                    description: found.description,
                    needs: info.needs,
                }),
                Err(error) => failed.push(error.to_string()),
            }
        }
    }
    (opened, failed)
}

/// Runs checks without panic messages: each check keeps its own.
fn without_panic_output<T>(run: impl FnOnce() -> T) -> T {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = run();
    panic::set_hook(hook);
    result
}

/// The check with the largest difference relative to its tolerance.
fn worst(checks: &[Check]) -> Option<&Check> {
    let share = |check: &Check| {
        let difference = check.difference.as_ref().copied();
        difference.unwrap_or(f64::INFINITY) / check.tolerance
    };
    checks
        .iter()
        .max_by(|left, right| share(left).total_cmp(&share(right)))
}

fn mark(check: &Check) -> String {
    let outcome = match &check.difference {
        Ok(difference) => format!("{difference:.1e}"),
        Err(_) => "error".to_owned(),
    };
    if check.passed() {
        outcome
    } else {
        format!("{outcome} FAIL")
    }
}

fn outcome(check: &Check) -> String {
    match &check.difference {
        Ok(difference) => format!("{difference:.1e}"),
        Err(error) => error.lines().next().unwrap_or_default().to_owned(),
    }
}

fn print(header: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    let mut lines = vec![header.iter().map(ToString::to_string).collect()];
    lines.extend(rows);
    Output::Stdout.line(table(&lines).trim_end())
}

fn exit_status(failed: &[String]) -> Result<(), Failure> {
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::Other(anyhow!(
        "some devices do not work\n{}",
        failed.join("\n")
    )))
}
