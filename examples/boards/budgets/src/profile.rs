//! Which functions the instructions of one round go to.
//!
//! QEMU logs the address of each instruction that is executed. What lies between a call of `begin` and the call of `end` that follows it is a section, in most programs
//! a round. Each address is looked up in the debug information, which knows what was inlined where.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader};

use addr2line::Loader;

use crate::flash::{Symbol, symbols};
use crate::guest::Guests;

/// One instruction in a block of translated code, each in the log.
const LOGGING: &[&str] = &["-singlestep", "-d", "nochain,exec", "-D"];

/// Crates whose functions are looked through.
const LIBRARIES: &[&str] = &[
    "core",
    "portable_atomic",
    "critical_section",
    "_critical_section_1_0_acquire",
    "_critical_section_1_0_release",
    "cortex_m",
];

/// Instructions by function of the program, and in it by what was inlined.
type Profile<'a> = BTreeMap<&'a str, BTreeMap<String, usize>>;

pub(crate) fn print(guests: &Guests, program: &str, back: usize) -> Result<bool, Box<dyn Error>> {
    let symbols = symbols(&guests.read(program)?)?;
    let addresses = section(guests, program, &symbols, back)?;
    let loader = Loader::new(guests.path(program))?;
    let mut profile = Profile::new();
    for &address in &addresses {
        let function = holder(&symbols, address).map_or("?", |symbol| symbol.name.as_str());
        *profile.entry(function).or_default().entry(inlined(&loader, address)?).or_default() += 1;
    }

    println!("{:>6} instructions in section {back} from the end of {program}", addresses.len());
    let mut functions: Vec<_> =
        profile.iter().map(|(name, parts)| (parts.values().sum::<usize>(), name, parts)).collect();
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

/// The symbol in which an address lies.
fn holder(symbols: &[Symbol], address: u64) -> Option<&Symbol> {
    let next = symbols.partition_point(|symbol| symbol.address <= address);
    symbols[..next].last().filter(|symbol| address < symbol.address + symbol.size)
}

/// The function of the source that an instruction belongs to. What it uses of other crates counts as its own.
fn inlined(loader: &Loader, address: u64) -> Result<String, Box<dyn Error>> {
    let mut innermost = None;
    let mut frames = loader.find_frames(address).map_err(|error| error.to_string())?;
    while let Some(frame) = frames.next()? {
        let Some(function) = frame.function else { continue };
        let name = format!("{:#}", rustc_demangle::demangle(&function.raw_name()?)).replace("::{{closure}}", "");
        let crate_name = name.trim_start_matches(['<', '&']).trim_start_matches("dyn ").split("::").next();
        if !crate_name.is_some_and(|name| LIBRARIES.contains(&name)) {
            return Ok(name);
        }
        innermost.get_or_insert(name);
    }
    Ok(innermost.unwrap_or_else(|| "?".to_owned()))
}

/// The addresses of what was executed between the markers, when they were called the last time, or the last but one, ….
fn section(guests: &Guests, program: &str, symbols: &[Symbol], back: usize) -> Result<Vec<u64>, Box<dyn Error>> {
    let log = guests.path(program).with_extension("log");
    guests.run(program, &[LOGGING, &[log.to_str().ok_or("the folder has a strange name")?]].concat())?;
    let marker = |name| symbols.iter().find(|symbol| symbol.name == name).ok_or(format!("{program} has no {name}"));
    let (begin, end) = (marker("begin")?, marker("end")?);
    let is_in = |symbol: &Symbol, address| (symbol.address..symbol.address + symbol.size).contains(&address);

    let mut inside = false;
    let mut section = Vec::new();
    let mut sections = VecDeque::new();
    for line in BufReader::new(File::open(&log)?).lines() {
        // Trace 0: 0x7f… [00000000/000004a0/00000110/ff000201] …
        let line = line?;
        let Some(address) = line.split('/').nth(1) else { continue };
        let address = u64::from_str_radix(address, 16)?;
        if is_in(begin, address) {
            (inside, section) = (true, Vec::new());
        } else if is_in(end, address) {
            if std::mem::take(&mut inside) {
                sections.push_front(std::mem::take(&mut section));
                sections.truncate(back);
            }
        } else if inside {
            section.push(address);
        }
    }
    std::fs::remove_file(&log)?;
    if back == 0 || sections.len() < back {
        return Err(format!("{program} has {} sections from the end on", sections.len()).into());
    }
    Ok(sections.pop_back().unwrap_or_default())
}
