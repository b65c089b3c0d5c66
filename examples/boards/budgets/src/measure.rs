//! Which figures there are.

use std::error::Error;

use crate::figure::{Figure, Group};
use crate::flash::Sizes;
use crate::guest::Guests;

/// What is measured by running programs: the title of a group, and its programs.
const RUN: &[(&str, &[&str])] = &[("closures", &["round_slotted"])];

/// The program that does nothing.
const EMPTY: &str = "flash_empty";
/// What is measured by looking at programs.
const LOOK: &[(&str, &[(&str, &str)])] = &[("slotted in flash and RAM", &[("smallest program", "flash_slotted")])];

pub(crate) fn everything(guests: &Guests) -> Result<Vec<Group>, Box<dyn Error>> {
    let mut groups = Vec::new();
    for (title, programs) in RUN {
        let mut figures = Vec::new();
        for program in *programs {
            figures.extend(guests.figures(program)?);
        }
        groups.push(Group { title: (*title).to_owned(), figures });
    }
    let empty = Sizes::of(guests, EMPTY)?;
    for (title, programs) in LOOK {
        let mut figures = Vec::new();
        for (name, program) in *programs {
            let sizes = Sizes::of(guests, program)?;
            figures.push(Figure::bytes(format!("{name}, flash beyond the empty program"), sizes.flash - empty.flash));
            figures.push(Figure::bytes(format!("{name}, flash in all"), sizes.flash));
            figures.push(Figure::bytes(format!("{name}, RAM beyond the empty program"), sizes.ram - empty.ram));
        }
        groups.push(Group { title: (*title).to_owned(), figures });
    }
    Ok(groups)
}
