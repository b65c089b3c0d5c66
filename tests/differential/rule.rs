//! The documented differences that random programs meet, as rules: what slotted says where Python
//! says something else.
//!
//! A line of a program names its rule after a `!`, so that a program in text form is complete.

use std::collections::BTreeSet;

/// The rules that random programs meet, each with the row of the page *From Python* that it is.
pub(crate) const RULES: [(&str, &str); 5] = [
    (
        "cancelled-is-done",
        "a cancelled future is not done for `wait`",
    ),
    ("moved-out", "a result is shared and can be read again"),
    ("map-goes-on", "`map` stops at the first error"),
    ("map-is-cancelled", "`map` after `shutdown` raises"),
    ("cancelled-again", "a second `set_running_or_notify_cancel`"),
];

/// What slotted must say, given the line of the program and what Python said.
///
/// # Errors
///
/// If Python did not say what makes the difference.
pub(crate) fn expected(line: &str, python: &str) -> Result<String, String> {
    let Some((_, rule)) = line.split_once(" ! ") else {
        return Ok(python.to_owned());
    };
    let (rule, rest) = rule.split_once(' ').unwrap_or((rule, ""));
    let python_must_say = |prefix: &str, slotted: String| {
        if python.starts_with(prefix) {
            Ok(slotted)
        } else {
            Err(format!(
                "the rule {rule} needs `{prefix}` from Python, not `{python}`"
            ))
        }
    };
    // What Python answers after the words of the other thread's step.
    match rule {
        "cancelled-is-done" if python.starts_with("done") => waited(python, rest),
        "cancelled-is-done" => yielded(python, rest),
        "moved-out" if python.starts_with("error") => Ok("taken".to_owned()),
        "moved-out" if python == "none" => Ok("taken".to_owned()),
        "moved-out" => python_must_say("value", "taken".to_owned()),
        "map-goes-on" if python.contains("error") => Ok(format!("{python}, {rest}")),
        "map-goes-on" => python_must_say("error", String::new()),
        "map-is-cancelled" => python_must_say("refused", "cancelled".to_owned()),
        "cancelled-again" => python_must_say("invalid", "false".to_owned()),
        _ => Err(format!("there is no rule {rule}")),
    }
}

/// The numbers in some words.
fn numbers(words: &str) -> BTreeSet<u32> {
    words
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// A word, and numbers in their order.
fn named(name: &str, numbers: &BTreeSet<u32>) -> String {
    numbers
        .iter()
        .fold(name.to_owned(), |said, number| format!("{said} {number}"))
}

/// For Python's `wait` the cancelled tasks of `rest` are not done. For slotted's they are.
fn waited(python: &str, rest: &str) -> Result<String, String> {
    let (done, not_done) = python.split_once(" not").unwrap_or((python, ""));
    let (done, not_done, cancelled) = (numbers(done), numbers(not_done), numbers(rest));
    if !cancelled.is_subset(&not_done) {
        return Err(format!(
            "Python's wait calls some of {cancelled:?} done: `{python}`"
        ));
    }
    let done = named("done", &(&done | &cancelled));
    Ok(done + &named(" not", &(&not_done - &cancelled)))
}

/// Python's `as_completed` does not yield the cancelled tasks of `rest`. Slotted's does.
fn yielded(python: &str, rest: &str) -> Result<String, String> {
    let Some((done, late)) = python.split_once(" timeout ") else {
        return Err(format!("Python's as_completed is not late: `{python}`"));
    };
    let (done, cancelled) = (numbers(done), numbers(rest));
    if !cancelled.is_disjoint(&done) {
        return Err(format!("Python yields some of {cancelled:?}: `{python}`"));
    }
    let late: Vec<usize> = late
        .split(" of ")
        .filter_map(|number| number.parse().ok())
        .collect();
    let (left, total) = (late[0] - cancelled.len(), late[1]);
    let done = named("yielded", &(&done | &cancelled));
    Ok(match left {
        0 => done,
        _ => format!("{done} timeout {left} of {total}"),
    })
}
