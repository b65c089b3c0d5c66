//! A promise of a `'static` value becomes a promise of a shorter-lived value. Its handle would
//! outlive the value that the completer gives.
//~ error-contains: lifetime may not live long enough
//~ error-contains: Promise<'e, T, H>` is invariant over the parameter `T`
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
