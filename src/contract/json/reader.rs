//! The reader: one pass over the text, and nothing allocated for a small document.

use std::collections::HashSet;
use std::ops::Range;

use super::{DEEPEST, KEPT, NODES, NotJson};

/// Nodes that need no allocation.
const INLINE: usize = 24;
/// Members of one object that are compared with each other, one by one.
const COMPARED: usize = 24;

/// A document, read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) nodes: Nodes,
    pub(super) unescaped: String,
    pub(super) duplicate: Option<Span>,
}

/// One value; a container's entries follow it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(f64),
    Text(Span),
    /// `end`: the node after its last kept entry; `len`: how many entries it has in the text.
    Array {
        end: u32,
        len: u32,
    },
    Object {
        end: u32,
        len: u32,
    },
}

/// A piece of the text, or of the texts without their escapes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    /// The highest bit: among the texts without their escapes.
    end: u32,
}

/// Where a span is.
pub(super) enum Place {
    Text(Range<usize>),
    Unescaped(Range<usize>),
}

impl Span {
    const UNESCAPED: u32 = 1 << 31;

    fn new(range: Range<usize>) -> Span {
        Span { start: range.start as u32, end: range.end as u32 }
    }

    fn unescaped(range: Range<usize>) -> Span {
        Span { start: range.start as u32, end: range.end as u32 | Span::UNESCAPED }
    }

    /// Bytes of it.
    pub(super) fn len(self) -> usize {
        ((self.end & !Span::UNESCAPED) - self.start) as usize
    }

    pub(super) fn place(self) -> Place {
        let range = self.start as usize..(self.end & !Span::UNESCAPED) as usize;
        if self.end & Span::UNESCAPED == 0 { Place::Text(range) } else { Place::Unescaped(range) }
    }
}

/// The nodes of a document in the order of the text, each with its name; the first few stand where the document stands.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    len: usize,
    first: [(Span, Node); INLINE],
    more: Vec<(Span, Node)>,
}

impl Nodes {
    fn new() -> Nodes {
        Nodes { len: 0, first: [(Span { start: 0, end: 0 }, Node::Null); INLINE], more: Vec::new() }
    }

    fn push(&mut self, name: Span, node: Node) {
        match self.first.get_mut(self.len) {
            Some(place) => *place = (name, node),
            None => self.more.push((name, node)),
        }
        self.len += 1;
    }

    fn both(&self, at: usize) -> &(Span, Node) {
        if at < INLINE { &self.first[at] } else { &self.more[at - INLINE] }
    }

    fn set(&mut self, at: usize, node: Node) {
        if at < INLINE { self.first[at].1 = node } else { self.more[at - INLINE].1 = node }
    }

    pub(super) fn get(&self, at: usize) -> Node {
        self.both(at).1
    }

    /// The member name of a node; empty for items.
    pub(super) fn name(&self, at: usize) -> Span {
        self.both(at).0
    }

    /// The kept entries of the container at this node.
    pub(super) fn entries(&self, container: usize) -> impl Iterator<Item = usize> + Clone {
        let (mut next, end) = (container + 1, self.after(container));
        std::iter::from_fn(move || {
            let at = (next < end).then_some(next)?;
            next = self.after(at);
            Some(at)
        })
    }

    /// The node after this one and everything in it.
    fn after(&self, at: usize) -> usize {
        match self.get(at) {
            Node::Array { end, .. } | Node::Object { end, .. } => end as usize,
            _ => at + 1,
        }
    }
}

/// Whether two names of an object may be the same: a bit for each, by its length and two of its letters.
#[derive(Default)]
struct Names {
    bits: u64,
    may_repeat: bool,
}

impl Names {
    fn add(&mut self, name: &str) {
        let letter = |at: usize| name.as_bytes().get(at).map_or(0, |&letter| usize::from(letter));
        let bit = 1 << ((name.len() * 11 + letter(0) + letter(name.len() / 2) * 5) % 64);
        self.may_repeat |= self.bits & bit != 0;
        self.bits |= bit;
    }
}

/// Reads one value and nothing else.
pub(super) fn read(text: &str) -> Result<Read, NotJson> {
    // Places are 31 bits wide; nobody keeps a body as long as that.
    if text.len() >= Span::UNESCAPED as usize {
        return Err(NotJson::Malformed);
    }
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, nodes: Nodes::new(), unescaped: String::new(), duplicate: None };
    reader.value(Span::default(), 0, true)?;
    reader.blank();
    if reader.at < reader.bytes.len() {
        return Err(NotJson::Malformed);
    }
    Ok(Read { nodes: reader.nodes, unescaped: reader.unescaped, duplicate: reader.duplicate })
}

struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    nodes: Nodes,
    unescaped: String,
    duplicate: Option<Span>,
}

impl Reader<'_> {
    fn value(&mut self, name: Span, depth: usize, keep: bool) -> Result<(), NotJson> {
        self.blank();
        let node = match self.bytes.get(self.at).ok_or(NotJson::Truncated)? {
            b'"' => Node::Text(self.string(keep)?),
            b'{' | b'[' => return self.container(name, depth, keep),
            b'-' | b'0'..=b'9' => Node::Number(self.number()?),
            b't' => self.word("true", Node::Bool(true))?,
            b'f' => self.word("false", Node::Bool(false))?,
            b'n' => self.word("null", Node::Null)?,
            _ => return Err(NotJson::Malformed),
        };
        if keep {
            self.nodes.push(name, node);
        }
        Ok(())
    }

    fn container(&mut self, name: Span, depth: usize, keep: bool) -> Result<(), NotJson> {
        if depth == DEEPEST {
            return Err(NotJson::TooDeep);
        }
        let is_object = self.bytes[self.at] == b'{';
        let close = if is_object { b'}' } else { b']' };
        let own = self.nodes.len;
        if keep {
            self.nodes.push(name, Node::Null);
        }
        self.at += 1;
        let mut len = 0;
        let mut names = Names::default();
        if self.next()? == close {
            self.at += 1;
        } else {
            loop {
                let keep = keep && len < KEPT && self.nodes.len < NODES;
                let name = if is_object { self.name(keep)? } else { Span::default() };
                if is_object {
                    names.add(self.slice(name));
                }
                self.value(name, depth + 1, keep)?;
                len += 1;
                let end = self.next()?;
                self.at += 1;
                match end {
                    b',' => {}
                    _ if end == close => break,
                    _ => return Err(NotJson::Malformed),
                }
            }
        }
        if keep {
            let (end, len) = (self.nodes.len as u32, len as u32);
            self.nodes.set(own, if is_object { Node::Object { end, len } } else { Node::Array { end, len } });
            if names.may_repeat && self.duplicate.is_none() {
                self.duplicate = self.duplicate_in(own);
            }
        }
        Ok(())
    }

    /// The name of a member, and its colon.
    fn name(&mut self, keep: bool) -> Result<Span, NotJson> {
        if self.next()? != b'"' {
            return Err(NotJson::Malformed);
        }
        let name = self.string(keep)?;
        if self.next()? != b':' {
            return Err(NotJson::Malformed);
        }
        self.at += 1;
        Ok(name)
    }

    /// Goes to the next byte that is not blank.
    fn next(&mut self) -> Result<u8, NotJson> {
        self.blank();
        self.bytes.get(self.at).copied().ok_or(NotJson::Truncated)
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, node: Node) -> Result<Node, NotJson> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(node);
        }
        Err(if word.as_bytes().starts_with(rest) { NotJson::Truncated } else { NotJson::Malformed })
    }

    // === texts ===

    fn string(&mut self, keep: bool) -> Result<Span, NotJson> {
        let start = self.at + 1;
        self.at = plain_end(self.bytes, start);
        match self.bytes.get(self.at).ok_or(NotJson::Truncated)? {
            b'"' => {
                self.at += 1;
                Ok(Span::new(start..self.at - 1))
            }
            b'\\' => self.escaped(start, keep),
            _ => Err(NotJson::Malformed),
        }
    }

    /// The rest of a text, from its first escape on.
    fn escaped(&mut self, start: usize, keep: bool) -> Result<Span, NotJson> {
        let begun = self.unescaped.len();
        let mut plain = start;
        loop {
            if keep {
                self.unescaped.push_str(&self.text[plain..self.at]);
            }
            match self.bytes.get(self.at).ok_or(NotJson::Truncated)? {
                b'"' => break,
                b'\\' => {
                    let c = self.escape()?;
                    if keep {
                        self.unescaped.push(c);
                    }
                }
                _ => return Err(NotJson::Malformed),
            }
            plain = self.at;
            self.at = plain_end(self.bytes, plain);
        }
        self.at += 1;
        Ok(Span::unescaped(begun..self.unescaped.len()))
    }

    fn escape(&mut self) -> Result<char, NotJson> {
        let letter = *self.bytes.get(self.at + 1).ok_or(NotJson::Truncated)?;
        self.at += 2;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.utf16(),
            _ => return Err(NotJson::Malformed),
        })
    }

    /// What stands after `\u`: one unit, or two that are one character.
    fn utf16(&mut self) -> Result<char, NotJson> {
        let first = self.unit()?;
        if let Some(c) = char::from_u32(first) {
            return Ok(c);
        }
        match (self.bytes.get(self.at), self.bytes.get(self.at + 1)) {
            (None, _) | (Some(b'\\'), None) => return Err(NotJson::Truncated),
            (Some(b'\\'), Some(b'u')) => self.at += 2,
            _ => return Err(NotJson::NotText),
        }
        let second = self.unit()?;
        if !(0xd800..0xdc00).contains(&first) || !(0xdc00..0xe000).contains(&second) {
            return Err(NotJson::NotText);
        }
        char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(NotJson::NotText)
    }

    fn unit(&mut self) -> Result<u32, NotJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(*self.bytes.get(self.at).ok_or(NotJson::Truncated)?);
            unit = unit * 16 + digit.to_digit(16).ok_or(NotJson::Malformed)?;
            self.at += 1;
        }
        Ok(unit)
    }

    // === numbers ===

    fn number(&mut self) -> Result<f64, NotJson> {
        let start = self.at;
        let negative = self.bytes[self.at] == b'-';
        self.at += usize::from(negative);
        let first = self.at;
        self.digits()?;
        if self.bytes[first] == b'0' && self.at > first + 1 {
            return Err(NotJson::Malformed);
        }
        let whole = &self.bytes[first..self.at];
        let mut is_whole = true;
        if self.bytes.get(self.at) == Some(&b'.') {
            (is_whole, self.at) = (false, self.at + 1);
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            (is_whole, self.at) = (false, self.at + 1);
            self.at += usize::from(matches!(self.bytes.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        // Every whole number of 15 digits is a float; most are shorter.
        if is_whole && whole.len() <= 15 {
            let magnitude = whole.iter().fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0')) as f64;
            return Ok(if negative { -magnitude } else { magnitude });
        }
        self.text[start..self.at].parse().map_err(|_| NotJson::Malformed)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), NotJson> {
        match self.bytes.get(self.at) {
            Some(b'0'..=b'9') => {}
            Some(_) => return Err(NotJson::Malformed),
            None => return Err(NotJson::Truncated),
        }
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        Ok(())
    }

    // === names ===

    /// A name that two kept members of an object have.
    fn duplicate_in(&self, object: usize) -> Option<Span> {
        let members = self.nodes.entries(object);
        let name = |at| self.slice(self.nodes.name(at));
        // Most names differ in length: that is seen without looking at them.
        let same = |a, b| self.nodes.name(a).len() == self.nodes.name(b).len() && name(a) == name(b);
        let twice = if members.clone().nth(COMPARED).is_some() {
            let mut seen = HashSet::new();
            members.clone().find(|&at| !seen.insert(name(at)))
        } else {
            members.clone().find(|&at| members.clone().take_while(|&before| before < at).any(|before| same(before, at)))
        };
        twice.map(|at| self.nodes.name(at))
    }

    fn slice(&self, span: Span) -> &str {
        match span.place() {
            Place::Text(range) => &self.text[range],
            Place::Unescaped(range) => &self.unescaped[range],
        }
    }
}

/// The first byte at or after `from` that a text cannot hold as it is: a quote, a backslash, a control character.
///
/// Eight bytes at a time. In `x - 0x01…`, the high bit of a byte tells that it was zero, or that the high bit was set
/// before, which `& !x` takes away; a borrow can only come from a lower byte that is itself a hit, and the lowest hit is
/// the one that counts (Mycroft 1987).
fn plain_end(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    let zero = |x: u64| x.wrapping_sub(ONES) & !x;
    let mut at = from;
    while let Some(&eight) = bytes[at.min(bytes.len())..].first_chunk::<8>() {
        let word = u64::from_le_bytes(eight);
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let hits = (zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\'))) | control) & HIGH;
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(rest.len())
}
