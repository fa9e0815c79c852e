//! Envelopes that many APIs share, ready to be extended by name: `extends = "rfc9457"`.
//!
//! They are data in the words of a contract file, lowered as a file's own envelopes are, so that there is nothing they can
//! say which a contract could not.

/// The text of a ready envelope, in the words of a contract file's `[envelope.X]`; `None` where there is none of this name.
pub fn ready(name: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// The names of the ready envelopes.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

const ALL: [(&str, &str); 3] = [
    ("rfc9457", include_str!("envelopes/rfc9457.toml")),
    ("openai", include_str!("envelopes/openai.toml")),
    ("google-aip-193", include_str!("envelopes/google-aip-193.toml")),
];
