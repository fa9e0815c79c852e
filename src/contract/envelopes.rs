//! Envelopes that many APIs share, ready to be extended by name.

/// The text of a ready envelope, in the words of a contract file's `[envelope.X]`; `None` where there is none of this name.
pub fn ready(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the ready envelopes.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

const ALL: [(&str, &str); 3] = [("rfc9457", ""), ("openai", ""), ("google-aip-193", "")];
