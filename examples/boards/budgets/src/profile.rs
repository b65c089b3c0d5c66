//! Shows which functions execute the instructions of one round.
//!
//! QEMU logs the address of each instruction. The instructions between a call of `begin` and the
//! next call of `end` form a section, in most programs a round. The profile includes the call of
//! `end` and the return from `begin`; the figures do not. The debug information tells, for each
//! address, which function was inlined there.

use std::collections::BTreeMap;
use std::error::Error;

use addr2line::Loader;

use crate::flash::{Symbol, symbols};
use crate::guest::Guests;

/// The first sections, in which the meter measures itself.
const CALIBRATION: usize = 1001;
/// By this round, an executor has used each of its slots.
pub(crate) const ROUND: usize = 100;

/// Crates whose functions count as part of their callers.
const LIBRARIES: &[&str] = &[
    "core",
    "portable_atomic",
    "critical_section",
    "_critical_section_1_0_acquire",
    "_critical_section_1_0_release",
    "cortex_m",
];

/// Instructions by function of the program, and within it by inlined function.
type Profile<'a> = BTreeMap<&'a str, BTreeMap<String, usize>>;

pub(crate) fn print(guests: &Guests, program: &str, number: usize) -> Result<bool, Box<dyn Error>> {
    let symbols = symbols(&guests.read(program)?)?;
    let addresses = section(guests, program, &symbols, number)?;
    let loader = Loader::new(guests.path(program))?;
    let mut profile = Profile::new();
    for &address in &addresses {
        let function = holder(&symbols, address).map_or("?", |symbol| symbol.name.as_str());
        *profile
            .entry(function)
            .or_default()
            .entry(inlined(&loader, address)?)
            .or_default() += 1;
    }

    println!(
        "{:>6} instructions in section {number} of {program}",
        addresses.len()
    );
    let mut functions: Vec<_> = profile
        .iter()
        .map(|(name, parts)| (parts.values().sum::<usize>(), name, parts))
        .collect();
    functions.sort_by_key(|&(sum, ..)| std::cmp::Reverse(sum));
    for (sum, function, parts) in functions {
        println!("{sum:>6} {function}");
        let mut parts: Vec<_> = parts.iter().collect();
        parts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        for (part, count) in parts {
            println!("       {count:>6} {part}");
        }
    }
    Ok(true)
}

/// The symbol that contains an address.
fn holder(symbols: &[Symbol], address: u64) -> Option<&Symbol> {
    let next = symbols.partition_point(|symbol| symbol.address <= address);
    symbols[..next]
        .last()
        .filter(|symbol| address < symbol.address + symbol.size)
}

/// The function of the source that an instruction belongs to. Functions of other crates count as
/// part of their caller.
fn inlined(loader: &Loader, address: u64) -> Result<String, Box<dyn Error>> {
    let mut innermost = None;
    let mut frames = loader
        .find_frames(address)
        .map_err(|error| error.to_string())?;
    while let Some(frame) = frames.next()? {
        let Some(function) = frame.function else {
            continue;
        };
        let name = format!("{:#}", rustc_demangle::demangle(&function.raw_name()?))
            .replace("::{{closure}}", "");
        let crate_name = name
            .trim_start_matches(['<', '&'])
            .trim_start_matches("dyn ")
            .split("::")
            .next();
        if !crate_name.is_some_and(|name| LIBRARIES.contains(&name)) {
            return Ok(name);
        }
        innermost.get_or_insert(name);
    }
    Ok(innermost.unwrap_or_else(|| "?".to_owned()))
}

/// The addresses of the instructions of one section.
fn section(
    guests: &Guests,
    program: &str,
    symbols: &[Symbol],
    number: usize,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let marker = |name| {
        symbols
            .iter()
            .find(|symbol| symbol.name == name)
            .ok_or(format!("{program} has no {name}"))
    };
    let (begin, end) = (marker("begin")?, marker("end")?);
    let is_in = |symbol: &Symbol, address| {
        (symbol.address..symbol.address + symbol.size).contains(&address)
    };
    let mut begun = 0;
    let mut inside = false;
    let mut addresses = Vec::new();
    let found = guests.trace(program, |address| {
        if is_in(begin, address) {
            begun += usize::from(!inside);
            inside = true;
        } else if is_in(end, address) {
            inside = false;
            if begun == CALIBRATION + number {
                return Some(std::mem::take(&mut addresses));
            }
        } else if inside && begun == CALIBRATION + number {
            addresses.push(address);
        }
        None
    })?;
    found.ok_or_else(|| format!("{program} has no section {number}").into())
}
