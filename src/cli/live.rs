//! What is shown of a session while it goes on: counters on a terminal, nothing where a client has the terminal.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::record::Glance;
use crate::report::number;
use crate::units::{Micros, Offset};

use super::terminal;

/// How often the counters change.
const EVERY: Micros = Micros::from_millis(250);

/// The counters of a session.
pub struct Live {
    bar: Option<ProgressBar>,
    shown_at: Option<Offset>,
}

impl Live {
    /// Counters, unless it is to be quiet or the terminal is the client's.
    pub fn new(quiet: bool, client: bool) -> Live {
        let shown = !quiet && !client && std::io::stderr().is_terminal();
        let bar = shown.then(|| {
            let style = ProgressStyle::with_template("  {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
        });
        Live { bar, shown_at: None }
    }

    /// Shows the counters of this moment.
    pub fn show(&mut self, now: Offset, glance: Glance) {
        let Some(bar) = &self.bar else { return };
        if self.shown_at.is_some_and(|shown| now.since(shown) < EVERY) {
            return;
        }
        self.shown_at = Some(now);
        bar.set_message(counters(now, glance));
    }

    /// Says something without spoiling the counters.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| terminal::say(text)),
            None => terminal::say(text),
        }
    }

    /// Shows nothing any more.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `12s · 40 exchanges begun · 31 ok, 4 not · 47 attempts`
fn counters(now: Offset, glance: Glance) -> String {
    let count = number::count;
    format!(
        "{} s · {} exchanges begun · {} ok, {} not, of those that ended · {} attempts",
        now.0.0 / 1_000_000,
        count(glance.started),
        count(glance.ok),
        count(glance.not_ok),
        count(glance.attempts)
    )
}
