//! Where in an answer a value stands: a chain on the stack, written out only where something is wrong there.

use std::fmt;

/// Where in an answer a value stands, written by `Display` (`$.errors[].field`). Array indices and the names of free-form
/// members (`$.details.*`) are dropped, so that a thousand answers with one mistake name one place.
#[derive(Clone, Copy, Debug)]
pub struct InstancePath<'p> {
    up: Option<&'p InstancePath<'p>>,
    part: Part<'p>,
}

/// One step down.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'p> {
    Root,
    Member(&'p str),
    AnyMember,
    Item,
}

impl<'p> InstancePath<'p> {
    pub(super) const ROOT: InstancePath<'static> = InstancePath { up: None, part: Part::Root };

    pub(super) fn inside(&'p self, part: Part<'p>) -> InstancePath<'p> {
        InstancePath { up: Some(self), part }
    }

    pub(super) fn member(&'p self, name: &'p str) -> InstancePath<'p> {
        self.inside(Part::Member(name))
    }

    /// Steps from the root.
    pub(super) fn depth(&self) -> usize {
        std::iter::successors(self.up, |path| path.up).count()
    }
}

impl fmt::Display for InstancePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(up) = self.up {
            up.fmt(f)?;
        }
        match self.part {
            Part::Root => f.write_str("$"),
            Part::Member(name) => write!(f, ".{name}"),
            Part::AnyMember => f.write_str(".*"),
            Part::Item => f.write_str("[]"),
        }
    }
}
