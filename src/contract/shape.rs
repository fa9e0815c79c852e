//! The shape of a JSON body: which members it has, and of what types. Two answers of one shape can be read by one client.
//!
//! A shape is a set of path and type, array indices dropped and values ignored. Names of free-form maps count as any
//! others do: a service that invents members for every answer has many shapes. What is beyond the bounds of
//! [`Document`](crate::contract::json::Document) does not count.

use std::fmt::Write as _;

use crate::contract::json::Json;

/// Bytes of a shape in words, at most.
const LONGEST: usize = 1024;

/// A shape, as a hash: the same in every run and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub u64);

impl Shape {
    /// The shape of a value.
    pub fn of(json: Json<'_>) -> Shape {
        let mut places = Places { len: 0, first: [0; INLINE], all: Vec::new() };
        places.add(json, Place::ROOT);
        places.shape()
    }
}

/// A shape for people: `$.code: string, $.errors[].field: string`, sorted; long ones are cut.
pub fn words(json: Json<'_>) -> String {
    let (mut places, mut path) = (Vec::new(), "$".to_owned());
    spell(json, &mut path, &mut places);
    places.sort_unstable();
    places.dedup();
    let mut words = places.join(", ");
    if words.len() > LONGEST {
        let cut = (0..=LONGEST).rev().find(|&at| words.is_char_boundary(at)).unwrap_or(0);
        words.truncate(cut);
        words.push('…');
    }
    words
}

fn spell(json: Json<'_>, path: &mut String, places: &mut Vec<String>) {
    let above = path.len();
    let mut inside = false;
    match json {
        Json::Object(members) => {
            for (name, value) in members.iter() {
                inside = true;
                let _ = write!(path, ".{}", name.escape_debug());
                spell(value, path, places);
                path.truncate(above);
            }
        }
        Json::Array(items) => {
            path.push_str("[]");
            for item in items.iter() {
                inside = true;
                spell(item, path, places);
            }
            path.truncate(above);
        }
        _ => {}
    }
    if !inside {
        places.push(format!("{path}: {}", json.type_word()));
    }
}

/// The hash of a path. FNV-1a, 64 bits (Fowler, Noll, Vo), so that the hash of a member is that of its object, continued.
#[derive(Clone, Copy)]
struct Place(u64);

impl Place {
    const ROOT: Place = Place(0xcbf2_9ce4_8422_2325);

    fn eat(self, bytes: &[u8]) -> Place {
        Place(bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn member(self, name: &str) -> Place {
        self.eat(b".").eat(name.as_bytes())
    }

    fn items(self) -> Place {
        self.eat(b"[")
    }

    /// A separator that no UTF-8 text holds, and the type.
    fn of_type(self, json: Json<'_>) -> u64 {
        self.eat(&[0xff, json.type_word().as_bytes()[0], json.type_word().as_bytes()[1]]).0
    }
}

/// Places that need no allocation.
const INLINE: usize = 48;

/// The places of one shape, in any order, with repetitions.
struct Places {
    len: usize,
    first: [u64; INLINE],
    /// All of them, where they are more than that.
    all: Vec<u64>,
}

impl Places {
    fn add(&mut self, json: Json<'_>, at: Place) {
        self.push(at.of_type(json));
        match json {
            Json::Object(members) => members.iter().for_each(|(name, value)| self.add(value, at.member(name))),
            Json::Array(items) => items.iter().for_each(|item| self.add(item, at.items())),
            _ => {}
        }
    }

    fn push(&mut self, hash: u64) {
        if let Some(free) = self.first.get_mut(self.len) {
            *free = hash;
        } else {
            if self.all.is_empty() {
                self.all.extend_from_slice(&self.first);
            }
            self.all.push(hash);
        }
        self.len += 1;
    }

    /// The sum of all hashes, each once: it does not depend on their order.
    fn shape(mut self) -> Shape {
        let hashes = if self.all.is_empty() { &mut self.first[..self.len] } else { self.all.as_mut_slice() };
        hashes.sort_unstable();
        let distinct = hashes.chunk_by(|a, b| a == b).map(|same| same[0]);
        Shape(distinct.fold(0, u64::wrapping_add))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::Document;

    fn shape(text: &str) -> (Shape, String) {
        let document = Document::read(text.as_bytes()).expect("JSON");
        (Shape::of(document.value()), words(document.value()))
    }

    #[test]
    fn values_order_and_the_number_of_items_are_no_part_of_a_shape() {
        let of = |text| shape(text).0;
        let first = of(r#"{"code":"A","n":1,"errors":[{"field":"a"}]}"#);
        for same in [
            r#"{"n":2.5,"errors":[{"field":"b"}],"code":""}"#,
            r#"{"code":"A","n":1,"errors":[{"field":"a"},{"field":"b"},{"field":"c"}]}"#,
        ] {
            assert_eq!(of(same), first, "{same}");
        }
        for other in [
            r#"{"code":"A","n":1,"errors":[]}"#,
            r#"{"code":"A","n":1,"errors":["a"]}"#,
            r#"{"code":"A","n":1,"errors":[{"field":"a"},{"field":1}]}"#,
            r#"{"code":"A","n":"1","errors":[{"field":"a"}]}"#,
            r#"{"code":null,"n":1,"errors":[{"field":"a"}]}"#,
            r#"{"code":"A","n":1,"errors":{"field":"a"}}"#,
            r#"{"code":"A","n":1,"errors":[{"field":"a"}],"more":{}}"#,
            r#"{"code":"A","n":1}"#,
        ] {
            assert_ne!(of(other), first, "{other}");
        }
        assert_ne!(of(r#"{"a":{"b":1}}"#), of(r#"{"a.b":1}"#), "the object itself counts");
    }

    #[test]
    fn a_shape_in_words_is_sorted_and_bounded() {
        assert_eq!(
            shape(r#"{"z":1,"errors":[{"f":"a","m":null},{"f":true}],"d":{},"l":[]}"#).1,
            "$.d: object, $.errors[].f: boolean, $.errors[].f: string, $.errors[].m: null, $.l: array, $.z: number"
        );
        assert_eq!(shape("3").1, "$: number");
        let many: String = (0..200).map(|k| format!("\"été{k}\":{k},")).collect();
        let long = shape(&format!("{{{many}\"z\\n\":1}}")).1;
        assert!(long.len() <= LONGEST + 3 && long.ends_with('…'));
    }
}
