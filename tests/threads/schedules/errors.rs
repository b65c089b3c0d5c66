//! What can be done with an error from wherever one is.

use core::cell::Cell;
use core::fmt::{self, Write};

use slotted::{Executor, TaskError};

use crate::schedules::support::within_limit;

/// How a task that panicked ended.
fn panicked() -> TaskError {
    let executor: Executor<0, 1> = Executor::new();
    let outcome = executor.submit(|| panic!("so it goes")).unwrap().result();
    let Err::<(), TaskError>(error) = outcome else {
        unreachable!("the task panics")
    };
    error
}

/// Formats an error once more while it is given the panic's message.
struct Echo<'t, 'e> {
    text: &'t mut String,
    error: &'e TaskError,
    format: fn(&mut Self, &'e TaskError) -> fmt::Result,
    echoed: &'t Cell<bool>,
}

impl Write for Echo<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        if text.contains("so it goes") && !self.echoed.replace(true) {
            (self.format)(self, self.error)?;
        }
        Ok(())
    }
}

/// What a writer has that formats the same error again from inside.
fn echoed(format: for<'t, 'e> fn(&mut Echo<'t, 'e>, &'e TaskError) -> fmt::Result) -> String {
    let (error, echoed) = (panicked(), Cell::new(false));
    let mut text = String::new();
    let mut echo = Echo {
        text: &mut text,
        error: &error,
        format,
        echoed: &echoed,
    };
    format(&mut echo, &error).unwrap();
    text
}

/// A writer may format the error that is being written to it.
#[test]
fn error_is_displayed_from_inside_a_writer_that_displays_it() {
    within_limit(|| {
        let text = echoed(|echo, error| write!(echo, "{error}"));
        assert_eq!(text.matches("so it goes").count(), 2, "{text}");
    });
}

/// The same with its debug output.
#[test]
fn error_is_debugged_from_inside_a_writer_that_debugs_it() {
    within_limit(|| {
        let text = echoed(|echo, error| write!(echo, "{error:?}"));
        assert_eq!(text.matches("so it goes").count(), 2, "{text}");
    });
}
