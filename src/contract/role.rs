//! Members by their role, wherever in the body they stand: `$.code` in one API is `$.error.status` in another.

use crate::contract::json::Json;
use crate::contract::{Field, Kind, Role};

/// The first member with a role, in file order, those inside objects included. (Members of an array's items have no one
/// value.)
pub(super) fn of(fields: &[Field], role: Role) -> Option<&Field> {
    find(fields, &|field| field.role == Some(role))
}

/// The first member that fits, in file order, those inside objects included.
pub(super) fn find<'c>(fields: &'c [Field], fits: &impl Fn(&Field) -> bool) -> Option<&'c Field> {
    fields.iter().find_map(|field| if fits(field) { Some(field) } else { find(inside(field), fits) })
}

/// What a body says for one of these members.
pub(super) fn value<'d>(fields: &[Field], member: &Field, body: Json<'d>) -> Option<Json<'d>> {
    fields.iter().find_map(|field| match std::ptr::eq(field, member) {
        true => body.get(&field.name),
        false if inside(field).is_empty() => None,
        false => value(&field.fields, member, body.get(&field.name)?),
    })
}

/// Where one of these members stands: `$.error.code`.
pub(super) fn path(fields: &[Field], member: &Field) -> String {
    place(fields, member).unwrap_or_default().iter().fold("$".to_owned(), |path, name| path + "." + name)
}

/// The names on the way to the error code.
pub(super) fn code_place(fields: &[Field]) -> Option<Vec<String>> {
    let names = place(fields, of(fields, Role::Code)?)?;
    Some(names.into_iter().map(str::to_owned).collect())
}

/// The names on the way to one of these members.
fn place<'c>(fields: &'c [Field], member: &Field) -> Option<Vec<&'c str>> {
    fields.iter().find_map(|field| {
        let below = if std::ptr::eq(field, member) { Vec::new() } else { place(inside(field), member)? };
        Some(std::iter::once(field.name.as_str()).chain(below).collect())
    })
}

fn inside(field: &Field) -> &[Field] {
    if field.kind == Kind::Object { &field.fields } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_own_word() {
        for (place, (word, role)) in Role::WORDS.into_iter().enumerate() {
            assert_eq!((role as usize, role.word()), (place, word));
        }
    }
}
