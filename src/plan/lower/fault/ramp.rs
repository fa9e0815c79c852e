//! `FROM -> TO`: what goes from one value to another in a straight line over each window.

use std::str::FromStr;

use crate::plan::file::{Value, View};
use crate::units::Micros;

/// One value, or two with an arrow between them.
pub(super) struct Ramp<T> {
    pub(super) from: T,
    /// `None`: it stays as it is.
    pub(super) to: Option<T>,
}

impl<T: FromStr<Err = String>> FromStr for Ramp<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Ramp<T>, String> {
        let part = |text: &str| text.trim().parse::<T>();
        match text.split_once("->") {
            Some((from, to)) => Ok(Ramp { from: part(from)?, to: Some(part(to)?) }),
            None => Ok(Ramp { from: text.parse()?, to: None }),
        }
    }
}

/// Whether the value is written as a ramp.
pub(super) fn is_ramp(value: &Value<'_>) -> bool {
    matches!(value.view(), View::String(text) if text.contains("->"))
}

/// A delay that grows or shrinks: `"10ms -> 500ms"`.
pub(super) fn delay(value: &Value<'_>) -> Option<(Micros, Micros)> {
    let Ramp { from, to } = value.parsed::<Ramp<Micros>>()?;
    let to = to.unwrap_or(from);
    match from.max(to) <= Micros::HOUR {
        true => Some((from, to)),
        false => value.refuse(format!("{} is too long to wait", from.max(to)), "an hour is the most"),
    }
}
