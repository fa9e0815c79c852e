//! What is shown while a run goes on: a bar on a terminal, a line now and then elsewhere, nothing when quiet.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::plan::Plan;
use crate::record::Glance;
use crate::report::escape;
use crate::units::{Micros, Offset, three_digits};

/// Elsewhere than on a terminal, a line is printed this often, and at every change of stage.
const LINE_EVERY: Micros = Micros::from_secs(10);

/// A stage's name takes no more than this many characters of a line.
const LONGEST_NAME: usize = 40;

/// Shows where the run is. All of it goes to standard error.
pub struct Progress {
    shown: Shown,
    stages: Vec<(String, Offset)>,
    end: Offset,
    stage: Option<usize>,
    line_at: Offset,
    before: (Offset, Glance),
    rate: f64,
}

enum Shown {
    Nothing,
    Lines,
    Bar(ProgressBar),
}

impl Progress {
    /// Progress of this plan: on a terminal a bar, elsewhere lines.
    pub fn new(plan: &Plan, quiet: bool) -> Progress {
        let shown = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, false) => Shown::Lines,
            (false, true) => Shown::Bar(bar(plan.schedule_end())),
        };
        Progress {
            shown,
            stages: plan.load.stages.iter().map(|stage| (escape::line(&stage.name, LONGEST_NAME), stage.start)).collect(),
            end: plan.schedule_end(),
            stage: None,
            line_at: Offset::START,
            before: (Offset::START, Glance::default()),
            rate: 0.0,
        }
    }

    /// Shows the state of the run at `now`.
    pub fn show(&mut self, now: Offset, glance: Glance) {
        let past = now.since(self.before.0);
        if past >= Micros::from_millis(900) {
            self.rate = (glance.attempts.saturating_sub(self.before.1.attempts)) as f64 / past.as_secs_f64();
            self.before = (now, glance);
        }
        let stage =
            if now >= self.end { self.stages.len() } else { self.stages.partition_point(|(_, start)| *start <= now).saturating_sub(1) };
        let changed = self.stage.replace(stage) != Some(stage);
        let name = self.stages.get(stage).map_or("drain", |(name, _)| name.as_str());
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => {
                bar.set_position(now.as_millis().min(self.end.as_millis()));
                bar.set_prefix(name.to_owned());
                bar.set_message(figures(self.rate, glance));
            }
            Shown::Lines => {
                if changed || now >= self.line_at {
                    self.line_at = now + LINE_EVERY;
                    let time = format!("{:.0} s", now.0.as_secs_f64());
                    // Standard error that is closed is no reason to end a run.
                    let _ = writeln!(std::io::stderr(), "{time:>7}  {name:<12}  {}", figures(self.rate, glance));
                }
            }
        }
    }

    /// Says something in between, without disturbing the bar.
    pub fn say(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.println(text),
            _ => {
                let _ = writeln!(std::io::stderr(), "{text}");
            }
        }
    }

    /// Removes the bar.
    pub fn finish(self) {
        if let Shown::Bar(bar) = self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar(end: Offset) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(end.as_millis()), ProgressDrawTarget::stderr_with_hz(8));
    let colour = if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) { "" } else { ".cyan" };
    let template = format!("{{prefix:<12}} [{{bar:24{colour}}}] {{percent:>3}} %  {{msg}}");
    bar.set_style(ProgressStyle::with_template(&template).expect("a valid template").progress_chars("━╸─"));
    bar
}

fn figures(rate: f64, glance: Glance) -> String {
    let answered = glance.ok + glance.not_ok;
    let errors = if answered == 0 { 0.0 } else { glance.not_ok as f64 / answered as f64 * 100.0 };
    let p99 = glance.p99.map_or("–".to_owned(), |p99| p99.to_string());
    format!(
        "{:>7}/s  not ok {:>5} %  p99 {:>8}  in flight {:>4}  ok {:>7}",
        three_digits(rate),
        three_digits(errors),
        p99,
        glance.in_flight,
        glance.ok
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_aligned_whatever_their_size() {
        let small = Glance { ok: 1, not_ok: 0, ..Glance::default() };
        let large = Glance { ok: 123_456, not_ok: 7_000, in_flight: 400, p99: Some(Micros(1_380_000)), ..Glance::default() };
        let (small, large) = (figures(0.0, small), figures(812.4, large));
        assert_eq!(small.chars().count(), large.chars().count());
        assert_eq!(large, "    812/s  not ok  5.37 %  p99   1.38 s  in flight  400  ok  123456");
    }
}
