//! Programs with what both players say to each line: the documented differences, and programs that
//! random ones were shrunk to.

use crate::sides::Sides;

/// A line, what Python says to it, and what slotted says.
struct Line<'a> {
    text: &'a str,
    says: [&'a str; 2],
}

struct Program<'a> {
    title: &'a str,
    lines: Vec<Line<'a>>,
}

/// Reads programs: a title after `==`, then lines in columns.
fn programs(text: &str) -> Vec<Program<'_>> {
    let mut programs: Vec<Program<'_>> = Vec::new();
    for row in text
        .lines()
        .filter(|row| !row.is_empty() && !row.starts_with('#'))
    {
        if let Some(title) = row.strip_prefix("== ") {
            let lines = Vec::new();
            programs.push(Program { title, lines });
            continue;
        }
        // A step beside another one has two strokes without spaces to split at.
        let mut columns = row.split(" | ").map(str::trim);
        let text = columns.next().unwrap_or_default();
        let python = columns.next().unwrap_or_default();
        let says = [python, columns.next().unwrap_or(python)];
        let program = programs.last_mut().expect("a title comes first");
        program.lines.push(Line { text, says });
    }
    programs
}

/// The documented differences are there, on both sides.
///
/// # Errors
///
/// What a program saw that it should not.
pub(crate) fn check(sides: &mut Sides, text: &str) -> Result<(), String> {
    for program in programs(text) {
        let lines: Vec<String> = program
            .lines
            .iter()
            .map(|line| line.text.to_owned())
            .collect();
        let title = program.title;
        let [python, slotted] = sides
            .play(&lines)
            .map_err(|why| format!("{title}: {why}"))?;
        for ((line, python), slotted) in program.lines.iter().zip(&python).zip(&slotted) {
            if line.says != [python, slotted] {
                let text = line.text;
                return Err(format!(
                    "{title}: at `{text}` Python says `{python}` and slotted `{slotted}`"
                ));
            }
        }
        if program
            .lines
            .iter()
            .all(|line| line.says[0] == line.says[1])
        {
            return Err(format!("{title}: there is no difference"));
        }
    }
    Ok(())
}

/// Plays programs without columns and compares them by their rules.
///
/// # Errors
///
/// What differs.
pub(crate) fn compare(sides: &mut Sides, text: &str) -> Result<(), String> {
    for program in programs(text) {
        let lines: Vec<String> = program
            .lines
            .iter()
            .map(|line| line.text.to_owned())
            .collect();
        sides
            .compare(&lines)
            .map_err(|why| format!("{}: {why}", program.title))?;
    }
    Ok(())
}
