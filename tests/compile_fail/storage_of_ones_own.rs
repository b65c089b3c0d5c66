//! A user's container for `as_completed`. It could yield other handles at each call.
//~ error-contains: error[E0277]
//~ error-contains: Sealed
use slotted::{Executor, JoinHandle, as_completed};

#[cfg(not(control))]
struct Fickle<'e>(Option<JoinHandle<'e, u8>>);

#[cfg(not(control))]
impl<'e> slotted::as_completed::IntoHandles<'e, u8, slotted::StdHost> for Fickle<'e> {
    type Storage = [Option<JoinHandle<'e, u8>>; 1];
    fn into_storage(self) -> Self::Storage {
        [self.0]
    }
}

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| 1).unwrap();
    let _ = as_completed([handle]).count();
}
