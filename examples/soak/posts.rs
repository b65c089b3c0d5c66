//! What each thread does now, for the progress line and the watchdog.

use core::cell::Cell;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Where one thread says what it does.
pub(crate) struct Post {
    name: String,
    kind: Kind,
    steps: AtomicU64,
    last: Mutex<(&'static str, Instant)>,
}

/// Whether the watchdog watches a thread.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It must take a step every few seconds.
    Watched,
    /// It may rest for want of work.
    Worker,
}

static POSTS: Mutex<Vec<Arc<Post>>> = Mutex::new(Vec::new());

std::thread_local! {
    static OWN: Cell<Option<Arc<Post>>> = const { Cell::new(None) };
}

/// Gives the calling thread a watched post.
pub(crate) fn take_watched(name: String) {
    take_post(name, Kind::Watched);
}

/// Gives the calling worker the post of its number. The worker of the last life had it before.
pub(crate) fn take(pool: &str, number: usize) {
    take_post(format!("worker {number} of `{pool}`"), Kind::Worker);
    note("entered");
}

fn take_post(name: String, kind: Kind) {
    let mut posts = POSTS.lock().unwrap_or_else(PoisonError::into_inner);
    let post = match posts.iter().find(|post| post.name == name) {
        Some(post) => post.clone(),
        None => {
            let post = Arc::new(Post {
                name,
                kind,
                steps: AtomicU64::new(0),
                last: Mutex::new(("began", Instant::now())),
            });
            posts.push(post.clone());
            post
        }
    };
    OWN.set(Some(post));
}

/// Takes the calling thread's post off the list: it ends.
pub(crate) fn give_up() {
    if let Some(post) = OWN.take() {
        let mut posts = POSTS.lock().unwrap_or_else(PoisonError::into_inner);
        posts.retain(|other| !Arc::ptr_eq(other, &post));
    }
}

/// Says what the calling thread does from now on.
pub(crate) fn note(what: &'static str) {
    OWN.with(|own| {
        // A nested note, from a destructor of the thread, finds no post.
        let Some(post) = own.take() else { return };
        post.steps.fetch_add(1, Ordering::Relaxed);
        *post.last.lock().unwrap_or_else(PoisonError::into_inner) = (what, Instant::now());
        own.set(Some(post));
    });
}

/// The watched threads that have taken no step for so long.
pub(crate) fn stuck_for(patience: Duration) -> Vec<String> {
    let posts = POSTS.lock().unwrap_or_else(PoisonError::into_inner);
    posts
        .iter()
        .filter(|post| post.kind == Kind::Watched && post.rest() > patience)
        .map(|post| post.name.clone())
        .collect()
}

/// One line for each thread.
pub(crate) fn describe() -> Vec<String> {
    let posts = POSTS.lock().unwrap_or_else(PoisonError::into_inner);
    posts
        .iter()
        .map(|post| {
            let (what, _) = *post.last.lock().unwrap_or_else(PoisonError::into_inner);
            let (steps, rest) = (post.steps.load(Ordering::Relaxed), post.rest());
            format!("{}: {what}, for {rest:.1?}, after {steps} steps", post.name)
        })
        .collect()
}

impl Post {
    fn rest(&self) -> Duration {
        let (_, since) = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        since.elapsed()
    }
}
