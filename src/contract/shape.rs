//! The shape of a JSON body: which members it has, and of what types. Two answers of one shape can be read by one client.
//!
//! A shape is a set of path and type, array indices dropped and values ignored. Names of free-form maps count as any
//! others do: a service that invents members for every answer has many shapes. What is beyond the bounds of
//! [`Document`](crate::contract::json::Document) does not count.

use std::fmt::Write as _;

use crate::contract::json::Json;

/// Bytes of a shape in words, at most.
const LONGEST: usize = 1024;
/// Places that need no allocation.
const FEW: usize = 48;

/// A shape, as a hash: the same in every run and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape(pub u64);

impl Shape {
    /// The sum of the hashes of all places and types, which does not depend on their order.
    pub(super) fn of_distinct(places: impl Iterator<Item = u64>) -> Shape {
        Shape(places.fold(0, u64::wrapping_add))
    }

    /// The same where places may be there again, as those in items of an array are: each counts once.
    pub(super) fn of_repeated(places: impl Iterator<Item = u64>) -> Shape {
        let mut few = [0; FEW];
        let mut many = Vec::new();
        let mut len = 0;
        for place in places {
            match few.get_mut(len) {
                Some(free) => *free = place,
                None => many.push(place),
            }
            len += 1;
        }
        let hashes = if many.is_empty() {
            &mut few[..len]
        } else {
            many.extend_from_slice(&few);
            many.as_mut_slice()
        };
        hashes.sort_unstable();
        Shape::of_distinct(hashes.chunk_by(|a, b| a == b).map(|same| same[0]))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::json::Document;

    fn shape(text: &str) -> (Shape, String) {
        let document = Document::read(text.as_bytes()).expect("JSON");
        (document.shape(), words(document.value()))
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
