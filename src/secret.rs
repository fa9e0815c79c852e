//! Values that must never be seen again: masked wherever a report, a log or a curl line could show them.
//!
//! A value is secret because the plan declares it (`secret = true`) or because it stood in a header that
//! carries credentials by its nature. Masking replaces the value by the variable's name, `$TOKEN`, so that a
//! curl line stays usable by someone who has the secret.

use std::borrow::Cow;

/// Header fields whose whole value is a credential, in lower case.
const CREDENTIAL_HEADERS: [&str; 7] =
    ["authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-auth-token"];

/// Values shorter than this are not searched for in text: masking every `a` would hide the report, not the secret.
const SHORTEST: usize = 4;

/// The secrets of one run.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    values: Vec<(String, String)>,
}

impl Secrets {
    /// Declares a value; `name` is shown in its place as `$NAME`, also where it stands escaped in a URL or in JSON.
    pub fn declare(&mut self, name: &str, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        let shown = format!("${}", name.to_uppercase().replace('-', "_"));
        for form in [Some(value.to_owned()), Some(in_a_url(value)), in_json(value)].into_iter().flatten() {
            if self.values.iter().all(|(known, _)| *known != form) {
                self.values.push((form, shown.clone()));
            }
        }
        // Longest first, so that a secret that contains another is masked whole.
        self.values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
    }

    /// The declared values, longest first, for checks that look for them in answers.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(value, _)| value.as_str())
    }

    /// The text with every secret replaced by its name.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.values
            .iter()
            .filter(|(value, _)| text.contains(value))
            .fold(Cow::Borrowed(text), |text, (value, shown)| Cow::Owned(text.replace(value, shown)))
    }

    /// The part of a header's value that must not be shown; empty where the header carries no credentials.
    pub fn credential<'t>(name: &str, value: &'t str) -> &'t str {
        match value.split_once(' ').filter(|_| name.ends_with("authorization")) {
            _ if !CREDENTIAL_HEADERS.contains(&name) => "",
            Some((_, credential)) => credential,
            None => value,
        }
    }

    /// The value of a header, masked; one that carries credentials is replaced whole, except for its scheme.
    ///
    /// What a declared secret leaves of a credential is replaced too: a cookie beside it is one as well.
    pub fn mask_header<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        let name = name.to_ascii_lowercase();
        if !CREDENTIAL_HEADERS.contains(&name.as_str()) {
            return self.mask(value);
        }
        if let Some((_, shown)) = self.values.iter().find(|(declared, _)| declared == value) {
            return Cow::Owned(shown.clone());
        }
        // Only these begin with a scheme (RFC 9110 §11.4); the first word of a cookie is a credential itself.
        match value.split_once(' ').filter(|_| name.ends_with("authorization")) {
            Some((scheme, credential)) => {
                let declared = self.values.iter().find(|(declared, _)| declared == credential);
                Cow::Owned(format!("{} {}", self.mask(scheme), declared.map_or("$TOKEN", |(_, shown)| shown)))
            }
            None => Cow::Borrowed("$SECRET"),
        }
    }
}

/// The value as it stands in a path or query: everything but unreserved characters percent-encoded (RFC 3986 §2.3).
fn in_a_url(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The value as it stands inside a JSON or TOML string.
fn in_json(value: &str) -> Option<String> {
    let quoted = serde_json::to_string(value).ok()?;
    Some(quoted[1..quoted.len() - 1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declared_secret_is_replaced_by_its_name_wherever_it_stands() {
        let mut secrets = Secrets::default();
        secrets.declare("token", "s3cr3t-value");
        assert_eq!(secrets.mask("a s3cr3t-value b"), "a $TOKEN b");
        assert_eq!(secrets.mask_header("X-Custom", "s3cr3t-value"), "$TOKEN");
        assert_eq!(secrets.mask_header("Authorization", "Bearer s3cr3t-value"), "Bearer $TOKEN");
    }

    #[test]
    fn a_credential_header_is_masked_even_when_nobody_declared_it() {
        assert_eq!(Secrets::default().mask_header("authorization", "Basic dTpw"), "Basic $TOKEN");
        assert_eq!(Secrets::default().mask_header("Cookie", "sid=1"), "$SECRET");
        assert_eq!(Secrets::default().mask_header("accept", "text/html"), "text/html");
    }

    #[test]
    fn of_a_credential_header_nothing_is_shown_but_its_scheme() {
        let mut secrets = Secrets::default();
        secrets.declare("key", "s3cr3t-value");
        assert_eq!(secrets.mask_header("Cookie", "sid=4711; theme=dark"), "$SECRET");
        assert_eq!(secrets.mask_header("Set-Cookie", "sid=4711; Path=/; HttpOnly"), "$SECRET");
        assert_eq!(secrets.mask_header("X-Api-Key", "first second"), "$SECRET");
        assert_eq!(secrets.mask_header("X-Api-Key", "s3cr3t-value"), "$KEY");
        assert_eq!(secrets.mask_header("Cookie", "key=s3cr3t-value; sid=4711"), "$SECRET");
        assert_eq!(secrets.mask_header("Authorization", "Token s3cr3t-value:4711"), "Token $TOKEN");
    }

    #[test]
    fn a_secret_is_masked_where_it_stands_escaped() {
        let mut secrets = Secrets::default();
        secrets.declare("key", r#"p/w "x""#);
        assert_eq!(secrets.mask("/login?key=p%2Fw%20%22x%22&a=1"), "/login?key=$KEY&a=1");
        assert_eq!(secrets.mask(r#"{"key":"p/w \"x\""}"#), r#"{"key":"$KEY"}"#);
    }

    #[test]
    fn a_secret_within_a_longer_secret_leaves_no_remainder() {
        let mut secrets = Secrets::default();
        secrets.declare("short", "abcd");
        secrets.declare("long", "abcdefgh");
        assert_eq!(secrets.mask("abcdefgh"), "$LONG");
    }
}
