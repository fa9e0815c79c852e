//! The route of a request: its method and its path, without the parts that name one thing among many.

use std::collections::HashMap;
use std::fmt::Write;

use http::Method;

use super::digest::Digest;

/// Routes told apart at most; what comes after them is one route together.
pub const MOST_ROUTES: usize = 256;

/// A route, by the order of its first appearance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteIx(pub u16);

/// The routes seen so far, each with the number of exchanges that began on it.
#[derive(Debug, Default)]
pub struct Routes {
    known: HashMap<u64, RouteIx>,
    listed: Vec<Route>,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// `GET /v1/conversations/{id}`
    pub name: String,
    /// The same in every session: what draws are keyed by.
    pub key: u64,
    /// Exchanges that began on it.
    pub exchanges: u64,
}

impl Routes {
    /// The route of a request; where the table is full, the last one, which stands for all others.
    pub fn of(&mut self, method: &Method, path: &str) -> RouteIx {
        let key = key(method, path);
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.listed.len() >= MOST_ROUTES {
            return RouteIx(MOST_ROUTES as u16 - 1);
        }
        let last = self.listed.len() + 1 == MOST_ROUTES;
        let name = if last { "other routes".to_owned() } else { name(method, path) };
        let route = RouteIx(self.listed.len() as u16);
        if !last {
            self.known.insert(key, route);
        }
        self.listed.push(Route { name, key: if last { 0 } else { key }, exchanges: 0 });
        route
    }

    /// Counts an exchange that begins; its number within the route, from 0, and the route's key.
    pub(super) fn begin(&mut self, route: RouteIx) -> (u64, u64) {
        let route = &mut self.listed[usize::from(route.0)];
        route.exchanges += 1;
        (route.exchanges - 1, route.key)
    }

    /// All routes in the order of their first appearance.
    pub fn all(&self) -> &[Route] {
        &self.listed
    }
}

fn key(method: &Method, path: &str) -> u64 {
    let start = Digest::new(b'r').with(method.as_str().as_bytes());
    path.split('/').fold(start, |digest, segment| digest.with(if names_one(segment) { b"{id}" } else { segment.as_bytes() })).finish()
}

fn name(method: &Method, path: &str) -> String {
    let mut name = method.as_str().to_owned();
    for (index, segment) in path.split('/').enumerate() {
        let segment = if names_one(segment) { "{id}" } else { segment };
        let _ = write!(name, "{}{segment}", if index == 0 { " " } else { "/" });
    }
    if name.len() > 200 {
        let end = (0..=200).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        name.truncate(end);
        name.push('…');
    }
    name
}

/// Whether a segment looks like the identifier of one thing: a number, a UUID, or a long run of hex digits or of
/// letters with digits among them (`conv_01J9Z4M8`).
fn names_one(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let plain = !bytes.is_empty() && bytes.iter().all(word);
    let hex = bytes.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    plain && (digits == bytes.len() || (hex && bytes.len() >= 8 && digits > 0) || (bytes.len() >= 10 && digits >= 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_one_thing_is_no_part_of_the_route() {
        for (path, expected) in [
            ("/v1/models", "GET /v1/models"),
            ("/v1/conversations/42", "GET /v1/conversations/{id}"),
            ("/v1/conversations/018f2e2a-7c11-7d3a-9f57-1a2b3c4d5e6f/items", "GET /v1/conversations/{id}/items"),
            ("/v1/conversations/conv_01J9Z4M8QK", "GET /v1/conversations/{id}"),
            ("/v1/models/llama-3.1-8b-instruct", "GET /v1/models/llama-3.1-8b-instruct"),
            ("/", "GET /"),
            ("/a//b", "GET /a//b"),
        ] {
            let mut routes = Routes::default();
            let route = routes.of(&Method::GET, path);
            assert_eq!(routes.all()[usize::from(route.0)].name, expected, "{path}");
        }
        let mut routes = Routes::default();
        assert_eq!(routes.of(&Method::GET, "/c/1"), routes.of(&Method::GET, "/c/2"));
        assert_ne!(routes.of(&Method::GET, "/c/1"), routes.of(&Method::POST, "/c/1"));
    }

    #[test]
    fn memory_does_not_grow_with_the_paths_a_client_makes_up() {
        let mut routes = Routes::default();
        for n in 0..10_000 {
            routes.of(&Method::GET, &format!("/x{}", "y".repeat(n % 400)));
        }
        assert_eq!(routes.all().len(), MOST_ROUTES);
        assert_eq!(routes.all().last().map(|route| route.name.as_str()), Some("other routes"));
    }
}
