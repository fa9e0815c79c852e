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
    /// Declares a value; `name` is shown in its place as `$NAME`.
    pub fn declare(&mut self, name: &str, value: &str) {
        if value.len() >= SHORTEST {
            let shown = format!("${}", name.to_uppercase().replace('-', "_"));
            self.values.push((value.to_owned(), shown));
            // Longest first, so that a secret that contains another is masked whole.
            self.values.sort_by_key(|(value, _)| std::cmp::Reverse(value.len()));
        }
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

    /// The value of a header, masked; one that carries credentials is replaced whole, except for its scheme.
    pub fn mask_header<'t>(&self, name: &str, value: &'t str) -> Cow<'t, str> {
        if !CREDENTIAL_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return self.mask(value);
        }
        match (self.mask(value), value.split_once(' ')) {
            (Cow::Owned(masked), _) => Cow::Owned(masked),
            (_, Some((scheme, _))) => Cow::Owned(format!("{scheme} $TOKEN")),
            _ => Cow::Borrowed("$SECRET"),
        }
    }
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
    fn a_secret_within_a_longer_secret_leaves_no_remainder() {
        let mut secrets = Secrets::default();
        secrets.declare("short", "abcd");
        secrets.declare("long", "abcdefgh");
        assert_eq!(secrets.mask("abcdefgh"), "$LONG");
    }
}
