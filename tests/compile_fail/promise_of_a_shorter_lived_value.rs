//! A promise of a value that lives for ever, made one of a value that does not: its handle would
//! outlive what it is given.
//~ error-contains: lifetime may not live long enough
//~ error-contains: `Promise<'e, T, H>` is invariant over the parameter `T`
use slotted::Promise;

#[cfg(not(control))]
fn shorten<'e, 'short>(
    promise: Promise<'e, &'static str>,
    _: &'short str,
) -> Promise<'e, &'short str> {
    promise
}
#[cfg(control)]
fn shorten<'e>(promise: Promise<'e, &'static str>, _: &str) -> Promise<'e, &'static str> {
    promise
}

fn main() {
    let _ = shorten;
}
