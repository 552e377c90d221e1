use std::io::Write as _;

use tempfile::TempDir;
use tinderbox_train::splits::Item;

use super::*;
use crate::space::tests::recipe;

const SPACE: &str = "optimizer.learning_rate = { min = 1e-4, max = 1e-1, log = true }\n";

struct Fixture {
    dir: TempDir,
    sweep: SweepDir,
    search: Search,
}

fn settings() -> Settings {
    Settings {
        app: "app".to_owned(),
        version: "1".to_owned(),
        trials: 3,
        seeds: 1,
        seed: 7,
        sampler: Sampler::Tpe,
        pruner: Pruner::None,
        device: "cpu".to_owned(),
        baselines: false,
        flags: Vec::new(),
    }
}

fn data(items: &[u64]) -> SplitList {
    let items: Vec<Item> = items.iter().map(|&item| Item::new(item, "a")).collect();
    let rows: Vec<usize> = (0..items.len()).collect();
    SplitList::new(items, [&rows[..1], &rows[1..], &[]])
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let space = Space::parse(SPACE, &recipe()).unwrap();
    let sweep = SweepDir::create(
        &dir.path().join("s"),
        settings(),
        "name = \"test\"\n",
        &space,
        Some(&data(&[1, 2, 3])),
    )
    .unwrap();
    let search = Search {
        space,
        sampler: Sampler::Tpe,
        pruner: Pruner::None,
        seed: 7,
        mode: MonitorMode::Max,
    };
    Fixture { dir, sweep, search }
}

impl Fixture {
    fn next(&self) -> Task {
        self.next_noting(&mut |note| panic!("{note}"))
    }

    fn next_noting(&self, on_note: &mut dyn FnMut(&str)) -> Task {
        self.sweep
            .next(&self.search, &Table::new(), true, on_note)
            .unwrap()
    }

    fn trial(&self) -> Trial {
        match self.next() {
            Task::Train(trial) => trial,
            other => panic!("{other:?}"),
        }
    }

    fn finish(&self, trial: Trial, score: f64) {
        let finished = Finished {
            unsolved: 0,
            number: trial.number,
            values: trial.values.clone(),
            outcome: Outcome::Complete,
            metric: "accuracy".to_owned(),
            mode: MonitorMode::Max,
            score,
            deviation: 0.0,
            scores: vec![score],
            reports: vec![(1, score)],
            seconds: 0.5,
            reason: String::new(),
        };
        self.sweep
            .finish(trial, &self.search, &finished, &mut |note| panic!("{note}"))
            .unwrap();
    }

    fn journal(&self) -> PathBuf {
        self.sweep.path().join(JOURNAL_FILE)
    }
}

#[test]
fn trials_are_dealt_once_and_taken_over_when_their_process_ends() {
    let fixture = fixture();
    let first = fixture.trial();
    let second = fixture.trial();
    assert_eq!([first.number, second.number], [0, 1]);
    assert_ne!(first.values, second.values);
    let values = first.values.clone();
    // What a killed process leaves: the folder without its lock.
    drop(first);
    let again = fixture.trial();
    assert!(again.resumed && again.number == 0);
    assert_eq!(again.values, values);
    fixture.finish(again, 0.5);
    let third = fixture.trial();
    assert_eq!(third.number, 2);
    assert!(matches!(fixture.next(), Task::Wait));
    fixture.finish(second, 0.9);
    fixture.finish(third, 0.7);
    assert!(matches!(fixture.next(), Task::Done));
    let (metric, mode, leaders) = fixture.sweep.leaderboard().unwrap().unwrap();
    assert_eq!((metric.as_str(), mode), ("accuracy", MonitorMode::Max));
    let numbers: Vec<usize> = leaders.iter().map(|trial| trial.number).collect();
    assert_eq!(numbers, [1, 2, 0]);
    assert_eq!(
        fs::read_to_string(fixture.journal())
            .unwrap()
            .lines()
            .count(),
        3
    );
}

#[test]
fn a_trial_whose_process_ended_before_it_had_values_gets_them() {
    let fixture = fixture();
    let trial = fixture.trial();
    fs::remove_file(trial.path.join(TRIAL_FILE)).unwrap();
    drop(trial);
    let again = fixture.trial();
    assert_eq!((again.number, again.resumed), (0, false));
}

#[test]
fn a_damaged_last_line_is_written_again() {
    let fixture = fixture();
    for score in [0.5, 0.6] {
        let trial = fixture.trial();
        fixture.finish(trial, score);
    }
    let whole = fs::read_to_string(fixture.journal()).unwrap();
    fs::write(fixture.journal(), &whole[..whole.len() - 9]).unwrap();
    let mut notes = Vec::new();
    let next = fixture.next_noting(&mut |note| notes.push(note.to_owned()));
    assert!(matches!(next, Task::Train(_)));
    assert!(
        notes.len() == 1 && notes[0].contains("line 2 of") && notes[0].contains("is damaged"),
        "{notes:?}"
    );
    assert_eq!(
        fs::read_to_string(fixture.journal())
            .unwrap()
            .lines()
            .count(),
        2
    );
    // One that is lost altogether comes back too.
    fs::remove_file(fixture.journal()).unwrap();
    fixture.next();
    assert_eq!(
        fs::read_to_string(fixture.journal())
            .unwrap()
            .lines()
            .count(),
        2
    );
}

#[test]
fn a_journal_of_something_else_is_refused() {
    let fixture = fixture();
    let trial = fixture.trial();
    fixture.finish(trial, 0.5);
    let refusal = || {
        let next = fixture
            .sweep
            .next(&fixture.search, &Table::new(), true, &mut |_| ());
        next.unwrap_err()
    };
    let own = fs::read_to_string(fixture.journal()).unwrap();
    let mark = fixture.sweep.mark();
    fs::write(fixture.journal(), own.replace(&mark, "0000000000000000")).unwrap();
    let error = refusal();
    assert!(error.is_user());
    assert!(
        error.to_string().contains("line 1 of")
            && error.to_string().contains("another recipe or search space"),
        "{error}"
    );
    fs::write(fixture.journal(), format!("{{}}\n{own}")).unwrap();
    let error = refusal().to_string();
    assert!(error.contains("line 1 is not a trial"), "{error}");
}

#[test]
fn folders_of_others_are_refused() {
    let fixture = fixture();
    let path = fixture.sweep.path();
    let open = |app, version| SweepDir::open(path, app, version);
    assert_eq!(open("app", "1").unwrap().settings(), &settings());
    for (result, words) in [
        (open("text", "1"), "is a sweep of the app `app`"),
        (
            open("app", "2"),
            "was begun by version 1, and this is version 2",
        ),
        (
            SweepDir::open(fixture.dir.path(), "app", "1"),
            "contains no sweep",
        ),
        (
            SweepDir::create(path, settings(), "", &fixture.search.space, None),
            "is not empty; choose another `--out`",
        ),
    ] {
        let error = result.unwrap_err();
        assert!(
            error.is_user() && error.to_string().contains(words),
            "{error}"
        );
    }
    let mut file = OpenOptions::new()
        .append(true)
        .open(path.join(SETTINGS_FILE))
        .unwrap();
    file.write_all(b"more = 1\n").unwrap();
    let error = open("app", "1").unwrap_err().to_string();
    assert!(error.contains("sweep.toml"), "{error}");
}

#[test]
fn other_data_is_refused_with_what_differs() {
    let fixture = fixture();
    let sweep = &fixture.sweep;
    sweep.check_data(&data(&[1, 2, 3])).unwrap();
    let changes = [
        (&[1, 2][..], "1 item missing"),
        (&[1, 2, 3, 4], "1 item new"),
        (&[2, 1, 3], "its items are in another order"),
    ];
    for (items, words) in changes {
        let error = sweep.check_data(&data(items)).unwrap_err();
        assert!(error.is_user(), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    fs::write(sweep.path().join("splits.json"), "{}").unwrap();
    let error = sweep.check_data(&data(&[1, 2, 3])).unwrap_err();
    assert!(error.is_user(), "{error}");
    assert!(error.to_string().contains("splits.json"), "{error}");
}

#[test]
fn nothing_begins_when_the_time_is_up() {
    let fixture = fixture();
    let trial = fixture.trial();
    let late = || {
        let next = fixture
            .sweep
            .next(&fixture.search, &Table::new(), false, &mut |_| ());
        next.unwrap()
    };
    assert!(matches!(late(), Task::Wait));
    fixture.finish(trial, 0.5);
    assert!(matches!(late(), Task::Done));
    assert_eq!(fixture.sweep.finished().unwrap().len(), 1);
}
