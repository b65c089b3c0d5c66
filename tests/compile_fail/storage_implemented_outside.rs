//! A user's type stores handles. It could hide them while their tasks end.
//~ error-contains: error[E0277]
//~ error-contains: Sealed` is not satisfied
use slotted::{Executor, JoinHandle, as_completed};

type Handle<'e> = JoinHandle<'e, u8>;

#[cfg(not(control))]
struct Given<'e>([Handle<'e>; 1]);

#[cfg(not(control))]
impl<'e> slotted::as_completed::IntoHandles<'e, u8, slotted::StdHost> for Given<'e> {
    type Storage = [Option<Handle<'e>>; 1];

    fn into_storage(self) -> Self::Storage {
        self.0.map(Some)
    }
}

#[cfg(control)]
#[expect(non_snake_case, reason = "stands for the constructor")]
fn Given(handles: [Handle<'_>; 1]) -> [Handle<'_>; 1] {
    handles
}

fn main() {
    let executor: Executor<0, 1> = Executor::new();
    let handle = executor.submit(|| 1).unwrap();
    drop(as_completed(Given([handle])));
}
