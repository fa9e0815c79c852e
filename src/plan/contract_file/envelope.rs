//! `[envelope.X]`: shapes that errors share. One may extend another above it, or one that is ready-made.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::clause::Clauses;
use super::schema::Schemas;
use super::suggest;
use crate::contract::{Envelope, envelopes};
use crate::id::EnvelopeIx;
use crate::plan::file::{Document, Reading, Table, Value};
use crate::plan::problem::Problems;
use crate::plan::source::SourceText;

/// The envelopes of a contract, with what each inherits; those that are ready-made join when they are first named.
pub(super) struct Envelopes<'s> {
    known: RefCell<Vec<(String, Rc<Clauses>)>>,
    schemas: &'s Schemas,
    every_answer: Clauses,
}

impl<'s> Envelopes<'s> {
    /// Reads `[envelope.…]`, in file order; what is asked of every answer is asked of each.
    pub(super) fn read(root: &Table<'_>, every_answer: Clauses, schemas: &'s Schemas) -> Envelopes<'s> {
        let envelopes = Envelopes { known: RefCell::default(), schemas, every_answer };
        for (name, value) in root.table("envelope").iter().flat_map(Table::entries) {
            let Some(table) = value.table() else { continue };
            let base = table.take("extends").and_then(|base| envelopes.base(&base));
            let mut clauses = base.map_or_else(|| envelopes.every_answer.clone(), |base| Clauses::clone(&base));
            clauses.read(&table, schemas);
            table.finish();
            envelopes.known.borrow_mut().push((name, Rc::new(clauses)));
        }
        envelopes
    }

    /// The schemas of the contract.
    pub(super) fn schemas(&self) -> &'s Schemas {
        self.schemas
    }

    /// The clauses of the envelope that another extends. One that is ready-made does not join: no answer is held to it alone.
    fn base(&self, value: &Value<'_>) -> Option<Rc<Clauses>> {
        let name = value.string()?;
        let ready = envelopes::ready(&name).filter(|_| !self.known.borrow().iter().any(|(known, _)| *known == name));
        ready.map(|text| Rc::new(self.ready(&name, text))).or_else(|| self.named(value))
    }

    /// The clauses of the envelope that a value names.
    pub(super) fn named(&self, value: &Value<'_>) -> Option<Rc<Clauses>> {
        self.index(value).map(|ix| Rc::clone(&self.known.borrow()[ix.at()].1))
    }

    /// The envelope that a value names.
    pub(super) fn index(&self, value: &Value<'_>) -> Option<EnvelopeIx> {
        let name = value.string()?;
        if let Some(at) = self.known.borrow().iter().position(|(known, _)| *known == name) {
            return Some(EnvelopeIx::from(at));
        }
        let Some(text) = envelopes::ready(&name) else {
            let known = self.known.borrow();
            let words: Vec<&str> =
                known.iter().map(|(known, _)| known.as_str()).chain(envelopes::names().map(|name| name as &str)).collect();
            suggest(value, value.problem(format!("there is no envelope `{name}` above this line")), &name, words);
            return None;
        };
        let clauses = self.ready(&name, text);
        let mut known = self.known.borrow_mut();
        known.push((name, Rc::new(clauses)));
        Some(EnvelopeIx::from(known.len() - 1))
    }

    /// The envelope of what names none: the first, with its name.
    pub(super) fn first(&self) -> (String, Rc<Clauses>) {
        let first = self.known.borrow().first().cloned();
        first.unwrap_or_else(|| ("standard".to_owned(), Rc::new(self.every_answer.clone())))
    }

    /// Every envelope as answers are held to it; never none.
    pub(super) fn settled(&self) -> Vec<Envelope> {
        let known = self.known.borrow();
        match known.as_slice() {
            [] => vec![self.every_answer.settle("standard", 0, "")],
            known => known.iter().map(|(name, clauses)| clauses.settle(name, 0, "")).collect(),
        }
    }

    fn ready(&self, name: &str, text: &str) -> Clauses {
        let problems = Problems::new();
        let source: Arc<SourceText> = SourceText::new(&format!("{name} (built in)"), text);
        let mut clauses = self.every_answer.clone();
        if let Some(document) = Document::parse(&source, &problems) {
            let table = document.root(Reading::new(&problems));
            clauses.read(&table, self.schemas);
            table.finish();
        }
        debug_assert!(problems.is_empty(), "a ready envelope is in order: {}", problems.render(false));
        clauses
    }
}
