//! Reads a table, says what is in it, how long that took and how much memory.
//!
//! ```text
//! cargo run -p tinderbox-datasets --example inspect_table -- FILE [TARGET]
//! cargo run -p tinderbox-datasets --example inspect_table -- --make FILE ROWS
//! ```
//!
//! The second form writes a CSV file of 20 columns of all kinds, to measure the first with. Set
//! `RAYON_NUM_THREADS=1` to measure one core.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use tinderbox_datasets::random::{below, normal, stream};
use tinderbox_datasets::table::{ReadOptions, Table, inspect, read};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--make", file, rows] => make(Path::new(file), rows.parse()?),
        [file] => show(Path::new(file), None),
        [file, target] => show(Path::new(file), Some(target)),
        _ => Err("give a file, and perhaps a target, or --make FILE ROWS".into()),
    }
}

fn show(path: &Path, target: Option<&str>) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let start = Instant::now();
    let (table, report) = read(path, &ReadOptions::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let file = path.metadata()?.len();
    writeln!(out, "{report:#?}")?;
    writeln!(
        out,
        "read {} x {} in {seconds:.2} s; file {:.1} MB, table {:.1} MB, peak {:.1} MB",
        table.rows(),
        table.columns().len(),
        megabytes(file),
        megabytes(table.bytes() as u64),
        megabytes(peak_memory()?)
    )?;
    write_inspection(&mut out, &table, target)
}

fn write_inspection(
    out: &mut impl Write,
    table: &Table,
    target: Option<&str>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let inspection = inspect(table, target)?;
    let seconds = start.elapsed().as_secs_f64();
    for column in &inspection.columns {
        writeln!(
            out,
            "{:<28} {:<12} missing {:<7} distinct {:<8} {:?}",
            column.name, column.kind, column.missing, column.distinct, column.summary
        )?;
    }
    for finding in &inspection.findings {
        writeln!(out, "- {finding}")?;
    }
    writeln!(out, "{:?}\ninspected in {seconds:.2} s", inspection.target)?;
    Ok(())
}

/// The most memory that this process has held, in bytes; 0 where the system does not say.
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.map_or("0", |peak| peak.trim_end_matches("kB").trim());
    Ok(kibibytes.parse::<u64>()? * 1024)
}

fn make(path: &Path, rows: usize) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path)?);
    let names = [
        "id",
        "amount",
        "balance",
        "rate",
        "score",
        "height",
        "weight",
        "x",
        "y",
        "age",
        "count",
        "visits",
        "city",
        "product",
        "channel",
        "segment",
        "active",
        "signup",
        "last_seen",
        "store",
    ];
    writeln!(out, "{}", names.join(","))?;
    for row in 0..rows {
        let mut rng = stream(1, &[row as u64]);
        write!(out, "{}", row + 1)?;
        write!(
            out,
            ",{:.2},{:.2}",
            normal(&mut rng).exp() * 100.0,
            normal(&mut rng) * 1e4
        )?;
        write!(
            out,
            ",{:.4},{:.6}",
            below(&mut rng, 10_000) as f64 / 1e4,
            normal(&mut rng)
        )?;
        for _ in 0..4 {
            write!(out, ",{:.5}", normal(&mut rng))?;
        }
        let [age, count, visits] = [90, 12, 100_000].map(|end| below(&mut rng, end));
        write!(out, ",{age},{count},{visits}")?;
        let cities = [
            "Berlin",
            "Hamburg",
            "München",
            "Köln",
            "Frankfurt am Main",
            "Bremen",
        ];
        write!(
            out,
            ",{},P{:04}",
            cities[below(&mut rng, 6)],
            below(&mut rng, 2000)
        )?;
        write!(out, ",{}", ["web", "shop", "phone", ""][below(&mut rng, 4)])?;
        write!(out, ",{}", ["gold", "silver", "bronze"][below(&mut rng, 3)])?;
        write!(out, ",{}", ["yes", "no"][below(&mut rng, 2)])?;
        let [month, day, hour, minute] = [12, 28, 24, 60].map(|end| below(&mut rng, end));
        write!(
            out,
            ",20{:02}-{:02}-{:02}",
            below(&mut rng, 24),
            month + 1,
            day + 1
        )?;
        write!(
            out,
            ",2024-{:02}-{:02} {hour:02}:{minute:02}:00",
            month + 1,
            day + 1
        )?;
        writeln!(out, ",\"Store {}, Main St\"", below(&mut rng, 500))?;
    }
    Ok(out.flush()?)
}
