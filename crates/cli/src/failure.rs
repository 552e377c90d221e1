//! How a program ends.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Error;
use tinderbox_predict::error_chain;
use tinderbox_train::{ErrorKind, TaskError};

use crate::escape::escape;
use crate::interrupt;

/// Why a command did not succeed, and so with which code the program ends.
#[derive(Debug)]
pub enum Failure {
    /// The command line, the recipe or the data is wrong: 2.
    UserError(Error),
    /// The user stopped it, and it can be resumed: 130.
    Interrupted(Error),
    /// Anything else: 1.
    Other(Error),
}

impl Failure {
    /// A failure that the user can fix, from a message.
    pub fn user(message: impl Display) -> Self {
        Self::UserError(anyhow::anyhow!("{message}"))
    }

    /// A library's error, by what it says of itself.
    pub fn of(error: impl Into<Error>, interrupted: bool, input: bool) -> Self {
        let error = error.into();
        match (interrupted, input) {
            (true, _) => Self::Interrupted(error),
            (false, true) => Self::UserError(error),
            (false, false) => Self::Other(error),
        }
    }

    /// The error with its causes in one line.
    pub fn message(&self) -> String {
        message(self.parts().1)
    }

    fn parts(&self) -> (u8, &Error) {
        match self {
            Self::UserError(error) => (2, error),
            Self::Interrupted(error) => (interrupt::EXIT_CODE, error),
            Self::Other(error) => (1, error),
        }
    }
}

impl<E: Into<Error>> From<E> for Failure {
    /// By the kind of a [`TaskError`]; any other error is not the user's.
    fn from(error: E) -> Self {
        let error = error.into();
        let kind = error.downcast_ref::<TaskError>().map(TaskError::kind);
        match kind {
            Some(ErrorKind::User) => Self::UserError(error),
            Some(ErrorKind::Interrupted) => Self::Interrupted(error),
            Some(ErrorKind::Internal) | None => Self::Other(error),
        }
    }
}

/// Marks errors that the user can fix.
pub trait OrUserError<T> {
    /// Turns the error into [`Failure::UserError`].
    ///
    /// # Errors
    ///
    /// If `self` is one.
    fn or_user_error(self) -> Result<T, Failure>;
}

impl<T, E: Into<Error>> OrUserError<T> for Result<T, E> {
    fn or_user_error(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::UserError(error.into()))
    }
}

/// Reports what went wrong, once, and gives the exit code.
pub fn finish(result: Result<(), Failure>) -> ExitCode {
    interrupt::leave();
    exit_status(result)
}

fn exit_status(result: Result<(), Failure>) -> ExitCode {
    let Err(failure) = result else {
        return ExitCode::SUCCESS;
    };
    let (code, error) = failure.parts();
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let text = match &failure {
        Failure::Interrupted(_) => interrupt::report(&message(error)),
        _ => format!("error: {}", message(error)),
    };
    // If stderr is gone too, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{}", shown(&text));
    ExitCode::from(code)
}

/// A message with control characters escaped; lines after the first are indented, so that none can
/// pass for a message of its own.
pub(crate) fn shown(message: &str) -> String {
    escape(message).replace('\n', "\n  ")
}

fn message(error: &Error) -> String {
    error_chain(error.as_ref())
}

fn is_closed_pipe(error: &Error) -> bool {
    let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error
        .chain()
        .any(|cause| cause.downcast_ref().is_some_and(closed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn the_chain_is_told_once() {
        let error = Err::<(), _>(io::Error::other("disk full"))
            .context("cannot write `a`")
            .unwrap_err();
        assert_eq!(message(&error), "cannot write `a`: disk full");
        let error = Error::from(io::Error::other("disk full")).context("disk full");
        assert_eq!(message(&error), "disk full");
    }

    #[test]
    fn a_name_in_a_message_cannot_act_on_the_terminal() {
        for (message, seen) in [
            ("cannot read `\x1b[2J.csv`", "cannot read `\\u001b[2J.csv`"),
            ("cannot read `a\nerror: b`", "cannot read `a\n  error: b`"),
            ("`a\u{202e}b` is not a class", "`a\\u202eb` is not a class"),
        ] {
            assert_eq!(shown(message), seen);
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure() {
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(exit_status(Err(pipe.into())), ExitCode::SUCCESS);
    }
}
