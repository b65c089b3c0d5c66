//! budgets.txt: the accepted figures, and their comparison with the measured ones.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::figure::{Figure, Group, Verdict};

const COMPILER: &str = "compiler: ";

struct Budgets {
    compiler: String,
    groups: Vec<Group>,
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.txt")
}

fn compiler() -> Result<String, Box<dyn Error>> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

impl Budgets {
    fn parse(text: &str) -> Result<Self, Box<dyn Error>> {
        let mut budgets = Self {
            compiler: String::new(),
            groups: Vec::new(),
        };
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            if let Some(compiler) = line.strip_prefix(COMPILER) {
                budgets.compiler = compiler.to_owned();
            } else if let Some(title) = line
                .strip_prefix('[')
                .and_then(|line| line.strip_suffix(']'))
            {
                budgets.groups.push(Group {
                    title: title.to_owned(),
                    figures: Vec::new(),
                });
            } else {
                let group = budgets
                    .groups
                    .last_mut()
                    .ok_or_else(|| format!("`{line}` is in no group"))?;
                group.figures.push(line.parse()?);
            }
        }
        Ok(budgets)
    }

    fn find(&self, title: &str, wanted: &Figure) -> Option<u64> {
        let group = self.groups.iter().find(|group| group.title == title)?;
        group
            .figures
            .iter()
            .find(|figure| (&figure.name, figure.unit) == (&wanted.name, wanted.unit))
            .map(|it| it.value)
    }

    fn names(groups: &[Group]) -> BTreeSet<(&str, &str)> {
        let pairs = groups
            .iter()
            .flat_map(|Group { title, figures }| figures.iter().map(move |figure| (title, figure)));
        pairs
            .map(|(title, figure)| (title.as_str(), figure.name.as_str()))
            .collect()
    }
}

/// Writes the measured figures to budgets.txt as the new budgets.
pub(crate) fn bless(measured: &[Group]) -> Result<bool, Box<dyn Error>> {
    let mut text =
        String::from("# What src/main.rs measures. Written by `cargo run --release -- --bless`.\n");
    writeln!(text, "{COMPILER}{}", compiler()?)?;
    for Group { title, figures } in measured {
        writeln!(text, "\n[{title}]")?;
        for figure in figures {
            writeln!(text, "{figure}")?;
        }
    }
    print!("{text}");
    fs::write(path(), text)?;
    Ok(true)
}

/// Prints a table of all figures and a line for each group. Returns false if a figure has moved.
pub(crate) fn check(measured: &[Group]) -> Result<bool, Box<dyn Error>> {
    let budgets = Budgets::parse(&fs::read_to_string(path())?)?;
    let mut summary = String::new();
    println!("{:<76} {:>8} {:>8}", "", "measured", "budget");
    for Group { title, figures } in measured {
        println!("{title}");
        let mut wrong = Vec::new();
        for figure in figures {
            let Figure { name, value, unit } = figure;
            let budget = budgets.find(title, figure);
            let complaint = match budget.map(|budget| figure.judge(budget)) {
                Some(Verdict::Within) => "",
                Some(Verdict::Above) => "  above its budget",
                Some(Verdict::Below) => "  lower the budget: --bless",
                None => "  has no budget: --bless",
            };
            let told = budget.map_or_else(|| "none".to_owned(), |budget| budget.to_string());
            println!("  {name:<61} {unit:<12} {value:>8} {told:>8}{complaint}");
            if !complaint.is_empty() {
                wrong.push(format!(
                    "{name} = {value} {unit}, the budget is {told}: {}",
                    complaint.trim_start()
                ));
            }
        }
        match wrong.first() {
            None => writeln!(summary, "ok: budget of {title}: {}", short(figures))?,
            Some(first) => writeln!(
                summary,
                "FAILED: budget of {title}: {} of {} figures: {first}",
                wrong.len(),
                figures.len()
            )?,
        }
    }
    for (title, name) in Budgets::names(&budgets.groups).difference(&Budgets::names(measured)) {
        writeln!(
            summary,
            "FAILED: budget of {title}: {name} has a budget, and was not measured"
        )?;
    }
    let good = !summary.contains("FAILED");
    if !good && compiler()? != budgets.compiler {
        writeln!(
            summary,
            "The budgets are those of {}; this is {}.",
            budgets.compiler,
            compiler()?
        )?;
    }
    print!("\n{summary}");
    Ok(good)
}

/// The first figures of a group, for the short report.
fn short(figures: &[Figure]) -> String {
    let told: Vec<_> = figures.iter().take(2).map(Figure::to_string).collect();
    let rest = figures.len() - told.len();
    told.join("; ")
        + &if rest == 0 {
            String::new()
        } else {
            format!("; and {rest} more")
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;

    #[test]
    fn a_budget_is_found_by_group_name_and_unit() {
        let budgets =
            Budgets::parse("# said\ncompiler: rustc 1\n\n[a]\nx = 1 bytes\n[b]\nx = 2 bytes\n")
                .unwrap();
        let x = Figure::bytes("x", 0);
        assert_eq!(budgets.compiler, "rustc 1");
        assert_eq!(
            (
                budgets.find("a", &x),
                budgets.find("b", &x),
                budgets.find("c", &x)
            ),
            (Some(1), Some(2), None)
        );
        assert_eq!(
            budgets.find(
                "a",
                &Figure {
                    unit: Unit::Instructions,
                    ..x
                }
            ),
            None
        );
        assert!(Budgets::parse("x = 1 bytes").is_err());
    }
}
