//! What is worth repeating: the words of `on = […]`, and what each covers.

use std::str::FromStr;

use super::{Conditions, HintUse, Jitter, Methods};
use crate::wire::{Ending, Failure, Phase};

impl Conditions {
    /// The words beside statuses (`429`) and classes (`5xx`), for messages.
    pub const WORDS: [&'static str; 8] = ["refused", "unresolved", "tls", "connect", "reset", "cut", "timeout", "protocol"];

    /// Adds one condition as a plan writes it: `429`, `5xx` or one of [`Conditions::WORDS`].
    ///
    /// # Errors
    /// Says what could have been written.
    pub fn add(&mut self, word: &str) -> Result<(), String> {
        match word {
            "refused" => self.refused = true,
            "unresolved" => self.unresolved = true,
            "tls" => self.tls = true,
            "connect" => self.connect = true,
            "reset" => self.reset = true,
            "cut" => self.cut = true,
            "timeout" => self.timeout = true,
            "protocol" => self.protocol = true,
            _ => {
                if let Some(class) = word.strip_suffix("xx").and_then(|class| class.parse().ok()).filter(|class| (1..=5).contains(class)) {
                    self.classes.push(class);
                } else if let Some(status) = word.parse().ok().filter(|status| (100..=599).contains(status)) {
                    self.statuses.push(status);
                } else {
                    let words = Self::WORDS.join(", ");
                    return Err(format!("`{word}` is no reason to retry; write a status (429), a class (\"5xx\") or one of {words}"));
                }
            }
        }
        Ok(())
    }

    /// Whether an attempt that ended like this is on the list.
    ///
    /// `connect` covers every failure before the request was written, `timeout` every time that ran out, `cut`
    /// every orderly end before the answer was whole, and `reset` a reset wherever it came.
    pub fn include(&self, ending: Ending) -> bool {
        match ending {
            Ending::Answered(status) => {
                self.statuses.contains(&status) || self.classes.iter().any(|class| u16::from(*class) == status / 100)
            }
            Ending::Failed(failure) => match failure {
                Failure::Unresolved => self.unresolved || self.connect,
                Failure::Refused => self.refused || self.connect,
                Failure::Tls => self.tls || self.connect,
                Failure::TimedOut(Phase::Connect) => self.timeout || self.connect,
                Failure::TimedOut(Phase::FirstByte | Phase::Total) => self.timeout,
                Failure::Reset | Failure::BodyCutShort { reset: true, .. } => self.reset,
                Failure::Closed | Failure::BodyCutShort { reset: false, .. } => self.cut,
                Failure::BadProtocol => self.protocol,
            },
            Ending::Unfinished => false,
        }
    }
}

impl FromStr for Jitter {
    type Err = String;
    fn from_str(word: &str) -> Result<Jitter, String> {
        match word {
            "none" => Ok(Jitter::None),
            "full" => Ok(Jitter::Full),
            "equal" => Ok(Jitter::Equal),
            "decorrelated" => Ok(Jitter::Decorrelated),
            _ => Err(format!("`{word}` is no kind of jitter; write none, full, equal or decorrelated")),
        }
    }
}

impl FromStr for HintUse {
    type Err = String;
    fn from_str(word: &str) -> Result<HintUse, String> {
        match word {
            "honour" => Ok(HintUse::Honour),
            "ignore" => Ok(HintUse::Ignore),
            "at-least" => Ok(HintUse::AtLeast),
            _ => Err(format!("`{word}` is nothing that can be done with Retry-After; write honour, ignore or at-least")),
        }
    }
}

impl FromStr for Methods {
    type Err = String;
    fn from_str(word: &str) -> Result<Methods, String> {
        match word {
            "idempotent" => Ok(Methods::Idempotent),
            "any" => Ok(Methods::Any),
            _ => Err(format!("`{word}` does not say which methods may be repeated; write idempotent or any")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_covers_the_failures_it_names_and_no_others() {
        let cut = |reset| Failure::BodyCutShort { received: 9, reset };
        let all = [
            Failure::Unresolved,
            Failure::Refused,
            Failure::Tls,
            Failure::TimedOut(Phase::Connect),
            Failure::TimedOut(Phase::FirstByte),
            Failure::TimedOut(Phase::Total),
            Failure::Reset,
            Failure::Closed,
            cut(true),
            cut(false),
            Failure::BadProtocol,
        ];
        for (word, covered) in [
            ("unresolved", vec![Failure::Unresolved]),
            ("refused", vec![Failure::Refused]),
            ("tls", vec![Failure::Tls]),
            ("connect", all[..4].to_vec()),
            ("timeout", all[3..6].to_vec()),
            ("reset", vec![Failure::Reset, cut(true)]),
            ("cut", vec![Failure::Closed, cut(false)]),
            ("protocol", vec![Failure::BadProtocol]),
            ("5xx", vec![]),
        ] {
            let mut conditions = Conditions::default();
            conditions.add(word).expect(word);
            for failure in all {
                assert_eq!(conditions.include(Ending::Failed(failure)), covered.contains(&failure), "{word}: {failure:?}");
            }
        }
    }

    #[test]
    fn a_class_covers_its_hundred_and_a_status_itself() {
        let mut conditions = Conditions::default();
        conditions.add("5xx").expect("a class");
        conditions.add("429").expect("a status");
        for (status, included) in [(499, false), (500, true), (599, true), (429, true), (428, false), (200, false)] {
            assert_eq!(conditions.include(Ending::Answered(status)), included, "{status}");
        }
    }

    #[test]
    fn a_condition_that_means_nothing_is_refused_with_those_that_do() {
        for word in ["6xx", "0xx", "42", "600", "sometimes", "", "xx", "5XX"] {
            let error = Conditions::default().add(word).expect_err(word);
            assert!(error.contains("write a status (429), a class (\"5xx\") or one of refused"), "{error}");
        }
    }

    #[test]
    fn words_of_a_policy_are_read_or_refused_with_the_choices() {
        assert_eq!("decorrelated".parse(), Ok(Jitter::Decorrelated));
        assert_eq!("at-least".parse(), Ok(HintUse::AtLeast));
        assert_eq!("any".parse(), Ok(Methods::Any));
        assert!("some".parse::<Jitter>().expect_err("no jitter").contains("none, full, equal or decorrelated"));
        assert!("honor".parse::<HintUse>().expect_err("no use").contains("honour, ignore or at-least"));
        assert!("safe".parse::<Methods>().expect_err("no methods").contains("idempotent or any"));
    }
}
