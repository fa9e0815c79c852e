//! From a request's path to its route: a tree of path segments, built once.

use http::Method;

use crate::contract::server::Route;

/// The routes of a server. A literal segment is preferred to an item's id.
#[derive(Debug)]
pub struct Router {
    nodes: Vec<Node>,
}

/// One place in the tree: what may follow it, and what ends there.
#[derive(Debug, Default)]
struct Node {
    literals: Vec<(Box<str>, usize)>,
    any: Option<usize>,
    ends: Vec<(Method, usize)>,
}

/// What was found at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'r> {
    /// The route, by its place in the file.
    Route(usize),
    /// The path is known, the method is not; what would be.
    OtherMethods(&'r [(Method, usize)]),
    /// The path is not known.
    Nowhere,
}

impl Router {
    /// A router; of two routes with the same request the first is reached.
    pub fn new(routes: &[Route]) -> Router {
        let mut router = Router { nodes: vec![Node::default()] };
        for (index, route) in routes.iter().enumerate() {
            let end = route.path.as_str().split('/').skip(1).fold(0, |node, segment| router.child(node, segment));
            router.nodes[end].ends.push((route.method.clone(), index));
        }
        router
    }

    fn child(&mut self, node: usize, segment: &str) -> usize {
        let next = self.nodes.len();
        let children = &mut self.nodes[node];
        let found = match segment.starts_with('{') {
            true => *children.any.get_or_insert(next),
            false => match children.literals.iter().find(|(literal, _)| **literal == *segment) {
                Some((_, child)) => *child,
                None => {
                    children.literals.push((segment.into(), next));
                    next
                }
            },
        };
        if found == next {
            self.nodes.push(Node::default());
        }
        found
    }

    /// The way of a request. `ids` is filled with the segments that stand for items. HEAD goes the way of GET.
    pub fn way<'p>(&self, method: &Method, path: &'p str, ids: &mut Vec<&'p str>) -> Way<'_> {
        let mut segments = path.split('/');
        if segments.next() != Some("") {
            return Way::Nowhere;
        }
        let Some(node) = self.descend(0, segments, ids) else { return Way::Nowhere };
        let ends = self.nodes[node].ends.as_slice();
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        match ends.iter().find(|(method, _)| method == wanted) {
            Some((_, route)) => Way::Route(*route),
            None => Way::OtherMethods(ends),
        }
    }

    fn descend<'p>(&self, node: usize, mut rest: std::str::Split<'p, char>, ids: &mut Vec<&'p str>) -> Option<usize> {
        let here = &self.nodes[node];
        let Some(segment) = rest.next() else { return (!here.ends.is_empty()).then_some(node) };
        let literal = here.literals.iter().find(|(literal, _)| **literal == *segment);
        if let Some(end) = literal.and_then(|(_, child)| self.descend(*child, rest.clone(), ids)) {
            return Some(end);
        }
        let child = here.any.filter(|_| !segment.is_empty())?;
        ids.push(segment);
        let end = self.descend(child, rest, ids);
        if end.is_none() {
            ids.pop();
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::server::{Act, Cost, Errors};
    use crate::wire::PathPattern;

    fn route(request: &str) -> Route {
        let (method, path) = request.split_once(' ').unwrap();
        Route {
            request: request.to_owned(),
            method: method.parse().unwrap(),
            path: PathPattern::new(path).unwrap(),
            service: None,
            items: Vec::new(),
            auth: false,
            role: None,
            limit: None,
            cost: Cost::Units(1),
            latency: None,
            max_body: None,
            body: Vec::new(),
            query: Vec::new(),
            act: Act::Answer { removes: None },
            status: 200,
            answer: None,
            text: String::new(),
            errors: Errors::default(),
        }
    }

    #[test]
    fn requests_find_their_route_and_the_ids_in_their_path() {
        let requests =
            ["GET /v1/things", "POST /v1/things", "POST /v1/things/sweep", "GET /v1/things/{thing}", "GET /v1/things/{thing}/parts/{part}"];
        let router = Router::new(&requests.map(route));
        let way = |method: Method, path| {
            let mut ids = Vec::new();
            match router.way(&method, path, &mut ids) {
                Way::Route(route) => format!("{} {}", requests[route], ids.join(",")),
                Way::OtherMethods(ends) => format!("{} other", ends.len()),
                Way::Nowhere => format!("nowhere {}", ids.join(",")),
            }
        };
        assert_eq!(way(Method::POST, "/v1/things"), "POST /v1/things ");
        assert_eq!(way(Method::HEAD, "/v1/things"), "GET /v1/things ");
        assert_eq!(way(Method::POST, "/v1/things/sweep"), "POST /v1/things/sweep ");
        assert_eq!(way(Method::GET, "/v1/things/7"), "GET /v1/things/{thing} 7");
        // A literal that leads nowhere gives way to an id of the same spelling.
        assert_eq!(way(Method::GET, "/v1/things/sweep/parts/9"), "GET /v1/things/{thing}/parts/{part} sweep,9");
        assert_eq!(way(Method::DELETE, "/v1/things"), "2 other");
        for path in ["/v1/things/", "/v1/things/7/parts", "/v1", "/", "", "v1/things", "//v1/things", "/v1/things/7/parts/9/x"] {
            assert_eq!(way(Method::GET, path), "nowhere ", "{path}");
        }
    }
}
