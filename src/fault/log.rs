//! The decision log: one line for every attempt that any rule was eligible for, in an order that no run changes.
//!
//! The first line says what the log is about, the last that it is whole. A log is read again as a [`Script`], which
//! decides in place of the rules' windows and draws: the same attempts get the same decisions.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, RuleIx, ScenarioIx, StepIx};
use crate::units::Micros;

/// What was decided about one attempt. An entry is small and has no text: writing it down costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub arrival: u64,
    pub scenario: ScenarioIx,
    pub step: StepIx,
    pub attempt: AttemptNumber,
    /// The rules that matched inside a window, a bit each; the last bit stands for all rules from the 64th on.
    pub eligible: u64,
    pub verdict: Verdict,
    /// The rule whose verdict it is.
    pub rule: RuleIx,
    /// The element of its sequence; 0 where it has none.
    pub element: u16,
    pub delay: Option<Micros>,
    pub delay_after: Option<Micros>,
}

/// How an entry came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No draw said yes.
    Spared,
    /// The draw said yes, and the sequence `pass`.
    Passed,
    /// One more would have been too many at once.
    HeldBack,
    Disturbed,
}

/// What indices are called: scenarios with their steps, rules with what they do by element.
#[derive(Clone, Debug, Default)]
pub struct Names {
    pub scenarios: Vec<(String, Vec<String>)>,
    pub rules: Vec<(String, Vec<String>)>,
}

/// Of what a log tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The format's version.
    pub brownout_faults: u32,
    pub plan: String,
    pub seed: u64,
    pub level: String,
    pub rules: Vec<String>,
}

/// The last line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// Lines of attempts before this one.
    pub lines: u64,
    /// Attempts that were decided about and have no line, since the log was long enough or its writer was behind.
    pub missing: u64,
}

/// A line about an attempt.
#[derive(Serialize)]
struct Line<'l> {
    arrival: u64,
    scenario: &'l str,
    step: &'l str,
    attempt: u32,
    eligible: Vec<&'l str>,
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'l str>,
    #[serde(skip_serializing_if = "is_zero")]
    element: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_after_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'l str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(number: &u16) -> bool {
    *number == 0
}

/// The bit that all rules from the 64th on share.
const OTHERS: u32 = 63;

impl Head {
    /// The version that this program writes and reads.
    pub const VERSION: u32 = 1;
}

impl Entry {
    /// What decides the order of a log.
    pub const fn key(&self) -> (u64, u16, u16, u32) {
        (self.arrival, self.scenario.0, self.step.0, self.attempt.0)
    }

    pub(super) fn admit(&mut self, rule: RuleIx) {
        self.eligible |= 1 << u32::from(rule.0).min(OTHERS);
    }

    /// The rules that were eligible, of `rules` in all.
    pub fn admitted(&self, rules: usize) -> impl Iterator<Item = RuleIx> {
        let bits = self.eligible;
        (0..rules.min(OTHERS as usize + 1)).filter(move |rule| bits >> rule & 1 == 1).map(RuleIx::from)
    }

    /// The entry as a line of the log, with its line break.
    pub fn write(&self, names: &Names, out: &mut Vec<u8>) {
        let of = names.scenarios.get(self.scenario.at());
        let rule = names.rules.get(self.rule.at()).filter(|_| self.verdict != Verdict::Spared);
        let disturbed = self.verdict == Verdict::Disturbed;
        let (numbered, stepped);
        let line = Line {
            arrival: self.arrival,
            scenario: match of {
                Some((name, _)) => name,
                None => {
                    numbered = self.scenario.0.to_string();
                    &numbered
                }
            },
            step: match of.and_then(|(_, steps)| steps.get(self.step.at())) {
                Some(name) => name,
                None => {
                    stepped = self.step.0.to_string();
                    &stepped
                }
            },
            attempt: self.attempt.0,
            eligible: self.admitted(names.rules.len()).map(|rule| names.rules[rule.at()].0.as_str()).collect(),
            verdict: self.verdict,
            rule: rule.map(|(name, _)| name.as_str()),
            element: self.element,
            delay_us: self.delay.map(|delay| delay.0),
            delay_after_us: self.delay_after.map(|delay| delay.0),
            what: rule.filter(|_| disturbed).and_then(|(_, what)| what.get(usize::from(self.element))).map(String::as_str),
        };
        serde_json::to_writer(&mut *out, &line).expect("texts and numbers are JSON, and a vector takes all of it");
        out.push(b'\n');
    }

    /// How many bytes [`Entry::packed`] makes.
    pub const PACKED: usize = 52;

    /// The entry in a fixed number of bytes, for a log that is being put in order.
    pub fn packed(&self) -> [u8; Entry::PACKED] {
        let mut bytes = [0; Entry::PACKED];
        let delay = |delay: Option<Micros>| delay.map_or(0, |delay| delay.0.saturating_add(1)).to_le_bytes();
        bytes[..8].copy_from_slice(&self.arrival.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.scenario.0.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.step.0.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.attempt.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.eligible.to_le_bytes());
        bytes[24] = self.verdict as u8;
        bytes[26..28].copy_from_slice(&self.rule.0.to_le_bytes());
        bytes[28..30].copy_from_slice(&self.element.to_le_bytes());
        bytes[32..40].copy_from_slice(&delay(self.delay));
        bytes[40..48].copy_from_slice(&delay(self.delay_after));
        bytes
    }

    /// The entry that was packed.
    pub fn unpacked(bytes: &[u8; Entry::PACKED]) -> Entry {
        let long = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let short = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let verdicts = [Verdict::Spared, Verdict::Passed, Verdict::HeldBack, Verdict::Disturbed];
        Entry {
            arrival: long(0),
            scenario: ScenarioIx(short(8)),
            step: StepIx(short(10)),
            attempt: AttemptNumber(u32::from_le_bytes(bytes[12..16].try_into().expect("four bytes"))),
            eligible: long(16),
            verdict: verdicts[usize::from(bytes[24]) % verdicts.len()],
            rule: RuleIx(short(26)),
            element: short(28),
            delay: long(32).checked_sub(1).map(Micros),
            delay_after: long(40).checked_sub(1).map(Micros),
        }
    }
}

/// A log that is applied again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub head: Head,
    pub tail: Tail,
    /// In order of their keys.
    entries: Vec<Entry>,
}

impl Script {
    /// Reads a log line by line; what it names must be in the plan.
    ///
    /// # Errors
    /// The number of the line, from 1, and what is wrong with it.
    pub fn read(lines: impl Iterator<Item = Result<String, String>>, names: &Names) -> Result<Script, (usize, String)> {
        let known = Known::of(names);
        let (mut head, mut tail, mut entries): (Option<Head>, Option<Tail>, Vec<Entry>) = (None, None, Vec::new());
        for (number, line) in (1..).zip(lines) {
            let line = line.map_err(|why| (number, why))?;
            let at = |why: String| (number, why);
            if head.is_none() {
                head = Some(first(&line).map_err(at)?);
            } else if tail.is_some() {
                return Err((number, "something stands after the last line of the log".to_owned()));
            } else if line.starts_with("{\"lines\"") {
                tail = Some(serde_json::from_str(&line).map_err(|_| at("the last line of a log is broken".to_owned()))?);
            } else {
                entries.push(known.entry(&line).map_err(at)?);
            }
        }
        let head = head.ok_or((1, "the log is empty".to_owned()))?;
        let tail = tail.filter(|tail| tail.lines == entries.len() as u64);
        let tail = tail.ok_or((entries.len() + 2, "the log breaks off: its last line is missing, or counts other lines".to_owned()))?;
        entries.sort_unstable_by_key(Entry::key);
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].key() == pair[1].key()) {
            return Err((1, format!("two lines are about attempt {} of arrival {}", pair[0].attempt.0, pair[0].arrival)));
        }
        Ok(Script { head, tail, entries })
    }

    /// How many attempts it knows.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it says about an attempt, with the entry's place.
    pub(super) fn about(&self, key: (u64, u16, u16, u32)) -> Option<(usize, &Entry)> {
        let place = self.entries.binary_search_by_key(&key, Entry::key).ok()?;
        Some((place, &self.entries[place]))
    }
}

fn first(line: &str) -> Result<Head, String> {
    let head: Head = serde_json::from_str(line).map_err(|_| "this is not the first line of a log of fault decisions".to_owned())?;
    match head.brownout_faults {
        Head::VERSION => Ok(head),
        other => Err(format!("the log is of format {other}, and this version of brownout reads format {}", Head::VERSION)),
    }
}

/// Names, to be found.
struct Known<'n> {
    steps: HashMap<(&'n str, &'n str), (ScenarioIx, StepIx)>,
    rules: HashMap<&'n str, (RuleIx, usize)>,
}

impl<'n> Known<'n> {
    fn of(names: &'n Names) -> Known<'n> {
        let steps = names.scenarios.iter().enumerate().flat_map(|(scenario, (name, steps))| {
            steps.iter().enumerate().map(move |(step, of)| ((name.as_str(), of.as_str()), (ScenarioIx::from(scenario), StepIx::from(step))))
        });
        let rules = names.rules.iter().enumerate().map(|(ix, (name, words))| (name.as_str(), (RuleIx::from(ix), words.len())));
        Known { steps: steps.collect(), rules: rules.collect() }
    }

    fn entry(&self, text: &str) -> Result<Entry, String> {
        // Names with escapes cannot be borrowed; they are read as a whole document first.
        let line: Owned = serde_json::from_str(text).map_err(|error| format!("this is no line of a log: {error}"))?;
        let numbers = || Some((ScenarioIx(line.scenario.parse().ok()?), StepIx(line.step.parse().ok()?)));
        let place = self.steps.get(&(line.scenario.as_str(), line.step.as_str())).copied();
        // Requests of a client that is not ours belong to no scenario: they are known by number.
        let (scenario, step) = place
            .or_else(|| if self.steps.is_empty() { numbers() } else { None })
            .ok_or_else(|| format!("the plan has no step `{}` in a scenario `{}`", line.step, line.scenario))?;
        let rule = |name: &str| self.rules.get(name).copied().ok_or_else(|| format!("the plan has no fault `{name}`"));
        let (ix, elements) = match &line.rule {
            Some(name) => rule(name)?,
            None if line.verdict == Verdict::Spared => (RuleIx(0), 1),
            None => return Err("a decision without its rule".to_owned()),
        };
        let disturbed = line.verdict == Verdict::Disturbed;
        if disturbed && usize::from(line.element) >= elements.max(1) {
            return Err(format!("the fault `{}` has no element {}", line.rule.unwrap_or_default(), line.element));
        }
        let delay = |us: Option<u64>| us.map(|us| Micros(us).min(Micros::HOUR));
        let mut entry = Entry {
            arrival: line.arrival,
            scenario,
            step,
            attempt: AttemptNumber(line.attempt),
            eligible: 0,
            verdict: line.verdict,
            rule: ix,
            element: line.element,
            delay: delay(line.delay_us),
            delay_after: delay(line.delay_after_us),
        };
        for name in &line.eligible {
            entry.admit(rule(name)?.0);
        }
        Ok(entry)
    }
}

/// A line, as it is read.
#[derive(Deserialize)]
struct Owned {
    arrival: u64,
    scenario: String,
    step: String,
    attempt: u32,
    eligible: Vec<String>,
    verdict: Verdict,
    rule: Option<String>,
    #[serde(default)]
    element: u16,
    delay_us: Option<u64>,
    delay_after_us: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            scenarios: vec![("chat".to_owned(), vec!["ask".to_owned(), "say \"more\"".to_owned()])],
            rules: vec![("blip".to_owned(), vec!["503".to_owned(), "reset".to_owned()]), ("slow".to_owned(), vec!["delay 1s".to_owned()])],
        }
    }

    fn entry() -> Entry {
        Entry {
            arrival: 17,
            scenario: ScenarioIx(0),
            step: StepIx(1),
            attempt: AttemptNumber(2),
            eligible: 0b11,
            verdict: Verdict::Disturbed,
            rule: RuleIx(0),
            element: 1,
            delay: Some(Micros(1_500)),
            delay_after: None,
        }
    }

    fn log(entries: &[Entry]) -> String {
        let head = Head {
            brownout_faults: 1,
            plan: "p".to_owned(),
            seed: 1,
            level: "exact".to_owned(),
            rules: vec!["blip".to_owned(), "slow".to_owned()],
        };
        let mut out = Vec::new();
        entries.iter().for_each(|entry| entry.write(&names(), &mut out));
        let tail = Tail { lines: entries.len() as u64, missing: 0 };
        let json = |value: &serde_json::Value| format!("{value}\n");
        let tail = serde_json::to_string(&tail).expect("JSON");
        format!("{}{}{tail}\n", json(&serde_json::to_value(&head).expect("JSON")), String::from_utf8(out).expect("text"))
    }

    fn read(text: &str) -> Result<Script, (usize, String)> {
        Script::read(text.lines().map(|line| Ok(line.to_owned())), &names())
    }

    #[test]
    fn an_entry_is_one_line_of_json() {
        let mut out = Vec::new();
        entry().write(&names(), &mut out);
        let expected = r#"{"arrival":17,"scenario":"chat","step":"say \"more\"","attempt":2,"eligible":["blip","slow"],"verdict":"disturbed","rule":"blip","element":1,"delay_us":1500,"what":"reset"}"#;
        assert_eq!(String::from_utf8(out).expect("text"), format!("{expected}\n"));
        assert_eq!(Entry::unpacked(&entry().packed()), entry());
    }

    #[test]
    fn a_log_is_read_as_it_was_written_in_whatever_order_its_lines_stand() {
        let spared = Entry { arrival: 3, verdict: Verdict::Spared, rule: RuleIx(0), element: 0, delay: None, eligible: 0b10, ..entry() };
        let script = read(&log(&[entry(), spared])).expect("a script");
        assert_eq!(script.entries, [spared, entry()]);
        assert_eq!(script.about(entry().key()).map(|(_, found)| *found), Some(entry()));
        assert_eq!(script.about((17, 0, 1, 3)), None);
    }

    #[test]
    fn a_log_that_is_none_or_not_of_this_plan_is_refused_with_its_line() {
        let good = log(&[entry()]);
        let cases = [
            (String::new(), 1, "the log is empty"),
            ("{}\n".to_owned(), 1, "not the first line"),
            (good.replace("\"brownout_faults\":1", "\"brownout_faults\":9"), 1, "format 9"),
            (good.replace("\"rule\":\"blip\"", "\"rule\":\"gone\""), 2, "no fault `gone`"),
            (good.replace("\"scenario\":\"chat\"", "\"scenario\":\"gone\""), 2, "in a scenario `gone`"),
            (good.replace("\"element\":1", "\"element\":2"), 2, "no element 2"),
            (good.replace("\"rule\":\"blip\",", ""), 2, "without its rule"),
            (good.replace("\"arrival\":17", "\"arrival\":-1"), 2, "no line of a log"),
            (good.lines().take(2).collect::<Vec<_>>().join("\n"), 3, "breaks off"),
            (good.replace("\"lines\":1", "\"lines\":2"), 3, "breaks off"),
            (format!("{good}{{}}\n"), 4, "after the last line"),
            (log(&[entry(), entry()]), 1, "two lines are about attempt 2 of arrival 17"),
        ];
        for (text, line, why) in cases {
            let (at, what) = read(&text).expect_err(why);
            assert!(at == line && what.contains(why), "{at}: {what}, not {line}: {why}");
        }
    }
}
