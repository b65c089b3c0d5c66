//! What `Park::note` costs a program whose host does not use it: nothing, not one byte.

use std::error::Error;

use crate::flash::image;
use crate::guest::Guests;

const PROGRAM: &str = "note";

/// Returns true if the program with the default of `note` is the same image as that of a host which
/// looks at no step. The image of a host which looks at each must differ, or the comparison sees
/// nothing.
pub(crate) fn check(guests: &Guests) -> Result<bool, Box<dyn Error>> {
    let with_default = image(&guests.variant(PROGRAM, &[])?)?;
    let empty = image(&guests.variant(PROGRAM, &["empty_note"])?)?;
    let counting = image(&guests.variant(PROGRAM, &["counting_note"])?)?;
    let same = with_default == empty;
    let seen = with_default != counting;
    println!(
        "{}: a host that looks at no step {} the image of the default, one that looks at each {}",
        if same && seen { "ok" } else { "FAILED" },
        if same { "has" } else { "HAS NOT" },
        if seen { "has another" } else { "HAS IT TOO" },
    );
    Ok(same && seen)
}
