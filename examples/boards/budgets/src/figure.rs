//! A figure, and its one text form, which guests print and budgets.txt keeps:
//! `submit alone = 100 instructions`.

use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Instructions,
    Bytes,
}

impl Unit {
    /// The largest difference that always passes.
    fn smallest_difference(self) -> u64 {
        match self {
            Self::Instructions => 1,
            Self::Bytes => 8,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Instructions => "instructions",
            Self::Bytes => "bytes",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: u64,
    pub(crate) unit: Unit,
}

/// How a figure compares with its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Within,
    Above,
    /// Smaller than the budget. budgets.txt must record the gain.
    Below,
}

impl Figure {
    pub(crate) fn bytes(name: impl Into<String>, value: u64) -> Self {
        Self {
            name: name.into(),
            value,
            unit: Unit::Bytes,
        }
    }

    pub(crate) fn judge(&self, budget: u64) -> Verdict {
        let slack = (budget * 3 / 100).max(self.unit.smallest_difference());
        if self.value > budget + slack {
            Verdict::Above
        } else if self.value + slack < budget {
            Verdict::Below
        } else {
            Verdict::Within
        }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} {}", self.name, self.value, self.unit)
    }
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let figure = || {
            let (name, amount) = line.rsplit_once(" = ")?;
            let (value, unit) = amount.split_once(' ')?;
            let unit = [Unit::Instructions, Unit::Bytes]
                .into_iter()
                .find(|known| known.to_string() == unit)?;
            Some(Self {
                name: name.to_owned(),
                value: value.parse().ok()?,
                unit,
            })
        };
        figure().ok_or_else(|| format!("`{line}` is no figure"))
    }
}

/// Figures of one line of the short report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) title: String,
    pub(crate) figures: Vec<Figure>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_read_as_it_is_written() {
        let figure = Figure {
            name: "a = b".into(),
            value: 3,
            unit: Unit::Instructions,
        };
        assert_eq!(figure.to_string().parse(), Ok(figure));
        assert!("submit = many instructions".parse::<Figure>().is_err());
        assert!("submit = 3 apples".parse::<Figure>().is_err());
    }

    #[test]
    fn three_percent_or_eight_bytes_are_let_pass() {
        let judge = |unit, value, budget| {
            Figure {
                name: String::new(),
                value,
                unit,
            }
            .judge(budget)
        };
        assert_eq!(
            [1030, 1031, 970, 969].map(|value| judge(Unit::Bytes, value, 1000)),
            {
                [
                    Verdict::Within,
                    Verdict::Above,
                    Verdict::Within,
                    Verdict::Below,
                ]
            }
        );
        assert_eq!(
            [48, 49, 32, 31].map(|value| judge(Unit::Bytes, value, 40)),
            {
                [
                    Verdict::Within,
                    Verdict::Above,
                    Verdict::Within,
                    Verdict::Below,
                ]
            }
        );
        assert_eq!(
            [11, 12, 9, 8].map(|value| judge(Unit::Instructions, value, 10)),
            {
                [
                    Verdict::Within,
                    Verdict::Above,
                    Verdict::Within,
                    Verdict::Below,
                ]
            }
        );
    }
}
