//! Interrupt signals: Ctrl-C, and requests to terminate or hang up.
//!
//! A training finishes its step, saves its state and ends; everything else ends at once, because
//! no file is ever half-written. A second signal always ends the program at once. The exit code is
//! 130.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::escape::shell_word;
use burn::train::Interrupter;
use tinderbox_datasets::atomic_file::remove_unfinished;
use tinderbox_train::run_dir::RECIPE_FILE;
use tinderbox_train::saves_when_interrupted;

use crate::{dashboard, note};

/// Exit code of a program that was interrupted.
pub(crate) const EXIT_CODE: u8 = 130;

/// How often a training is asked whether it has saved its state.
const POLL: Duration = Duration::from_millis(20);

/// Time for the main thread to report that it was interrupted.
const GRACE: Duration = Duration::from_millis(500);

static INTERRUPTER: LazyLock<Interrupter> = LazyLock::new(Interrupter::new);

/// Whether a thread has begun to report how the program ends: only one does.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// Whether a server handles signals.
static SERVING: AtomicBool = AtomicBool::new(false);

/// Since when the server finishes what is in progress.
static STOPPING: OnceLock<Instant> = OnceLock::new();

/// Name of the program in the command that resumes a run.
static APP: OnceLock<&str> = OnceLock::new();

/// What is under way.
static RUN: Mutex<Option<UnderWay>> = Mutex::new(None);

/// What an interrupted program resumes.
struct UnderWay {
    dir: PathBuf,
    /// The command and the flag that take the folder.
    command: &'static str,
}

/// Handles signals from now on, in the program named `app`.
///
/// # Errors
///
/// If the system does not let signals be handled, or they are already.
pub(crate) fn install(app: &'static str) -> Result<(), ctrlc::Error> {
    let _ = APP.set(app);
    ctrlc::set_handler(on_signal)
}

/// A handle that a signal pulls.
pub fn interrupter() -> Interrupter {
    INTERRUPTER.clone()
}

/// Makes an interruption from now on print how to resume the run in `dir`, if it has begun.
pub(crate) fn set_run(dir: &Path) {
    set(dir, "train --resume");
}

/// Makes an interruption from now on print how to resume the sweep in `dir`.
pub(crate) fn set_sweep(dir: &Path) {
    set(dir, "sweep --join");
}

fn set(dir: &Path, command: &'static str) {
    *RUN.lock().unwrap_or_else(PoisonError::into_inner) = Some(UnderWay {
        dir: dir.to_owned(),
        command,
    });
}

/// The command that resumes what is under way, if there is something to resume.
pub(crate) fn resume_command() -> Option<String> {
    let app = APP.get()?;
    let run = RUN.lock().unwrap_or_else(PoisonError::into_inner);
    let UnderWay { dir, command } = run.as_ref()?;
    // Both begin with it.
    let exists = dir.join(RECIPE_FILE).is_file();
    exists.then(|| format!("{app} {command} {}", shell_word(dir)))
}

/// Claims the end of the program for the calling thread, which may then report it; any other
/// thread that calls it waits for the process to exit.
pub(crate) fn leave() {
    if LEAVING.swap(true, Ordering::SeqCst) {
        loop {
            thread::park();
        }
    }
}

/// What an interrupted program prints last.
pub(crate) fn report(reason: &str) -> String {
    match resume_command() {
        Some(command) => format!("{reason}; resume with `{command}`"),
        None => reason.to_owned(),
    }
}

/// Leaves signals to a server, which ends by itself.
pub(crate) fn hand_over_signals() {
    SERVING.store(true, Ordering::SeqCst);
}

/// Makes the next signal end the program at once.
pub(crate) fn stop_at_next_signal() {
    let _ = STOPPING.set(Instant::now());
}

/// Whether a signal is the server's. The one that stops it may arrive here after it.
fn is_of_server() -> bool {
    let is_first = || STOPPING.get().is_none_or(|since| since.elapsed() < GRACE);
    SERVING.load(Ordering::SeqCst) && is_first()
}

fn on_signal() {
    if is_of_server() {
        return;
    }
    let again = INTERRUPTER.should_stop() || LEAVING.load(Ordering::SeqCst);
    INTERRUPTER.stop(Some("signal"));
    if again || !saves_when_interrupted() {
        LEAVING.store(true, Ordering::SeqCst);
        exit();
    }
    announce();
    thread::spawn(|| {
        while saves_when_interrupted() {
            thread::sleep(POLL);
        }
        // The training may have come to its end instead, and what follows would take its time.
        thread::sleep(GRACE);
        leave();
        exit();
    });
}

fn announce() {
    if dashboard::has_terminal() {
        return;
    }
    // Below a progress bar.
    let line = if io::stderr().is_terminal() { "\n" } else { "" };
    note(&format!(
        "{line}stopping after this step to save the state; interrupt again to stop at once"
    ));
}

/// Ends the program, and leaves nothing unfinished.
fn exit() -> ! {
    dashboard::restore_terminal();
    remove_unfinished();
    note(&report("interrupted"));
    process::exit(EXIT_CODE.into())
}
