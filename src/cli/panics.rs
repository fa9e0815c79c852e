//! Remembers panics, wherever they happen: a panic in a worker's task must not end as a green run.

use std::sync::{Mutex, OnceLock};

static FIRST: OnceLock<Mutex<Option<String>>> = OnceLock::new();

/// From here on the first panic of any thread is remembered.
pub fn remember() {
    FIRST.get_or_init(Mutex::default);
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or(String::new(), |place| format!(" at {}:{}", place.file(), place.line()));
        let what = info.payload_as_str().unwrap_or("a panic");
        if let Some(Ok(mut first)) = FIRST.get().map(Mutex::lock) {
            first.get_or_insert_with(|| format!("{what}{place}"));
        }
    }));
}

/// The first panic so far.
pub fn first() -> Option<String> {
    FIRST.get().and_then(|first| first.lock().ok().and_then(|first| first.clone()))
}
