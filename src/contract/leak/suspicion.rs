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

/// What errors say that give nothing away: pairs that stand in here would make for many close looks.
const EVERYDAY: &str = r#"{"error":"Bad Request","code":"INVALID_REQUEST","message":"The field `name` is required and must not be empty.",
"details":{"field":"temperature","issue":"must be a number between 0 and 2"},"request_id":"req_0123456789abcdef","timestamp":"2026-11-22T12:00:30Z"}
{"error":"Unauthorized","code":"UNAUTHORIZED","message":"Invalid or expired token: please sign in again","status":401,"type":"about:blank"}
{"code":"RATE_LIMIT_EXCEEDED","error":"Too Many Requests","limit":100,"remaining":0,"reset_at":"","retry_after":30,"title":"Rate limit exceeded"}
{"code":"CONVERSATION_NOT_FOUND","message":"Model not found, or you do not have access to this resource. Check the identifier, or contact support."}
{"code":"INTERNAL_ERROR","message":"An unexpected internal server error occurred. The service is temporarily unavailable, try again later.","trace_id":""}
{"code":"FORBIDDEN","message":"Insufficient permissions to perform this action","required_role":"admin","detail":"conflict with an existing user"}
{"code":"PAYLOAD_TOO_LARGE","message":"The uploaded file exceeds the maximum size allowed","errors":[{"param":null,"expected":"string","value":true}]}
{"code":"VALIDATION_FAILED","message":"Method not allowed","instance":"","documentation_url":"","max_tokens":4096,"unsupported media type":false}"#;

/// Bytes that are looked at together: most of them are clean, and seen to be with two instructions a pair.
const PIECE: usize = 17;

/// What one look at the bytes of a body tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::contract) struct Look {
    /// Whether any pattern could match: whether there is an escape, a path, an address, a dotted name, a place in a file, or
    /// a trigger.
    pub(in crate::contract) raised: bool,
    /// Whether there may be one of the [`MARKS`].
    pub(in crate::contract) marked: bool,
}

impl Look {
    /// Nothing was looked at.
    pub(in crate::contract) const NONE: Look = Look { raised: true, marked: true };

    /// Looks at a body.
    pub(in crate::contract) fn at(body: &[u8]) -> Look {
        let pairs = &*PAIRS;
        // A colon is known by the byte before it, a slash by the one after it: these have none.
        if (body.first() == Some(&b':') && is_odd(body, 0)) || matches!(body.last(), Some(b'/' | b'\\')) {
            return Look::NONE;
        }
        let mut all = 0;
        let mut is_suspect = |from: usize, piece: &[u8; PIECE]| {
            let groups = pairs.groups_in(piece);
            all |= groups;
            groups & !MARKED != NONE && pairs.is_suspect(body, from, piece)
        };
        let mut from = 0;
        while let Some(piece) = body[from..].first_chunk() {
            if is_suspect(from, piece) {
                return Look::NONE;
            }
            from += PIECE - 1;
        }
        // The last piece overlaps the one before.
        let raised = match body.last_chunk() {
            Some(last) => is_suspect(body.len() - PIECE, last),
            None => pairs.any_suspect(body, 0, body),
        };
        let marked = body.len() < PIECE || all & MARKED != 0 || body.last().is_some_and(|last| MARKS.contains(last));
        Look { raised, marked: marked || raised }
    }
}

static PAIRS: LazyLock<Pairs> = LazyLock::new(Pairs::new);

/// Bytes with which other spellings, format directives and objects made text begin. Behind a backslash, which raises
/// suspicion, there may be anything.
const MARKS: &[u8] = b"%&[\\";

/// The group of a pair that is not looked at closely, and of one that is in no trigger.
const NONE: u8 = 0;
const ODD: u8 = 1;
/// Stands beside the group of a pair that begins with one of the [`MARKS`].
const MARKED: u8 = 1 << 7;

/// What is known of every pair of bytes.
struct Pairs {
    /// [`NONE`] of most, by the pair as a number.
    group_of: Box<[u8; 1 << 16]>,
    /// Those of [`NONE`] and [`ODD`] have no triggers.
    groups: Vec<Group>,
}

/// Pairs that are looked at closely for the same.
#[derive(Default)]
struct Group {
    /// Whether one of the two bytes may be an odd place.
    odd: bool,
    /// Triggers of which this is the rarest pair, and where in the trigger it is.
    triggers: Vec<(usize, &'static [u8])>,
}

impl Pairs {
    fn new() -> Pairs {
        let odd = Group { odd: true, triggers: Vec::new() };
        let mut pairs = Pairs { group_of: Box::new([NONE; 1 << 16]), groups: vec![Group::default(), odd] };
        for pair in (0..=u16::MAX).filter(|pair| may_be_odd(pair.to_le_bytes())) {
            pairs.group_of[usize::from(pair)] = ODD;
        }
        for trigger in TRIGGERS.iter().map(|trigger| trigger.as_bytes()) {
            let rarest = (0..trigger.len() - 1).min_by_key(|&at| everyday(&trigger[at..at + 2])).unwrap_or(0);
            let group = &mut pairs.group_of[usize::from(u16::from_le_bytes([trigger[rarest], trigger[rarest + 1]]))];
            if *group <= ODD {
                let odd = *group == ODD;
                *group = u8::try_from(pairs.groups.len()).expect("there are fewer than 120 triggers");
                pairs.groups.push(Group { odd, triggers: Vec::new() });
            }
            pairs.groups[usize::from(*group)].triggers.push((rarest, trigger));
        }
        for pair in (0..=u16::MAX).filter(|pair| MARKS.contains(&pair.to_le_bytes()[0])) {
            pairs.group_of[usize::from(pair)] |= MARKED;
        }
        pairs
    }

    /// The group of a pair, and its mark.
    fn group(&self, pair: [u8; 2]) -> u8 {
        self.group_of[usize::from(u16::from_le_bytes(pair))]
    }

    /// What the pairs in here have together: [`NONE`] where none is looked at closely, and none marked. Without a branch.
    fn groups_in(&self, piece: &[u8; PIECE]) -> u8 {
        piece.array_windows().fold(NONE, |groups, pair| groups | self.group(*pair))
    }

    /// The close look at every pair of a piece of the body, which begins at `from`.
    #[inline(never)]
    fn is_suspect(&self, body: &[u8], from: usize, piece: &[u8; PIECE]) -> bool {
        self.any_suspect(body, from, piece)
    }

    // In line, for the length of a piece is known.
    #[inline(always)]
    fn any_suspect(&self, body: &[u8], from: usize, piece: &[u8]) -> bool {
        piece.array_windows().enumerate().any(|(ix, pair)| match self.group(*pair) & !MARKED {
            NONE => false,
            group => self.groups[usize::from(group)].is_met(body, from + ix),
        })
    }
}

impl Group {
    /// Whether what its pairs are looked at for is here.
    #[inline(never)]
    fn is_met(&self, body: &[u8], at: usize) -> bool {
        (self.odd && (is_odd(body, at) || is_odd(body, at + 1)))
            || self.triggers.iter().any(|(rarest, trigger)| is_trigger(body, at, *rarest, trigger))
    }
}

/// Whether a trigger stands where its rarest pair is here; its first byte tells most of those that do not.
fn is_trigger(body: &[u8], at: usize, rarest: usize, trigger: &[u8]) -> bool {
    let Some(here) = at.checked_sub(rarest).and_then(|start| body.get(start..)) else { return false };
    here.first() == trigger.first() && here.starts_with(trigger)
}

/// How often a pair stands in everyday errors.
fn everyday(pair: &[u8]) -> usize {
    EVERYDAY.as_bytes().windows(2).filter(|here| *here == pair).count()
}

/// Whether one of two neighbouring bytes may be an odd place, whatever is around them. The colons of JSON and of times are none.
fn may_be_odd([first, second]: [u8; 2]) -> bool {
    match first {
        b'/' | b'\\' => true,
        b'.' if second.is_ascii_alphanumeric() => true,
        _ => second == b':' && !first.is_ascii_digit() && first != b'"',
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
                assert!(Look::at(text.as_bytes()).raised, "{text:?}");
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
            assert_eq!(Look::at(text.as_bytes()).raised, raised, "{text}");
        }
    }

    /// What [`is_raised_by`] is to say, place by place.
    fn is_raised_somewhere(body: &[u8]) -> bool {
        let triggers = || TRIGGERS.iter().any(|trigger| memchr::memmem::find(body, trigger.as_bytes()).is_some());
        (0..body.len()).any(|at| is_odd(body, at)) || triggers()
    }

    #[test]
    fn the_quick_look_sees_what_a_look_at_every_place_sees() {
        const PIECES: &[&str] = &[
            ".",
            ":",
            "::",
            "/",
            "\\",
            "\"",
            "0",
            "7",
            "a",
            "Z",
            " ",
            ": ",
            "\":",
            "12:30:59",
            "0.5",
            "10.0.0",
            "-",
            "é",
            "{\"a\":1,",
            "at ",
            "ORA",
            "sk",
            "-----",
            "no such",
            "%",
            "&",
            "[",
        ];
        let (mut raised, mut clean, mut unmarked) = (0, 0, 0);
        for case in 0..40_000u64 {
            let draw = |n: u64, below: usize| crate::seed::Seed(case).draw("suspicion").with(n).below(below as u64) as usize;
            let mut text = String::new();
            // Long clean stretches, so that whole pieces are passed over.
            for n in 0..draw(0, 12) as u64 {
                text.push_str(&"it was not found  "[..draw(4 * n + 1, 18)]);
                match draw(4 * n + 2, 12) {
                    0..9 => text.push_str(PIECES[draw(4 * n + 3, PIECES.len())]),
                    9 => {
                        let trigger = TRIGGERS[draw(4 * n + 3, TRIGGERS.len())];
                        text.push_str(&trigger[..draw(4 * n + 4, trigger.len() + 1)]);
                    }
                    _ => {}
                }
            }
            let expected = is_raised_somewhere(text.as_bytes());
            assert_eq!(Look::at(text.as_bytes()).raised, expected, "{text:?}");
            if expected {
                raised += 1
            } else {
                clean += 1
            }
            let marked = text.bytes().any(|byte| MARKS.contains(&byte));
            assert!(Look::at(text.as_bytes()).marked || !marked, "{text:?}");
            unmarked += u32::from(!Look::at(text.as_bytes()).marked);
        }
        assert!(raised > 4_000 && clean > 4_000 && unmarked > 2_000, "{raised} {clean} {unmarked}");
    }
}
