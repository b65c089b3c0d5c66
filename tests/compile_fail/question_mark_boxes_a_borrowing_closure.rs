//! `?` puts the error of a submit in a box, with a closure that borrows in it. By way of `Refusal`
//! it does not.
//~ error-contains: lifetime may not live long enough
//~ error-contains: must outlive `'static`
use core::error::Error;
use slotted::Executor;
#[cfg(control)]
use slotted::Refusal;

fn length(executor: &Executor<0, 1>, text: &str) -> Result<usize, Box<dyn Error>> {
    executor.scope(|s| {
        let submitted = s.submit(|| text.len());
        #[cfg(control)]
        let submitted = submitted.map_err(Refusal::from);
        Ok(submitted?.result()?)
    })
}

fn main() {
    let _ = length(&Executor::new(), "four");
}
