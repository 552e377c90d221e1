//! Accounts and the payments between them, as IBM's simulator `AMLSim` writes them: a table of what
//! each account does, and the alerts of a screen by rules to compare a model with.
//!
//! Reference: Suzumura and Kanezashi, *Anti-Money Laundering Datasets*, 2021,
//! <https://github.com/IBM/AMLSim>, Apache-2.0. `nodes.csv` has the columns `nodeid`, `isFraud`,
//! `init_balance` and `fraudStep`; `transactions.csv` has `sourceNodeId`, `targetNodeId`, `value` and
//! `time`, in days.
//!
//! What is left out, as it is known only once somebody has investigated:
//!
//! - `fraudStep`, the day of an account's first laundering payment: it is -1 for all honest ones;
//! - every column of `transactions.csv` but the four above: other releases mark the payments of an
//!   alert (`isFraud`, `alertID`);
//! - `isFraud` of the accounts that an account deals with. What those accounts *do* is used.
//!
//! The number of an account is kept as an identifier; the simulator gives late numbers to laundering
//! accounts more often (AUROC 0.60), so it is no feature.
//!
//! A model should not be trusted beyond this simulation: there an account pays the same amount all
//! its life, and only laundering payments are smaller, so `out_least_share` and `in_unusual` find two
//! thirds of the laundering accounts without any mistake; nothing in the payments tells the others
//! but whom they deal with.

mod features;
mod screen;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::table::{Column, Kind, Overrides, ReadOptions, Table, TableError, read};

pub use screen::{Alert, Rule, ScreenLimits};

/// Errors of reading accounts and payments.
#[derive(Debug, Error)]
pub enum AmlsimError {
    /// A file cannot be read as a table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A cell is empty.
    #[error("`{}` line {line}: `{column}` is empty", file.display())]
    Hole {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The column.
        column: String,
    },
    /// Two lines are of one account.
    #[error("`{}` line {line}: duplicate account {account}", file.display())]
    Twice {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The account.
        account: f64,
    },
    /// A payment names an account that does not exist.
    #[error("`{}` line {line}: unknown account {account}", file.display())]
    NoAccount {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The account.
        account: f64,
    },
}

/// An account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    /// Its number in the file.
    pub number: f64,
    /// What it holds on the first day, in units of money.
    pub opening_balance: f64,
    /// Whether it takes part in laundering: what is to be told.
    pub is_fraud: bool,
}

/// A payment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Payment {
    /// Position of the account that pays.
    pub from: usize,
    /// Position of the account that is paid.
    pub to: usize,
    /// How much, in units of money.
    pub value: f64,
    /// When, in days.
    pub day: f64,
}

/// Accounts and payments.
#[derive(Debug, Clone)]
pub struct Amlsim {
    /// The accounts.
    pub accounts: Vec<Account>,
    /// The payments by day; those of one day in the order of the file.
    pub payments: Vec<Payment>,
}

impl Amlsim {
    /// Reads `nodes.csv` and `transactions.csv` in `folder`.
    ///
    /// # Errors
    ///
    /// If a file or a column is missing, a cell is empty, an account comes twice, or a payment names
    /// one that does not exist.
    pub fn read(folder: &Path) -> Result<Self, AmlsimError> {
        let file = folder.join("nodes.csv");
        let nodes = open(&file, &["nodeid", "init_balance", "isFraud"])?;
        let [numbers, balances, frauds] = nodes.columns;
        let (mut accounts, mut position) = (Vec::new(), HashMap::new());
        for row in 0..nodes.rows {
            let number = numbers.number(row);
            if position.insert(number.to_bits(), row).is_some() {
                return Err(AmlsimError::Twice {
                    file,
                    line: nodes.lines[row],
                    account: number,
                });
            }
            accounts.push(Account {
                number,
                opening_balance: balances.number(row),
                is_fraud: frauds.number(row) != 0.0,
            });
        }
        let payments = read_payments(&folder.join("transactions.csv"), &position)?;
        Ok(Self { accounts, payments })
    }

    /// A row for each account: its number, what it does, and the target `isFraud`.
    ///
    /// | columns | meaning |
    /// |---|---|
    /// | `opening_balance` | what it held on the first day |
    /// | `in_count`, `in_sum`, `in_mean`, `in_deviation`, `in_least`, `in_most`, and with `out_` | how many payments and how much |
    /// | `in_partners`, `out_partners` | with how many accounts |
    /// | `in_first`, `in_last`, `in_days`, `in_gap`, `in_burstiness`, and with `out_` | first and last day, how many days, the mean number of days between payments, and how uneven these are: Goh and Barabási, *Burstiness and memory in complex systems*, 2008, <https://doi.org/10.1209/0295-5075/81/48002> |
    /// | `in_repeats`, `out_repeats` | most payments of one amount with one account on one day |
    /// | `in_unusual` | share of payments received that are below 90 % of what their payer pays at most |
    /// | `out_least_share` | smallest payment made by largest |
    /// | `out_in_ratio` | money paid by money received |
    /// | `same_partners` | accounts with payments in both directions |
    /// | `triangles`, `timed_triangles` | ways by which money comes back over two other accounts, and those of ascending days |
    /// | `payers_…`, `payees_…` | means over the accounts that pay it and are paid by it |
    ///
    /// What does not exist, such as the mean of no payment, is missing.
    ///
    /// # Errors
    ///
    /// Never for accounts that were read.
    pub fn features(&self) -> Result<Table, TableError> {
        let mut columns = vec![Column::identifier(
            "nodeid",
            self.accounts.iter().map(|a| a.number).collect(),
        )];
        let balances = self
            .accounts
            .iter()
            .map(|account| account.opening_balance)
            .collect();
        columns.push(Column::numeric("opening_balance", balances));
        columns.extend(features::columns(self));
        let frauds = self
            .accounts
            .iter()
            .map(|account| f64::from(u8::from(account.is_fraud)));
        columns.push(Column::boolean("isFraud", frauds.collect()));
        Table::new("accounts", columns)
    }

    /// What a screen by rules would alert, by account and rule.
    pub fn screen(&self, limits: &ScreenLimits) -> Vec<Alert> {
        screen::screen(self, limits)
    }

    /// Positions in `payments` of those that each account makes (`true`) or gets, by day.
    fn by_account(&self, made: bool) -> Vec<Vec<usize>> {
        let mut lists = vec![Vec::new(); self.accounts.len()];
        for (at, payment) in self.payments.iter().enumerate() {
            lists[if made { payment.from } else { payment.to }].push(at);
        }
        lists
    }
}

/// Columns of numbers without a hole.
struct Opened<const N: usize> {
    columns: [Column; N],
    lines: Vec<u64>,
    rows: usize,
}

fn open<const N: usize>(file: &Path, names: &[&str; N]) -> Result<Opened<N>, AmlsimError> {
    let kinds: Overrides = names
        .iter()
        .map(|name| ((*name).to_owned(), Kind::Numeric))
        .collect();
    let (mut table, _) = read(
        file,
        &ReadOptions {
            kinds,
            ..ReadOptions::default()
        },
    )?;
    let lines: Vec<u64> = (0..table.rows()).map(|row| table.line(row)).collect();
    let mut columns = Vec::new();
    for name in names {
        let column = table.remove(name)?;
        if let Some(row) = (0..column.len()).find(|&row| column.is_missing(row)) {
            let (file, column) = (file.to_owned(), (*name).to_owned());
            return Err(AmlsimError::Hole {
                file,
                line: lines[row],
                column,
            });
        }
        columns.push(column);
    }
    let rows = lines.len();
    let columns = columns
        .try_into()
        .unwrap_or_else(|_| unreachable!("a column for each name"));
    Ok(Opened {
        columns,
        lines,
        rows,
    })
}

fn read_payments(file: &Path, position: &HashMap<u64, usize>) -> Result<Vec<Payment>, AmlsimError> {
    let opened = open(file, &["sourceNodeId", "targetNodeId", "value", "time"])?;
    let [from, to, value, day] = &opened.columns;
    let account = |column: &Column, row: usize| {
        let account = column.number(row);
        position
            .get(&account.to_bits())
            .copied()
            .ok_or_else(|| AmlsimError::NoAccount {
                file: file.to_owned(),
                line: opened.lines[row],
                account,
            })
    };
    let payment = |row| {
        Ok(Payment {
            from: account(from, row)?,
            to: account(to, row)?,
            value: value.number(row),
            day: day.number(row),
        })
    };
    let mut payments = (0..opened.rows)
        .map(payment)
        .collect::<Result<Vec<_>, AmlsimError>>()?;
    payments.sort_by(|a, b| a.day.total_cmp(&b.day));
    Ok(payments)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Accounts 0 to `accounts`, and payments of from, to, value and day.
    pub(super) fn made(accounts: usize, payments: &[(usize, usize, f64, f64)]) -> Amlsim {
        let account = |number| Account {
            number: number as f64,
            opening_balance: 100.0,
            is_fraud: false,
        };
        let payment = |&(from, to, value, day)| Payment {
            from,
            to,
            value,
            day,
        };
        let mut payments: Vec<Payment> = payments.iter().map(payment).collect();
        payments.sort_by(|a, b| a.day.total_cmp(&b.day));
        Amlsim {
            accounts: (0..accounts).map(account).collect(),
            payments,
        }
    }

    const NODES: &str =
        "nodeid,isFraud,init_balance,fraudStep\n7,0,100,-1\n8,1,50.5,3\n9,0,20,-1\n";

    fn read_from(nodes: &str, payments: &str) -> Result<Amlsim, AmlsimError> {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("nodes.csv"), nodes).unwrap();
        let header = "sourceNodeId,targetNodeId,value,time,isFraud";
        std::fs::write(
            dir.path().join("transactions.csv"),
            format!("{header}\n{payments}"),
        )
        .unwrap();
        Amlsim::read(dir.path())
    }

    #[test]
    fn accounts_are_found_by_number_and_payments_ordered_by_day() {
        let data = read_from(NODES, "8,9,10.5,4,1\n7,8,99,2,0\n").unwrap();
        assert_eq!(data.accounts.len(), 3);
        assert!(data.accounts[1].is_fraud);
        assert_eq!(
            data.payments,
            [
                Payment {
                    from: 0,
                    to: 1,
                    value: 99.0,
                    day: 2.0
                },
                Payment {
                    from: 1,
                    to: 2,
                    value: 10.5,
                    day: 4.0
                },
            ]
        );
    }

    #[test]
    fn nothing_that_is_known_later_is_a_feature() {
        let table = read_from(NODES, "8,9,10.5,4,1\n7,8,99,2,0\n")
            .unwrap()
            .features()
            .unwrap();
        let names: Vec<&str> = table.columns().iter().map(Column::name).collect();
        assert!(!names.contains(&"fraudStep"));
        assert_eq!(
            names
                .iter()
                .filter(|name| name.contains("raud"))
                .collect::<Vec<_>>(),
            [&"isFraud"]
        );
        assert_eq!(table.column("nodeid").unwrap().kind(), Kind::Identifier);
        // Who is a fraud changes the target only.
        let other = read_from(
            &NODES.replace("7,0", "7,1").replace("8,1", "8,0"),
            "8,9,10.5,4,0\n7,8,99,2,1\n",
        );
        let other = other.unwrap().features().unwrap();
        let features = table.columns().len() - 1;
        assert_eq!(table.columns()[..features], other.columns()[..features]);
        assert_ne!(table.columns()[features], other.columns()[features]);
    }

    #[test]
    fn bad_lines_are_named() {
        let message =
            |nodes: &str, payments: &str| read_from(nodes, payments).unwrap_err().to_string();
        assert!(
            message(NODES, "8,5,1,1,0\n").ends_with("transactions.csv` line 2: unknown account 5")
        );
        assert!(message(NODES, "8,9,,1,0\n7,9,2,1,0\n").ends_with("line 2: `value` is empty"));
        let twice = NODES.replace("9,0", "8,0");
        assert!(message(&twice, "8,7,1,1,0\n").ends_with("line 4: duplicate account 8"));
        assert!(
            message(&NODES.replace("isFraud", "fraud"), "8,7,1,1,0\n")
                .contains("no column `isFraud`")
        );
    }
}
