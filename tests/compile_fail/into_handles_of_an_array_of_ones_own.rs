//! An array of one's own type for `as_completed`, which only takes arrays of handles.
//~ error-contains: error[E0277]
//~ error-contains: Sealed
use slotted::{Executor, JoinHandle, as_completed};

struct Value;

#[cfg(not(control))]
struct Mine<'e>(JoinHandle<'e, Value>);

#[cfg(not(control))]
impl<'e> slotted::as_completed::IntoHandles<'e, Value, slotted::StdHost> for [Mine<'e>; 1] {
    type Storage = [Option<JoinHandle<'e, Value>>; 1];
    fn into_storage(self) -> Self::Storage {
        self.map(|mine| Some(mine.0))
    }
}

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| Value).unwrap();
    let _ = as_completed([handle]).count();
}
