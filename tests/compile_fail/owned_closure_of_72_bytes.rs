//! A closure for an owner that does not fit its slot.
//~ error-contains: slotted: the task takes 72 bytes, a slot has 64
use slotted::Owned;

fn main() {
    let owned: Owned<u8, 4> = Owned::new();
    #[cfg(not(control))]
    let bytes = [1_u8; 72];
    #[cfg(control)]
    let bytes = [1_u8; 64];
    let _ = owned.submit(move |own| bytes[usize::from(*own)]);
}
