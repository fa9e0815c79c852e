//! The reader: one pass over the text, and nothing allocated for a small document.

use std::collections::HashSet;
use std::ops::Range;

use super::{DEEPEST, Document, KEPT, NODES, NotJson};

/// Nodes that need no allocation.
const INLINE: usize = 24;
/// Members of one object that are compared with each other, one by one.
const COMPARED: usize = 24;

/// One value; a container's entries follow it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Node<'a> {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text<'a>),
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

/// A text of the body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// As it stands there.
    Plain(&'a str),
    /// A piece of [`Document::copied`]: it stands there with escapes, or in another encoding.
    Copied { start: u32, len: u32 },
}

impl Text<'_> {
    const EMPTY: Text<'static> = Text::Plain("");

    fn copied(range: Range<usize>) -> Text<'static> {
        Text::Copied { start: range.start as u32, len: range.len() as u32 }
    }
}

/// A value, and where it is found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    /// The member name of a value; empty for items.
    pub(super) name: Text<'a>,
    pub(super) place: Place,
    pub(super) node: Node<'a>,
}

impl Entry<'_> {
    const NULL: Entry<'static> = Entry { name: Text::EMPTY, place: Place::ROOT, node: Node::Null };

    /// The index after that of this value and everything in it.
    #[inline]
    fn after(&self, at: usize) -> usize {
        match self.node {
            Node::Array { end, .. } | Node::Object { end, .. } => end as usize,
            _ => at + 1,
        }
    }
}

/// A path of names, as a hash; all items of an array have one. It is the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) u64);

impl Place {
    pub(super) const ROOT: Place = Place(0xcbf2_9ce4_8422_2325);

    fn member(self, name: &[u8]) -> Place {
        // The length tells a name from one that ends in NULs. Whole words, then the last bytes, which may overlap them.
        let place = self.mixed(name.len() as u64);
        let Some(last) = name.last_chunk() else { return place.mixed(short(name)) };
        let (whole, _) = name[..name.len() - 1].as_chunks();
        whole.iter().fold(place, |place, word| place.mixed(u64::from_le_bytes(*word))).mixed(u64::from_le_bytes(*last))
    }

    fn item(self) -> Place {
        // No name is as long as that.
        self.mixed(u64::MAX)
    }

    /// The place with more to it. Multiplication carries differences upwards, the shift brings them back down.
    pub(super) const fn mixed(self, word: u64) -> Place {
        let product = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Place(product ^ (product >> 32))
    }
}

/// Fewer than eight bytes as a number.
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)),
        _ => bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

/// The nodes of a document in the order of the text; the first few stand where the document stands.
#[derive(Clone, Debug)]
pub(super) struct Nodes<'a> {
    len: usize,
    first: [Entry<'a>; INLINE],
    more: Vec<Entry<'a>>,
}

impl<'a> Nodes<'a> {
    pub(super) const fn new() -> Nodes<'a> {
        Nodes { len: 0, first: [Entry::NULL; INLINE], more: Vec::new() }
    }

    #[inline(always)]
    fn push(&mut self, entry: Entry<'a>) {
        match self.first.get_mut(self.len) {
            Some(free) => *free = entry,
            None => self.push_more(entry),
        }
        self.len += 1;
    }

    #[cold]
    fn push_more(&mut self, entry: Entry<'a>) {
        self.more.push(entry);
    }

    /// The value at an index, with its name and place.
    #[inline]
    pub(super) fn entry(&self, at: usize) -> &Entry<'a> {
        if at < INLINE { &self.first[at] } else { &self.more[at - INLINE] }
    }

    fn set(&mut self, at: usize, node: Node<'a>) {
        if at < INLINE { self.first[at].node = node } else { self.more[at - INLINE].node = node }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.first[..self.len.min(INLINE)].iter().chain(&self.more)
    }

    /// The kept entries of the container at this index, and where each stands.
    #[inline]
    pub(super) fn entries(&self, container: usize) -> impl Iterator<Item = (usize, &Entry<'a>)> + Clone {
        let (mut next, end) = (container + 1, self.entry(container).after(container));
        std::iter::from_fn(move || {
            let at = (next < end).then_some(next)?;
            let entry = self.entry(at);
            next = entry.after(at);
            Some((at, entry))
        })
    }

    /// The entries of the container at this index and of all that are in it.
    pub(super) fn all_in(&self, container: usize) -> impl Iterator<Item = &Entry<'a>> {
        (container + 1..self.entry(container).after(container)).map(|at| self.entry(at))
    }
}

/// Whether two names of an object may be the same: a bit for each.
#[derive(Default)]
struct Names {
    bits: u64,
    may_repeat: bool,
}

impl Names {
    fn add(&mut self, member: Place) {
        let bit = 1 << (member.0 >> 58);
        self.may_repeat |= self.bits & bit != 0;
        self.bits |= bit;
    }
}

/// Reads one value and nothing else into an empty document; `lasting` is the text where texts can be borrowed from it.
pub(super) fn read<'a>(text: &str, lasting: Option<&'a str>, into: &mut Document<'a>) -> Result<(), NotJson> {
    // Places are 32 bits wide; nobody keeps a body as long as that.
    if u32::try_from(text.len()).is_err() {
        return Err(NotJson::Malformed);
    }
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, lasting, into };
    reader.value(Text::EMPTY, Place::ROOT, 0, true)?;
    reader.blank();
    if reader.at < reader.bytes.len() { Err(NotJson::Malformed) } else { Ok(()) }
}

struct Reader<'a, 't, 'd> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    lasting: Option<&'a str>,
    into: &'d mut Document<'a>,
}

impl<'a> Reader<'a, '_, '_> {
    // What is called for every value stands where it is called: most texts are so short that a call costs as much.
    #[inline(always)]
    fn value(&mut self, name: Text<'a>, place: Place, depth: usize, keep: bool) -> Result<(), NotJson> {
        let node = match self.next()? {
            b'"' => Node::Text(self.string(keep)?),
            b'{' | b'[' => return self.container(name, place, depth, keep),
            b'-' | b'0'..=b'9' => Node::Number(self.number()?),
            b't' => self.word("true", Node::Bool(true))?,
            b'f' => self.word("false", Node::Bool(false))?,
            b'n' => self.word("null", Node::Null)?,
            _ => return Err(NotJson::Malformed),
        };
        if keep {
            self.into.nodes.push(Entry { name, place, node });
        }
        Ok(())
    }

    fn container(&mut self, name: Text<'a>, place: Place, depth: usize, keep: bool) -> Result<(), NotJson> {
        if depth == DEEPEST {
            return Err(NotJson::TooDeep);
        }
        let is_object = self.bytes[self.at] == b'{';
        let close = if is_object { b'}' } else { b']' };
        let own = self.into.nodes.len;
        if keep {
            self.into.nodes.push(Entry { name, place, node: Node::Null });
        }
        self.at += 1;
        let mut len = 0;
        let mut names = Names::default();
        if self.next()? == close {
            self.at += 1;
        } else {
            loop {
                let keep = keep && len < KEPT && self.into.nodes.len < NODES;
                let (name, inner) = if is_object {
                    let name = self.name(keep)?;
                    let inner = place.member(self.into.text(name).as_bytes());
                    names.add(inner);
                    (name, inner)
                } else {
                    (Text::EMPTY, place.item())
                };
                self.value(name, inner, depth + 1, keep)?;
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
            let (end, len) = (self.into.nodes.len as u32, len as u32);
            self.into.nodes.set(own, if is_object { Node::Object { end, len } } else { Node::Array { end, len } });
            self.into.has_lists |= !is_object && len > 1;
            if names.may_repeat && self.into.duplicate.is_none() {
                self.into.duplicate = self.duplicate_in(own);
            }
        }
        Ok(())
    }

    /// The name of a member, and its colon.
    #[inline(always)]
    fn name(&mut self, keep: bool) -> Result<Text<'a>, NotJson> {
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
    #[inline]
    fn next(&mut self) -> Result<u8, NotJson> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(byte) => return Ok(*byte),
                None => return Err(NotJson::Truncated),
            }
        }
    }

    #[inline]
    fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Result<Node<'a>, NotJson> {
        let rest = &self.bytes[self.at..];
        if rest.starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(node);
        }
        Err(if word.as_bytes().starts_with(rest) { NotJson::Truncated } else { NotJson::Malformed })
    }

    // === texts ===

    #[inline(always)]
    fn string(&mut self, keep: bool) -> Result<Text<'a>, NotJson> {
        let start = self.at + 1;
        self.at = plain_end(self.bytes, start);
        match self.bytes.get(self.at).ok_or(NotJson::Truncated)? {
            b'"' => {
                self.at += 1;
                let plain = start..self.at - 1;
                match self.lasting {
                    Some(text) => Ok(Text::Plain(&text[plain])),
                    None => Ok(self.copy(plain, keep)),
                }
            }
            b'\\' => self.escaped(start, keep),
            _ => Err(NotJson::Malformed),
        }
    }

    #[cold]
    fn copy(&mut self, plain: Range<usize>, keep: bool) -> Text<'a> {
        let begun = self.into.copied.len();
        if keep {
            self.into.copied.push_str(&self.text[plain]);
        }
        Text::copied(begun..self.into.copied.len())
    }

    /// A text whose first escape stands here.
    #[inline(never)]
    fn escaped(&mut self, start: usize, keep: bool) -> Result<Text<'a>, NotJson> {
        let begun = self.into.copied.len();
        let mut plain = start;
        loop {
            if keep {
                self.into.copied.push_str(&self.text[plain..self.at]);
            }
            match self.bytes.get(self.at).ok_or(NotJson::Truncated)? {
                b'"' => break,
                b'\\' => {
                    let c = self.escape()?;
                    if keep {
                        self.into.copied.push(c);
                    }
                }
                _ => return Err(NotJson::Malformed),
            }
            plain = self.at;
            self.at = plain_end(self.bytes, plain);
        }
        self.at += 1;
        Ok(Text::copied(begun..self.into.copied.len()))
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
    fn duplicate_in(&self, object: usize) -> Option<Text<'a>> {
        let nodes = &self.into.nodes;
        let members = nodes.entries(object);
        let name = |entry: &Entry<'a>| self.into.text(entry.name);
        let same = |a: &Entry<'a>, b: &Entry<'a>| a.place == b.place && name(a) == name(b);
        let twice = if members.clone().nth(COMPARED).is_some() {
            let mut seen = HashSet::new();
            members.clone().find(|(_, entry)| !seen.insert(name(entry)))
        } else {
            let repeats = |at, entry| members.clone().take_while(|(before, _)| *before < at).any(|(_, before)| same(before, entry));
            members.clone().find(|&(at, entry)| repeats(at, entry))
        };
        twice.map(|(_, entry)| entry.name)
    }
}

/// The first byte at or after `from` that a text cannot hold as it is: a quote, a backslash, a control character.
///
/// Eight bytes at a time. In `x - 0x01…`, the high bit of a byte tells that it was zero, or that the high bit was set
/// before, which `& !x` takes away; a borrow can only come from a lower byte that is itself a hit, and the lowest hit is
/// the one that counts (Mycroft 1987). With one bit flipped the quote stands right after the control characters, so that
/// one comparison finds them all: 0x22 becomes 0x20, and nothing else below 0x21 does but they themselves.
#[inline(always)]
fn plain_end(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut rest = bytes.get(from..).unwrap_or_default();
    while let Some((&eight, more)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(eight);
        let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let hits = (quote_or_control | backslash) & !word & (ONES << 7);
        if hits != 0 {
            return bytes.len() - rest.len() + (hits.trailing_zeros() / 8) as usize;
        }
        rest = more;
    }
    let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).unwrap_or(rest.len());
    bytes.len() - rest.len() + plain
}
