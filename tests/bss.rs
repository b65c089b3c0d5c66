//! An executor in a `static` costs no flash. All its bytes are zero at the start, so the linker
//! puts it into `.bss`, not into `.data`.
#![cfg(all(target_os = "linux", not(miri), not(loom)))]

use object::{File, Object, ObjectSection, ObjectSymbol, SectionKind};
use slotted::{Executor, Fifo, Park, SpinHost};

#[used]
static EXECUTOR_OF_THE_DEFAULT_HOST: Executor<4, 64> = Executor::new();
#[used]
static EXECUTOR_WITHOUT_THREADS: Executor<0, 64, 128, SpinHost> = Executor::new();
#[used]
static EXECUTOR_OF_A_HOST_THAT_NAMES_CORES: Executor<2, 64, 128, TwoCores> = Executor::new();
/// Not zero at the start, so it must lie elsewhere. This checks the test itself.
#[used]
static NOT_ZERO: [u8; 3] = [0, 7, 0];

/// A core. Most values of its byte are none, so that an `Option` of it needs no tag.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Core {
    First,
    #[allow(dead_code, reason = "a desktop has no second core to name")]
    Second,
}

/// A host that names its threads by their core.
struct TwoCores;

impl Park for TwoCores {
    type Thread = Core;
    type Order = Fifo;

    fn current() -> Core {
        Core::First
    }

    fn current_id() -> usize {
        SpinHost::current_id()
    }

    fn park() {
        SpinHost::park();
    }

    fn unpark(_core: &Core) {}
}

/// The section of a static of this program, and the offsets of its bytes that are not zero in the
/// image.
fn placement(symbol: &str) -> (SectionKind, Vec<usize>) {
    let bytes = std::fs::read(std::env::current_exe().expect("a test knows its executable"))
        .expect("it can be read");
    let file = File::parse(&*bytes).expect("it is an object file");
    let found = file
        .symbols()
        .find(|candidate| candidate.name().is_ok_and(|name| name.contains(symbol)));
    let found = found.unwrap_or_else(|| panic!("{symbol} is in the symbol table"));
    let section = file
        .section_by_index(found.section_index().expect("it is defined"))
        .expect("its section exists");
    // A section without an image has no data.
    let image = section
        .data_range(found.address(), found.size())
        .expect("the static is inside its section")
        .unwrap_or_default();
    let not_zero = image
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte != 0)
        .map(|(offset, _)| offset);
    (section.kind(), not_zero.collect())
}

#[test]
fn a_static_executor_adds_nothing_to_the_image() {
    assert_eq!(
        placement("EXECUTOR_OF_THE_DEFAULT_HOST"),
        (SectionKind::UninitializedData, vec![])
    );
    assert_eq!(
        placement("EXECUTOR_WITHOUT_THREADS"),
        (SectionKind::UninitializedData, vec![])
    );
    assert_eq!(
        placement("EXECUTOR_OF_A_HOST_THAT_NAMES_CORES"),
        (SectionKind::UninitializedData, vec![])
    );
    assert_eq!(placement("NOT_ZERO").1, [1]);
}
