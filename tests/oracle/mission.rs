//! The tasks of a program on the real executor.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use slotted::Canceller;

use crate::foreign::lock;
use crate::program::{Body, Suspensions};
use crate::seen::Event;
use crate::{EXPECTED, Pool, Value};

/// What the tasks of one program share.
pub(crate) struct Shared {
    pub(crate) executor: &'static Pool,
    pub(crate) log: Mutex<Vec<Event>>,
    /// One for each accepted task, in order. A map's items have none.
    pub(crate) cancellers: Mutex<Vec<Option<Canceller<'static>>>>,
    pub(crate) wakers: Mutex<HashMap<usize, Waker>>,
}

impl Shared {
    pub(crate) fn log(&self, event: Event) {
        lock(&self.log).push(event);
    }

    pub(crate) fn register(&self, canceller: Option<Canceller<'static>>) -> usize {
        let mut cancellers = lock(&self.cancellers);
        cancellers.push(canceller);
        cancellers.len() - 1
    }

    /// Performs the body.
    pub(crate) fn perform(self: &Arc<Self>, id: usize, body: Body) -> Value {
        match body {
            Body::Returns(value) => Ok((id, value)),
            Body::Fails(value) => Err((id, value)),
            Body::Panics(value) => panic!("{EXPECTED}{id} {value}"),
            Body::Submits => {
                let submitted = self
                    .executor
                    .submit(Mission::new(self, Body::Returns(0)).closure());
                let submitted = submitted.map_err(|refused| refused.reason());
                let submitted = submitted.map(|handle| self.register(Some(handle.canceller())));
                self.log(Event::Did(submitted.is_ok()));
                Ok((id, 0))
            }
            Body::Cancels(which) => {
                let cancellers = lock(&self.cancellers);
                let canceller = cancellers[usize::from(which) % cancellers.len()];
                drop(cancellers);
                self.log(Event::Did(
                    canceller.is_some_and(|canceller| canceller.cancel()),
                ));
                Ok((id, 0))
            }
        }
    }
}

/// A task that logs its drop.
pub(crate) struct Mission {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: usize,
    pub(crate) body: Body,
    pub(crate) suspensions: Suspensions,
}

impl Mission {
    pub(crate) fn new(shared: &Arc<Shared>, body: Body) -> Self {
        let id = lock(&shared.cancellers).len();
        Self {
            shared: Arc::clone(shared),
            id,
            body,
            suspensions: Suspensions {
                times: 0,
                wakes_itself: false,
            },
        }
    }

    pub(crate) fn perform(&self) -> Value {
        self.shared.log(Event::Ran(self.id));
        self.shared.perform(self.id, self.body)
    }

    pub(crate) fn closure(self) -> impl FnOnce() -> Value + Send + 'static {
        move || self.perform()
    }
}

impl Drop for Mission {
    fn drop(&mut self) {
        self.shared.log(Event::Gone(self.id));
    }
}

impl Future for Mission {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Value> {
        if self.suspensions.times == 0 {
            return Poll::Ready(self.perform());
        }
        self.suspensions.times -= 1;
        self.shared.log(Event::Ran(self.id));
        lock(&self.shared.wakers).insert(self.id, context.waker().clone());
        if self.suspensions.wakes_itself {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
