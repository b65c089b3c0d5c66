//! The sizes of programs, and of the functions in them.

use std::error::Error;

use object::elf::{SHF_ALLOC, SHT_NOBITS};
use object::read::elf::{ElfFile32, SectionHeader as _};
use object::{Endianness, Object as _, ObjectSection as _, ObjectSymbol as _, SymbolKind};

use crate::guest::Guests;

/// The flash and RAM that a program takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Code, constants, and the initial values of variables.
    pub(crate) flash: u64,
    /// Variables.
    pub(crate) ram: u64,
}

impl Sizes {
    pub(crate) fn of(guests: &Guests, program: &str) -> Result<Self, Box<dyn Error>> {
        let bytes = guests.read(program)?;
        let file = ElfFile32::<Endianness>::parse(&*bytes)?;
        let endian = file.endian();
        let mut sizes = Self { flash: 0, ram: 0 };
        for section in file
            .elf_section_table()
            .iter()
            .filter(|section| section.sh_flags(endian).contains(SHF_ALLOC))
        {
            let size = u64::from(section.sh_size(endian));
            let in_ram = section.sh_addr(endian) >= RAM;
            let in_image = section.sh_type(endian) != SHT_NOBITS;
            sizes.ram += if in_ram { size } else { 0 };
            sizes.flash += if in_image { size } else { 0 };
        }
        Ok(sizes)
    }
}

/// A section of a program: its name, its address and its bytes.
pub(crate) type Part = (String, u64, Vec<u8>);

/// What a program has in memory.
pub(crate) fn image(bytes: &[u8]) -> Result<Vec<Part>, Box<dyn Error>> {
    let file = ElfFile32::<Endianness>::parse(bytes)?;
    let mut image = Vec::new();
    for section in file.sections() {
        let flags = section.elf_section_header().sh_flags(file.endian());
        if flags.contains(SHF_ALLOC) {
            image.push((
                section.name()?.into(),
                section.address(),
                section.data()?.into(),
            ));
        }
    }
    Ok(image)
}

/// Where RAM begins, as in memory.x.
const RAM: u32 = 0x2000_0000;

/// A function or a constant, with its address.
pub(crate) struct Symbol {
    pub(crate) name: String,
    pub(crate) address: u64,
    pub(crate) size: u64,
}

/// The symbols in flash, sorted by address.
pub(crate) fn symbols(bytes: &[u8]) -> Result<Vec<Symbol>, Box<dyn Error>> {
    let file = ElfFile32::<Endianness>::parse(bytes)?;
    let mut symbols: Vec<_> = file
        .symbols()
        .filter(|symbol| {
            matches!(symbol.kind(), SymbolKind::Text | SymbolKind::Data) && symbol.size() > 0
        })
        .filter(|symbol| symbol.address() < u64::from(RAM))
        .map(|symbol| {
            let name = symbol.name().unwrap_or("?");
            // The lowest bit of a function's address marks Thumb code.
            let address = if symbol.kind() == SymbolKind::Text {
                symbol.address() & !1
            } else {
                symbol.address()
            };
            Symbol {
                name: format!("{:#}", rustc_demangle::demangle(name)),
                address,
                size: symbol.size(),
            }
        })
        .collect();
    symbols.sort_by_key(|symbol| symbol.address);
    // A function may have several names.
    symbols.dedup_by_key(|symbol| symbol.address);
    Ok(symbols)
}

/// Prints the contents of a program's flash, the largest symbol first.
pub(crate) fn print(guests: &Guests, program: &str) -> Result<bool, Box<dyn Error>> {
    let mut symbols = symbols(&guests.read(program)?)?;
    symbols.sort_by_key(|symbol| std::cmp::Reverse(symbol.size));
    let named: u64 = symbols.iter().map(|symbol| symbol.size).sum();
    let all = Sizes::of(guests, program)?.flash;
    println!("{all:>6} bytes of flash in {program}");
    for Symbol { name, size, .. } in symbols {
        println!("{size:>6} {name}");
    }
    println!(
        "{:>6} between them, and constants without a name",
        all - named
    );
    Ok(true)
}
