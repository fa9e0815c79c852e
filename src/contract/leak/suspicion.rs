//! Whether anything in a body could be a leak: one look at its bytes, pair by pair.
//!
//! A leak has an odd slash, dot or colon, or one of [`TRIGGERS`]. Each of these has a pair of neighbouring bytes that is rare
//! in messages for people: a table knows of every pair of the body whether to look closely, and for what.

use std::sync::LazyLock;

/// Pieces of text one of which every leak has, unless it has one of the [`is_odd`] places, or escapes, or is no JSON; rare in
/// messages for people.
const TRIGGERS: &[&str] = &[
    // exceptions
    "xception",
    "Error:",
    "Errno",
    "Traceback",
    "panicked",
    "NoneType",
    "Cannot read prop",
    "is not a function",
    "Object reference",
    "undefined method",
    "nil pointer",
    "Segmentation",
    "has no len",
    "unsupported operand",
    "atal error",
    "nhandled",
    "ncaught",
    "runtime error",
    "lineno",
    "\"line",
    "   at ",
    "Native Method",
    "Unknown Source",
    "Whoops",
    "Whitelabel",
    "<pre>",
    "DEBUG",
    "URLconf",
    "Django",
    // databases
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE ",
    "from `",
    "into `",
    "update `",
    "SQL",
    "syntax",
    "constraint",
    "pq: ",
    "psycopg",
    "pymysql",
    "password authentication",
    "transaction is aborted",
    "Duplicate entry",
    "Unknown column",
    "Table '",
    "ER_",
    "Error 1",
    "Access denied for",
    "no such ",
    "is locked",
    "quotation mark",
    "object name",
    "Msg ",
    "ORA-",
    "PLS-",
    "TNS-",
    "E11000",
    "Mongo",
    "ObjectId",
    "WRONGTYPE",
    "NOAUTH",
    "MOVED ",
    "Prisma",
    "Sequelize",
    "ibernate",
    "JDBC",
    "could not execute",
    "QueryFailed",
    "ECONNREFUSED",
    "EHOSTUNREACH",
    "ENOTFOUND",
    "gone away",
    "MariaDB",
    "Microsoft",
    // credentials
    "-----",
    "AKIA",
    "ASIA",
    "AIza",
    "k_live_",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "xox",
    "glpat-",
    "sk-",
    "npm_",
    "hf_",
    "assword=",
    "asswd=",
    "pwd=",
    "Pwd=",
    "PWD=",
    "uthorization:",
    "UTHORIZATION:",
];

/// Whether any pattern could match: whether there is an escape, a path, an address, a dotted name, a place in a file, or a
/// trigger.
pub(super) fn is_raised_by(body: &[u8]) -> bool {
    let Pairs { group_of, groups } = &*PAIRS;
    if matches!(body.last(), Some(b'/' | b'\\')) {
        return true;
    }
    // A plain loop: it runs over every byte of every error.
    let mut before = b' ';
    for (at, &byte) in body.iter().enumerate() {
        let group = group_of[usize::from(u16::from_le_bytes([before, byte]))];
        before = byte;
        if group != NONE && at > 0 && is_suspect(&groups[usize::from(group)], body, at - 1) {
            return true;
        }
    }
    false
}

static PAIRS: LazyLock<Pairs> = LazyLock::new(Pairs::new);

/// The group of a pair that is not looked at closely, and of one that is in no trigger.
const NONE: u8 = 0;
const ODD: u8 = 1;

/// What is known of every pair of bytes.
struct Pairs {
    /// [`NONE`] of most, by [`pair_of`].
    group_of: Box<[u8; 1 << 16]>,
    /// Triggers with one rarest pair, and where in the trigger it is; those of [`NONE`] and [`ODD`] are empty.
    groups: Vec<Vec<(usize, &'static [u8])>>,
}

impl Pairs {
    fn new() -> Pairs {
        let mut pairs = Pairs { group_of: Box::new([NONE; 1 << 16]), groups: vec![Vec::new(), Vec::new()] };
        for pair in (0..=u16::MAX).filter(|pair| may_be_odd(pair.to_le_bytes())) {
            pairs.group_of[usize::from(pair)] = ODD;
        }
        for trigger in TRIGGERS.iter().map(|trigger| trigger.as_bytes()) {
            let rarest = (0..trigger.len() - 1).min_by_key(|&at| frequency(trigger[at]) + frequency(trigger[at + 1])).unwrap_or(0);
            let group = &mut pairs.group_of[usize::from(pair_of(&trigger[rarest..rarest + 2]))];
            if *group <= ODD {
                *group = u8::try_from(pairs.groups.len()).expect("there are fewer than 250 triggers");
                pairs.groups.push(Vec::new());
            }
            pairs.groups[usize::from(*group)].push((rarest, trigger));
        }
        pairs
    }
}

/// The close look. Apart from the loop: otherwise the compiler takes it at every byte.
#[inline(never)]
fn is_suspect(group: &[(usize, &[u8])], body: &[u8], at: usize) -> bool {
    is_odd(body, at) || is_trigger(group, body, at)
}

/// Whether one of these triggers has its rarest pair here.
fn is_trigger(group: &[(usize, &[u8])], body: &[u8], at: usize) -> bool {
    group.iter().any(|(rarest, trigger)| at.checked_sub(*rarest).is_some_and(|start| body[start..].starts_with(trigger)))
}

fn pair_of(pair: &[u8]) -> u16 {
    u16::from_le_bytes([pair[0], pair[1]])
}

/// How often a byte stands in a message or in JSON, roughly: blanks and the commonest letters most.
fn frequency(byte: u8) -> usize {
    const LETTERS: &[u8] = b"zqjxkvbpygfwmucldrhsnioate\": ";
    LETTERS.iter().position(|letter| *letter == byte).unwrap_or(0)
}

/// Whether two neighbouring bytes may be an odd place, whatever is before them; a backslash always is.
fn may_be_odd([byte, after]: [u8; 2]) -> bool {
    match byte {
        b'/' | b'\\' => true,
        b'.' => after.is_ascii_alphanumeric(),
        b':' => after == b':' || after.is_ascii_digit(),
        _ => false,
    }
}

/// Whether a byte is a backslash, or a slash, dot or colon that is not one of a sentence, of a time, or of JSON itself.
fn is_odd(body: &[u8], at: usize) -> bool {
    let (before, after) = (at.checked_sub(1).map_or(b' ', |before| body[before]), body.get(at + 1).copied().unwrap_or(b' '));
    match body[at] {
        b'/' | b'\\' => true,
        // Between digits it is that of a fraction, unless another one follows, as in addresses.
        b'.' if before.is_ascii_digit() && after.is_ascii_digit() => body[at + 2..body.len().min(at + 5)].contains(&b'.'),
        b'.' => before.is_ascii_alphanumeric() && after.is_ascii_alphanumeric(),
        b':' => after == b':' || (after.is_ascii_digit() && !before.is_ascii_digit() && before != b'"'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trigger_raises_suspicion_wherever_it_stands_and_ordinary_errors_do_not() {
        for trigger in TRIGGERS {
            for text in [trigger.to_string(), format!("x{trigger}"), format!("{trigger}x"), format!("it is {trigger} it is")] {
                assert!(is_raised_by(text.as_bytes()), "{text:?}");
            }
        }
        for (text, raised) in [
            (r#"{"code":"NOT_FOUND","message":"No model m-1.","retry_after":30,"timestamp":"2026-11-22T12:00:00Z"}"#, false),
            (r#"{"message":"between 0.5 and 2.5, at 12:30. Then: again"}"#, false),
            (r#"{"message":"a\nb"}"#, true),
            ("of /srv", true),
            ("ends in /", true),
            ("10.0.0.7", true),
            ("db.internal", true),
            ("main.rs:7", true),
            ("std::fmt", true),
            ("line x:7", true),
            ("", false),
            (":", false),
        ] {
            assert_eq!(is_raised_by(text.as_bytes()), raised, "{text}");
        }
    }
}
