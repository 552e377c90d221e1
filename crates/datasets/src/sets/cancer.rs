//! The tumors that ship with this crate: 569 of them by 30 measures of the nuclei of their cells.
//!
//! Reference: Wolberg, Street and Mangasarian, *Breast Cancer Wisconsin (Diagnostic)*, UCI Machine
//! Learning Repository, 1995, <https://doi.org/10.24432/C5DW2B>, CC BY 4.0. `data/README.md` says
//! where the copy comes from.
//! Differs from it: the numbers of the patients are left out, and the columns have the names that
//! scikit-learn gives them.

use crate::table::{ReadOptions, Table, TableError, read_csv};

/// A header and 569 rows.
static CSV: &[u8] = include_bytes!("../../data/breast-cancer.csv.gz");

/// Returns the 569 tumors, 212 of them malignant: 30 numeric columns such as `mean radius`, and the
/// target `diagnosis`, which is `benign` or `malignant`.
///
/// ```
/// let table = tinderbox_datasets::sets::cancer()?;
/// assert_eq!((table.rows(), table.columns().len()), (569, 31));
/// let diagnosis = table.column("diagnosis")?.words().unwrap();
/// assert_eq!(diagnosis.levels().iter().collect::<Vec<_>>(), ["benign", "malignant"]);
/// assert_eq!(diagnosis.counts(), [357, 212]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// If the data inside this crate are damaged, which is a fault of the build.
pub fn cancer() -> Result<Table, TableError> {
    read_csv(CSV, "breast-cancer.csv.gz", &ReadOptions::default()).map(|(table, _)| table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Kind, TargetInspection, inspect};

    #[test]
    fn all_measures_are_numbers_and_none_is_missing() {
        let table = cancer().unwrap();
        let (target, measures) = table.columns().split_last().unwrap();
        assert_eq!(measures.len(), 30);
        assert!(
            measures
                .iter()
                .all(|column| column.kind() == Kind::Numeric && column.missing() == 0)
        );
        assert_eq!(
            (target.name(), target.kind()),
            ("diagnosis", Kind::Categorical)
        );
    }

    #[test]
    fn the_numbers_are_those_of_the_source() {
        let table = cancer().unwrap();
        let first = |name| table.column(name).unwrap().number(0);
        let names = [
            "mean radius",
            "mean texture",
            "area error",
            "worst fractal dimension",
        ];
        assert_eq!(names.map(first), [17.99, 10.38, 153.4, 0.1189]);
        // Mean of the source, by scikit-learn: 14.127291739894552.
        let radius = table.column("mean radius").unwrap();
        let mean = (0..569).map(|row| radius.number(row)).sum::<f64>() / 569.0;
        assert!((mean - 14.127_291_739_894_552).abs() < 1e-10);
    }

    #[test]
    fn no_measure_tells_the_diagnosis_alone() {
        let inspection = inspect(&cancer().unwrap(), Some("diagnosis")).unwrap();
        assert_eq!(inspection.findings, []);
        let counts = vec![("benign".to_owned(), 357), ("malignant".to_owned(), 212)];
        let column = "diagnosis".to_owned();
        assert_eq!(
            inspection.target,
            Some(TargetInspection::Classes { column, counts })
        );
    }
}
