//! Which requests a rule looks at.

use http::{HeaderMap, Method};

use super::Matcher;
use crate::id::ScenarioIx;

impl Matcher {
    /// Whether everything the matcher asks for holds; one that asks for nothing matches everything.
    ///
    /// `path` is without its query. Of a repeated header, any one value may be the one that fits.
    pub fn matches(&self, scenario: ScenarioIx, method: &Method, path: &str, headers: &HeaderMap) -> bool {
        (self.methods.is_empty() || self.methods.contains(method))
            && (self.scenarios.is_empty() || self.scenarios.contains(&scenario))
            && self.path.as_ref().is_none_or(|pattern| pattern.matches(path))
            && self.headers.iter().all(|(name, glob)| headers.get_all(name).iter().any(|value| fits(glob.as_bytes(), value.as_bytes())))
    }
}

/// Whether `text` fits `glob`, in which `*` stands for any run of bytes, none included.
///
/// The last `*` seen is the only one worth going back to: time is at most the product of the two lengths.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if glob.get(g) == Some(&b'*') {
            star = Some((g, t));
            g += 1;
        } else if glob.get(g) == Some(&text[t]) {
            (g, t) = (g + 1, t + 1);
        } else if let Some((after, taken)) = star {
            star = Some((after, taken + 1));
            (g, t) = (after + 1, taken + 1);
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::PathPattern;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn a_glob_fits_whole_values_only() {
        for (glob, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("Bearer *", "Bearer abc", true),
            ("Bearer *", "Basic abc", false),
            ("*json", "application/json", true),
            ("*json", "application/json; charset=utf-8", false),
            ("*json*", "application/json; charset=utf-8", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a**c", "ac", true),
        ] {
            assert_eq!(fits(glob.as_bytes(), text.as_bytes()), expected, "{glob} against {text}");
        }
    }

    #[test]
    fn a_glob_of_many_stars_does_not_explode() {
        assert!(!fits("*a".repeat(40).as_bytes(), "b".repeat(20_000).as_bytes()));
    }

    #[test]
    fn everything_asked_for_must_hold() {
        let matcher = Matcher {
            methods: vec![Method::POST, Method::PUT],
            path: Some(PathPattern::new("/v1/chat/**").expect("a pattern")),
            headers: vec![(http::header::ACCEPT, "*json*".into()), (http::HeaderName::from_static("x-team"), "blue".into())],
            scenarios: vec![ScenarioIx(1)],
        };
        let blue = headers(&[("accept", "application/json"), ("x-team", "blue")]);
        let red = headers(&[("accept", "application/json"), ("x-team", "red")]);
        for (scenario, method, path, headers, expected, why) in [
            (1, Method::POST, "/v1/chat/completions", &blue, true, "all hold"),
            (1, Method::PUT, "/v1/chat/completions", &blue, true, "the other method"),
            (0, Method::POST, "/v1/chat/completions", &blue, false, "another scenario"),
            (1, Method::GET, "/v1/chat/completions", &blue, false, "another method"),
            (1, Method::POST, "/v1/models", &blue, false, "another path"),
            (1, Method::POST, "/v1/chat/completions", &red, false, "another value"),
            (1, Method::POST, "/v1/chat/completions", &headers(&[("x-team", "blue")]), false, "a header missing"),
        ] {
            assert_eq!(matcher.matches(ScenarioIx(scenario), &method, path, headers), expected, "{why}");
        }
        assert!(Matcher::default().matches(ScenarioIx(9), &Method::GET, "/", &HeaderMap::new()), "nothing asked for");
    }

    #[test]
    fn any_value_of_a_repeated_header_may_fit() {
        let matcher = Matcher { headers: vec![(http::HeaderName::from_static("x-tag"), "b*".into())], ..Matcher::default() };
        assert!(matcher.matches(ScenarioIx(0), &Method::GET, "/", &headers(&[("x-tag", "alpha"), ("x-tag", "beta")])));
    }
}
