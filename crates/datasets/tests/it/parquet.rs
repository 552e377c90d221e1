#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper may stop the test"
)]
#![allow(clippy::float_cmp, reason = "a number is read to the bit")]
#![allow(clippy::cast_possible_wrap, reason = "rows are few")]
//! Parquet against the same table in CSV.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use tinderbox_datasets::table::{
    Column, Kind, ReadNote, ReadOptions, Table, TableError, read, read_csv, read_with,
};

const ROWS: usize = 100;

/// Writes a file of two row groups; `fill` writes one column of one of them.
fn write(
    path: &Path,
    message: &str,
    compression: Compression,
    fill: impl Fn(usize, usize, &mut ColumnWriter<'_>),
) {
    let schema = Arc::new(parse_message_type(message).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for group in 0..2 {
        let mut rows = writer.next_row_group().unwrap();
        let mut at = 0;
        while let Some(mut column) = rows.next_column().unwrap() {
            fill(group, at, column.untyped());
            column.close().unwrap();
            at += 1;
        }
        rows.close().unwrap();
    }
    writer.close().unwrap();
}

const MESSAGE: &str = "message table {
    required int64 id;
    optional double x;
    required boolean flag;
    optional binary word (UTF8);
    required int32 day (DATE);
    required int64 moment (TIMESTAMP(MICROS, true));
    optional int32 price (DECIMAL(9, 2));
    required binary number (UTF8);
}";

fn column(group: usize, at: usize, writer: &mut ColumnWriter<'_>) {
    let rows: Vec<usize> = (group * ROWS / 2..(group + 1) * ROWS / 2).collect();
    let present = |row: &&usize| !row.is_multiple_of(7);
    let levels: Vec<i16> = rows
        .iter()
        .map(|row| i16::from(!row.is_multiple_of(7)))
        .collect();
    let levels = Some(levels.as_slice());
    match (at, writer) {
        (0, ColumnWriter::Int64ColumnWriter(writer)) => {
            let values: Vec<i64> = rows.iter().map(|&row| row as i64 + 1).collect();
            writer.write_batch(&values, None, None).unwrap();
        }
        (1, ColumnWriter::DoubleColumnWriter(writer)) => {
            let values: Vec<f64> = rows
                .iter()
                .filter(present)
                .map(|&row| row as f64 / 3.0)
                .collect();
            writer.write_batch(&values, levels, None).unwrap();
        }
        (2, ColumnWriter::BoolColumnWriter(writer)) => {
            let values: Vec<bool> = rows.iter().map(|row| row % 3 == 0).collect();
            writer.write_batch(&values, None, None).unwrap();
        }
        (3, ColumnWriter::ByteArrayColumnWriter(writer)) => {
            let word = |row: &usize| ByteArray::from(["red", "blue", "grün"][row % 3]);
            let values: Vec<ByteArray> = rows.iter().filter(present).map(word).collect();
            writer.write_batch(&values, levels, None).unwrap();
        }
        (4, ColumnWriter::Int32ColumnWriter(writer)) => {
            let values: Vec<i32> = rows.iter().map(|&row| row as i32 * 10).collect();
            writer.write_batch(&values, None, None).unwrap();
        }
        (5, ColumnWriter::Int64ColumnWriter(writer)) => {
            let values: Vec<i64> = rows
                .iter()
                .map(|&row| row as i64 * 43_200_000_000)
                .collect();
            writer.write_batch(&values, None, None).unwrap();
        }
        (6, ColumnWriter::Int32ColumnWriter(writer)) => {
            let values: Vec<i32> = rows
                .iter()
                .filter(present)
                .map(|&row| row as i32 * 25)
                .collect();
            writer.write_batch(&values, levels, None).unwrap();
        }
        (7, ColumnWriter::ByteArrayColumnWriter(writer)) => {
            let number = |row: &usize| ByteArray::from(format!("{}.5", row % 9).as_str());
            let values: Vec<ByteArray> = rows.iter().map(number).collect();
            writer.write_batch(&values, None, None).unwrap();
        }
        _ => panic!("the columns are those of the message"),
    }
}

/// A folder, and a file in it packed with `compression`.
fn packed(compression: Compression) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    write(&path, MESSAGE, compression, column);
    (dir, path)
}

fn open(path: &Path) -> Table {
    read(path, &ReadOptions::default()).unwrap().0
}

#[test]
fn cells_and_kinds_are_those_that_were_written() {
    use Kind::{Boolean, Categorical, Date, Identifier, Numeric};
    let (_dir, path) = packed(Compression::SNAPPY);
    let (table, report) = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(
        (report.format, report.rows, report.notes.len()),
        ("parquet", ROWS, 0)
    );
    let kinds: Vec<Kind> = table.columns().iter().map(Column::kind).collect();
    assert_eq!(
        kinds,
        [
            Identifier,
            Numeric,
            Boolean,
            Categorical,
            Date,
            Date,
            Numeric,
            Numeric
        ]
    );
    for row in 0..ROWS {
        let number = |name| table.column(name).unwrap().number(row);
        assert_eq!(number("id"), row as f64 + 1.0);
        assert_eq!(number("flag"), f64::from(u8::from(row % 3 == 0)));
        assert_eq!(
            [number("day"), number("moment")],
            [row as f64 * 10.0, row as f64 / 2.0]
        );
        assert_eq!(number("number"), (row % 9) as f64 + 0.5);
        let words = table.column("word").unwrap().words().unwrap();
        if row.is_multiple_of(7) {
            assert!(number("x").is_nan() && number("price").is_nan());
            assert_eq!(words.get(row), None);
        } else {
            assert_eq!(
                [number("x"), number("price")],
                [row as f64 / 3.0, row as f64 / 4.0]
            );
            assert_eq!(words.get(row), Some(["red", "blue", "grün"][row % 3]));
        }
    }
}

#[test]
fn csv_of_the_same_table_gives_the_same_columns() {
    let (_dir, path) = packed(Compression::UNCOMPRESSED);
    let table = open(&path);
    let mut csv = Vec::new();
    table.write_csv(&mut csv).unwrap();
    let (same, _) = read_csv(csv.as_slice(), "t.csv", &ReadOptions::default()).unwrap();
    assert_eq!(same.columns(), table.columns());
    // And a model trained on the one reads the other.
    let (again, _) = read_with(&path, &same.schema(), &[], &ReadOptions::default()).unwrap();
    assert_eq!(again.columns(), table.columns());
}

#[test]
fn every_codec_is_unpacked() {
    let (_dir, path) = packed(Compression::UNCOMPRESSED);
    let plain = open(&path);
    for codec in [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
    ] {
        let (_dir, path) = packed(codec);
        assert_eq!(open(&path).columns(), plain.columns(), "{codec:?}");
    }
}

#[test]
fn kinds_can_be_set_and_rows_sampled() {
    let (_dir, path) = packed(Compression::SNAPPY);
    let mut options = ReadOptions {
        sample: Some(10),
        ..ReadOptions::default()
    };
    options.kinds.insert("id".to_owned(), Kind::Numeric);
    options.kinds.insert("flag".to_owned(), Kind::Categorical);
    let (table, report) = read(&path, &options).unwrap();
    assert_eq!((table.rows(), report.rows_in_file), (10, ROWS));
    let id = table.column("id").unwrap();
    assert_eq!(id.kind(), Kind::Numeric);
    for row in 0..10 {
        assert_eq!(table.line(row), id.number(row) as u64);
        let flag = table.column("flag").unwrap().text(row);
        assert_eq!(
            flag,
            (id.number(row) as usize - 1).is_multiple_of(3).to_string()
        );
    }
}

#[test]
fn lists_are_left_out_and_old_moments_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.parquet");
    let message = "message table {
        required int96 old;
        repeated int32 list;
        required fixed_len_byte_array(2) half (FLOAT16);
    }";
    write(
        &path,
        message,
        Compression::SNAPPY,
        |_, at, writer| match (at, writer) {
            (0, ColumnWriter::Int96ColumnWriter(writer)) => {
                let mut noon = Int96::new();
                let nanoseconds = 43_200_000_000_000_u64;
                noon.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, 2_440_590);
                writer.write_batch(&[noon], None, None).unwrap();
            }
            (1, ColumnWriter::Int32ColumnWriter(writer)) => {
                writer
                    .write_batch(&[1, 2], Some(&[1, 1]), Some(&[0, 1]))
                    .unwrap();
            }
            (2, ColumnWriter::FixedLenByteArrayColumnWriter(writer)) => {
                let two = FixedLenByteArray::from(vec![0x00, 0xC0]);
                writer.write_batch(&[two], None, None).unwrap();
            }
            _ => panic!("the columns are those of the message"),
        },
    );
    let (table, report) = read(&path, &ReadOptions::default()).unwrap();
    assert_eq!(table.column("old").unwrap().number(0), 2.5);
    assert_eq!(table.column("half").unwrap().number(1), -2.0);
    assert_eq!(report.ignored, ["list"]);
    assert!(matches!(&report.notes[..], [ReadNote::Nested { column }] if column == "list"));
}

#[test]
fn damaged_files_and_infinities_are_errors() {
    let (_dir, path) = packed(Compression::SNAPPY);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 20]).unwrap();
    let message = read(&path, &ReadOptions::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("is damaged or not a supported Parquet file"),
        "{message}"
    );

    write(
        &path,
        "message table { required double x; }",
        Compression::SNAPPY,
        |_, _, writer| {
            if let ColumnWriter::DoubleColumnWriter(writer) = writer {
                writer
                    .write_batch(&[1.0, f64::INFINITY], None, None)
                    .unwrap();
            }
        },
    );
    let error = read(&path, &ReadOptions::default()).unwrap_err();
    assert!(
        matches!(error, TableError::Infinite { line: 2, .. }),
        "{error}"
    );
    let message = error.to_string();
    let advice = "row 2, column `x`: `inf` is infinite; correct it, or store it as null";
    assert!(message.ends_with(advice), "{message}");
}

#[test]
fn what_does_not_fit_is_refused() {
    let (_dir, path) = packed(Compression::SNAPPY);
    let options = ReadOptions {
        memory: Some(1000),
        ..ReadOptions::default()
    };
    assert!(matches!(
        read(&path, &options),
        Err(TableError::Memory { limit: 1000, .. })
    ));
}
