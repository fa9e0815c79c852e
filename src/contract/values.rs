//! What an answer says for the members and headers that it is held to, each looked up once for all checks.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue};

use crate::contract::check::text_of;
use crate::contract::head::{Head, Known};
use crate::contract::json::Json;
use crate::contract::{Field, Header, Kind, Role};

/// Members and headers whose values stand here; those of longer lists are looked up each time.
const KEPT: usize = 16;

/// The values of one answer.
pub(super) struct Values<'c> {
    fields: &'c [Field],
    headers: &'c [Header],
    body: Option<Json<'c>>,
    all: &'c HeaderMap,
    of_fields: [Option<Json<'c>>; KEPT],
    of_headers: [Named<'c>; KEPT],
    with_role: [Option<(&'c Field, Option<Json<'c>>)>; Role::COUNT],
}

/// A header that the contract names.
#[derive(Clone, Copy)]
pub(super) struct Named<'c> {
    /// Which of those that HTTP defines it is.
    pub(super) known: Option<Known>,
    /// Its value; of several fields the first.
    pub(super) value: Option<&'c HeaderValue>,
    /// The same as text, where it is UTF-8.
    read: Option<&'c str>,
}

impl<'c> Values<'c> {
    /// None yet: they are [filled](Values::fill) in where they stand, for they are large.
    pub(super) const fn none(fields: &'c [Field], body: Option<Json<'c>>, headers: &'c [Header], all: &'c HeaderMap) -> Values<'c> {
        let of_headers = [Named { known: None, value: None, read: None }; KEPT];
        Values { fields, headers, body, all, of_fields: [None; KEPT], of_headers, with_role: [None; Role::COUNT] }
    }

    /// Looks all of them up.
    pub(super) fn fill(&mut self, head: &Head<'c>) {
        if let Some(Json::Object(members)) = self.body {
            let wanted = &self.fields[..self.fields.len().min(KEPT)];
            members.matched(wanted.len(), |ix| &wanted[ix].name, |ix, value| self.of_fields[ix] = Some(value));
        }
        for (ix, field) in self.fields.iter().enumerate() {
            self.note_roles(field, self.field(ix));
        }
        for (header, place) in self.headers.iter().zip(&mut self.of_headers) {
            *place = Named::of(header, head, self.all);
        }
    }

    /// The value of the field with this index.
    pub(super) fn field(&self, ix: usize) -> Option<Json<'c>> {
        match self.of_fields.get(ix) {
            Some(value) => *value,
            None => self.body?.get(&self.fields[ix].name),
        }
    }

    /// The first member with a role, in file order, and what the body says there.
    pub(super) fn member(&self, role: Role) -> Option<(&'c Field, Option<Json<'c>>)> {
        self.with_role[role as usize]
    }

    /// Every header that the contract names, in file order.
    pub(super) fn headers(&self, head: &Head<'c>) -> impl Iterator<Item = (&'c Header, Named<'c>)> {
        let named = |ix: usize, header| self.of_headers.get(ix).copied().unwrap_or_else(|| Named::of(header, head, self.all));
        self.headers.iter().enumerate().map(move |(ix, header)| (header, named(ix, header)))
    }

    fn note_roles(&mut self, field: &'c Field, value: Option<Json<'c>>) {
        if let Some(role) = field.role {
            self.with_role[role as usize].get_or_insert((field, value));
        }
        if field.kind == Kind::Object {
            // Only members with a role, and what holds them, are of interest here.
            for inner in field.fields.iter().filter(|inner| inner.role.is_some() || inner.kind == Kind::Object) {
                self.note_roles(inner, value.and_then(|value| value.get(&inner.name)));
            }
        }
    }
}

impl<'c> Named<'c> {
    fn of(header: &Header, head: &Head<'c>, all: &'c HeaderMap) -> Named<'c> {
        let value = match header.known {
            Some(known) => head.value(known),
            None => all.get(&header.name),
        };
        Named { known: header.known, value, read: value.and_then(|value| str::from_utf8(value.as_bytes()).ok()) }
    }

    /// The value as text; what is not UTF-8 is replaced.
    pub(super) fn text(&self) -> Option<Cow<'c, str>> {
        match self.read {
            Some(text) => Some(Cow::Borrowed(text)),
            None => self.value.map(|value| text_of(value.as_bytes())),
        }
    }
}
