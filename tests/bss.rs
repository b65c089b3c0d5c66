//! An executor in a `static` costs no flash: it is zero at the start, so it lies in `.bss`, not in `.data`.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

use object::{File, Object, ObjectSection, ObjectSymbol, SectionKind};
use slotted::{Executor, SpinHost};

#[used]
static EXECUTOR_OF_THE_DEFAULT_HOST: Executor<4, 64> = Executor::new();
#[used]
static EXECUTOR_WITHOUT_THREADS: Executor<0, 64, 128, SpinHost> = Executor::new();
/// What is not zero at the start lies elsewhere: shows that the test looks at the right thing.
#[used]
static NOT_ZERO: [u8; 64] = [1; 64];

fn kind_of(symbol: &str) -> (SectionKind, u64) {
    let bytes = std::fs::read(std::env::current_exe().expect("a test knows its executable")).expect("it can be read");
    let file = File::parse(&*bytes).expect("it is an object file");
    let found = file.symbols().find(|candidate| candidate.name().is_ok_and(|name| name.contains(symbol)));
    let found = found.unwrap_or_else(|| panic!("{symbol} is in the symbol table"));
    let section = found.section_index().expect("it is defined");
    (file.section_by_index(section).expect("its section exists").kind(), found.size())
}

#[test]
fn a_static_executor_adds_nothing_to_the_image() {
    let size = |bytes: usize| u64::try_from(bytes).expect("sizes fit 64 bits");
    assert_eq!(
        kind_of("EXECUTOR_OF_THE_DEFAULT_HOST"),
        (SectionKind::UninitializedData, size(size_of_val(&EXECUTOR_OF_THE_DEFAULT_HOST)))
    );
    assert_eq!(
        kind_of("EXECUTOR_WITHOUT_THREADS"),
        (SectionKind::UninitializedData, size(size_of_val(&EXECUTOR_WITHOUT_THREADS)))
    );
    assert_ne!(kind_of("NOT_ZERO").0, SectionKind::UninitializedData);
}
