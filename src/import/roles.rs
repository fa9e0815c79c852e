//! What a member or a header is for, guessed from its name; whoever reviews the contract confirms it.

use super::fields::Field;
use crate::contract::Role;

/// Names of members by role, letters and digits only, the likeliest first.
const MEMBERS: [(Role, &[&str], &[&str]); 5] = [
    (Role::Code, &["code", "errorcode", "errcode", "errorname"], &["string"]),
    (Role::Message, &["message", "errormessage", "msg", "detail", "errordescription", "description", "title"], &["string"]),
    (Role::RequestId, &["requestid", "traceid", "correlationid"], &["string"]),
    (Role::Timestamp, &["timestamp"], &["string"]),
    (Role::RetryAfter, &["retryafter", "retryafterseconds"], &["integer", "number"]),
];

/// Names of headers by role.
const HEADERS: [(Role, &[&str]); 5] = [
    (Role::RetryAfter, &["retryafter"]),
    (Role::Limit, &["xratelimitlimit", "ratelimitlimit"]),
    (Role::Remaining, &["xratelimitremaining", "ratelimitremaining"]),
    (Role::Reset, &["xratelimitreset", "ratelimitreset"]),
    (Role::RequestId, &["xrequestid", "requestid", "xcorrelationid", "xtraceid"]),
];

/// Gives roles to members: each role once, on the outermost level first, then inside the only object named `error`.
pub(super) fn guess(fields: &mut [Field]) {
    for (role, names, kinds) in MEMBERS {
        let fits = |field: &Field, name: &str| letters(&field.name) == name && (kinds.contains(&field.kind) || field.kind == "any");
        let has = |fields: &[Field]| names.iter().find_map(|name| fields.iter().position(|field| fits(field, name)));
        if let Some(at) = has(fields) {
            fields[at].role = Some(role);
            continue;
        }
        let Some(inner) = fields.iter_mut().find(|field| field.name == "error" && field.kind == "object") else { continue };
        if let Some(at) = has(&inner.fields) {
            inner.fields[at].role = Some(role);
        }
    }
}

/// Gives the role of the code to a member of another usual name where its values are enumerated: it tells errors apart
/// then. `words` counts the values at a path.
pub(super) fn guess_code(fields: &mut [Field], words: impl Fn(&[String]) -> usize) {
    const NAMES: [&str; 5] = ["type", "reason", "status", "error", "name"];
    if path_of(fields, Role::Code).is_some() {
        return;
    }
    let fits = |field: &Field, name: &str, above: &[String], least: usize| {
        let path: Vec<String> = above.iter().cloned().chain([field.name.clone()]).collect();
        field.name == name && field.role.is_none() && matches!(field.kind, "string" | "any") && words(&path) >= least
    };
    let above = ["error".to_owned()];
    let inner = fields.iter().position(|field| field.name == "error" && field.kind == "object");
    for name in NAMES {
        if let Some(at) = inner
            && let Some(code) = fields[at].fields.iter_mut().find(|field| fits(field, name, &above, 1))
        {
            code.role = Some(Role::Code);
            return;
        }
        // On the outermost level one value alone says `error`, and not which.
        if let Some(code) = fields.iter_mut().find(|field| fits(field, name, &[], 2)) {
            code.role = Some(Role::Code);
            return;
        }
    }
}

/// The path of the member that has a role.
pub(super) fn path_of(fields: &[Field], role: Role) -> Option<Vec<String>> {
    fields.iter().find_map(|field| match field.role {
        Some(own) if own == role => Some(vec![field.name.clone()]),
        _ => path_of(&field.fields, role).map(|mut inner| {
            inner.insert(0, field.name.clone());
            inner
        }),
    })
}

/// The role of a header.
pub(super) fn of_header(name: &str) -> Option<Role> {
    HEADERS.into_iter().find(|(_, names)| names.contains(&letters(name).as_str())).map(|(role, _)| role)
}

/// The unit of a reset, where its description says it.
pub(super) fn reset_unit(description: &str) -> Option<&'static str> {
    let said = description.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let millis = says(&["millisecond"]);
    match says(&["epoch", "unix"]) {
        true if millis => Some("epoch-millis"),
        true => Some("epoch-seconds"),
        false
            if !millis
                && says(&[
                    "seconds until",
                    "seconds before",
                    "seconds left",
                    "seconds remaining",
                    "number of seconds",
                    "remaining seconds",
                ]) =>
        {
            Some("delta-seconds")
        }
        false => None,
    }
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_is_given_once_and_the_outermost_first() {
        let inner = vec![Field::new("code", "string"), Field::new("traceId", "string")];
        let mut fields =
            vec![Field { fields: inner, ..Field::new("error", "object") }, Field::new("detail", "string"), Field::new("message", "string")];
        guess(&mut fields);
        assert_eq!(path_of(&fields, Role::Code), Some(vec!["error".to_owned(), "code".to_owned()]));
        assert_eq!(path_of(&fields, Role::Message), Some(vec!["message".to_owned()]));
        assert_eq!(path_of(&fields, Role::RequestId), Some(vec!["error".to_owned(), "traceId".to_owned()]));
        let mut numbers = vec![Field::new("code", "integer")];
        guess(&mut numbers);
        assert_eq!(path_of(&numbers, Role::Code), None, "a number is no code");
    }

    #[test]
    fn an_enumerated_member_is_the_code_where_no_other_is() {
        let fields = || {
            let inner = vec![Field::new("message", "string"), Field::new("type", "string")];
            vec![Field { fields: inner, ..Field::new("error", "object") }, Field::new("type", "string")]
        };
        let mut enumerated = fields();
        guess_code(&mut enumerated, |path| if path.len() == 2 { 3 } else { 1 });
        assert_eq!(path_of(&enumerated, Role::Code), Some(vec!["error".to_owned(), "type".to_owned()]));
        let mut free = fields();
        guess_code(&mut free, |_| 0);
        assert_eq!(path_of(&free, Role::Code), None);
    }

    #[test]
    fn headers_have_roles_by_their_names() {
        for (name, role) in [("Retry-After", Role::RetryAfter), ("X-Rate-Limit-Limit", Role::Limit), ("RateLimit-Reset", Role::Reset)] {
            assert_eq!(of_header(name), Some(role), "{name}");
        }
        assert_eq!(of_header("Link"), None);
        assert_eq!(reset_unit("Unix epoch seconds"), Some("epoch-seconds"));
        assert_eq!(reset_unit("The number of seconds until the window resets"), Some("delta-seconds"));
        assert_eq!(reset_unit("when the window resets"), None);
    }
}
