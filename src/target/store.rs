//! What the server keeps: the items of its resources, bounded in number and size.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use serde_json::{Map, Value as Json};

use crate::contract::server::Resource;

/// Bytes that the items of one resource hold at most, roughly; the oldest goes first. The number of items has its
/// own limit, `keep`.
const LARGEST_SHELF: usize = 16 * 1024 * 1024;

/// The owner of what belongs to everyone.
pub const EVERYONE: u32 = u32::MAX;
/// The enclosing item of what is not enclosed.
pub const NOWHERE: u64 = 0;

/// One item.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its members, the `id` among them.
    pub members: Map<String, Json>,
    pub owner: u32,
    /// The number of the item it is a part of.
    pub parent: u64,
    /// Bytes of an upload, counted against its owner's quota.
    pub uploaded: u64,
    weight: usize,
}

/// All items of all resources.
#[derive(Debug)]
pub struct Store {
    shelves: Vec<Shelf>,
    next: u64,
}

/// The items of one resource, by number: a lower number is older.
#[derive(Debug, Default)]
struct Shelf {
    items: BTreeMap<u64, Item>,
    ids: HashMap<String, u64>,
    /// (parent, owner, number): the order of lists.
    groups: BTreeSet<(u64, u32, u64)>,
    /// Values that may not repeat, with the item that has them.
    taken: HashMap<String, u64>,
    uploaded: HashMap<u32, u64>,
    weight: usize,
    /// Items below this number were there from the start and are never pushed out.
    founding: u64,
    unique: Vec<String>,
    keep: usize,
    within: Option<usize>,
}

/// A value that may not repeat, and does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The member that has it.
    pub member: String,
}

impl Store {
    /// The store as it is at the start.
    pub fn new(resources: &[Resource]) -> Store {
        let shelf = |resource: &Resource| Shelf {
            unique: resource.unique.clone(),
            keep: resource.keep,
            within: resource.within,
            ..Shelf::default()
        };
        let mut store = Store { shelves: resources.iter().map(shelf).collect(), next: 1 };
        for (index, resource) in resources.iter().enumerate() {
            for item in &resource.items {
                let mut members = resource.also.clone();
                members.extend(item.clone());
                // Two of them that repeat a unique value are the file's own doing: the first stays.
                let _ = store.add(index, members, EVERYONE, NOWHERE, 0);
            }
        }
        for shelf in &mut store.shelves {
            shelf.founding = store.next;
        }
        store
    }

    /// An item by its number.
    pub fn item(&self, resource: usize, number: u64) -> Option<&Item> {
        self.shelves.get(resource)?.items.get(&number)
    }

    /// The number of the item with this id.
    pub fn number(&self, resource: usize, id: &str) -> Option<u64> {
        self.shelves.get(resource)?.ids.get(id).copied()
    }

    /// Puts an item in its place and answers its number; the oldest makes room.
    ///
    /// # Errors
    /// Where a value repeats that may not, or the id does.
    pub fn add(&mut self, resource: usize, members: Map<String, Json>, owner: u32, parent: u64, uploaded: u64) -> Result<u64, Taken> {
        let number = self.next;
        let shelf = &mut self.shelves[resource];
        let id = id_of(&members);
        if shelf.ids.contains_key(&id) {
            return Err(Taken { member: "id".to_owned() });
        }
        shelf.free(&members, owner, parent, number)?;
        shelf.claim(&members, owner, parent, number);
        let weight = weigh_members(&members);
        shelf.ids.insert(id, number);
        shelf.groups.insert((parent, owner, number));
        shelf.weight += weight;
        if uploaded > 0 {
            *shelf.uploaded.entry(owner).or_default() += uploaded;
        }
        shelf.items.insert(number, Item { members, owner, parent, uploaded, weight });
        self.next += 1;
        while let Some(oldest) = self.shelves[resource].to_push_out() {
            self.remove(resource, oldest);
        }
        Ok(number)
    }

    /// Changes members of an item; those that are not named stay.
    ///
    /// # Errors
    /// Where a value repeats that may not; nothing is changed then.
    pub fn change(&mut self, resource: usize, number: u64, members: Map<String, Json>) -> Result<(), Taken> {
        let shelf = &mut self.shelves[resource];
        let Some(item) = shelf.items.get(&number) else { return Ok(()) };
        let (owner, parent, old) = (item.owner, item.parent, item.weight);
        let mut changed = item.members.clone();
        changed.extend(members);
        shelf.free(&changed, owner, parent, number)?;
        shelf.release(number);
        shelf.claim(&changed, owner, parent, number);
        let weight = weigh_members(&changed);
        shelf.weight = (shelf.weight + weight).saturating_sub(old);
        if let Some(item) = shelf.items.get_mut(&number) {
            (item.members, item.weight) = (changed, weight);
        }
        Ok(())
    }

    /// Takes an item away, and everything that is a part of it.
    pub fn remove(&mut self, resource: usize, number: u64) {
        if !self.shelves[resource].remove(number) {
            return;
        }
        for inner in 0..self.shelves.len() {
            if self.shelves[inner].within == Some(resource) {
                let parts: Vec<u64> = self.shelves[inner].groups.range((number, 0, 0)..(number + 1, 0, 0)).map(|group| group.2).collect();
                for part in parts {
                    self.remove(inner, part);
                }
            }
        }
    }

    /// The numbers of a list, oldest first, that come after a number.
    pub fn list(&self, resource: usize, parent: u64, owner: u32, after: u64) -> impl Iterator<Item = u64> + '_ {
        let range = (Bound::Excluded((parent, owner, after)), Bound::Included((parent, owner, u64::MAX)));
        self.shelves[resource].groups.range(range).map(|group| group.2)
    }

    /// Bytes that an owner's uploads hold.
    pub fn uploaded(&self, resource: usize, owner: u32) -> u64 {
        self.shelves[resource].uploaded.get(&owner).copied().unwrap_or(0)
    }
}

impl Shelf {
    fn to_push_out(&self) -> Option<u64> {
        let full = self.items.len() > self.keep || self.weight > LARGEST_SHELF;
        // The newest stays even if it alone is too heavy: it was just answered for.
        (full && self.items.len() > 1).then(|| self.items.range(self.founding..).next().map(|(number, _)| *number)).flatten()
    }

    fn remove(&mut self, number: u64) -> bool {
        self.release(number);
        let Some(item) = self.items.remove(&number) else { return false };
        self.ids.remove(&id_of(&item.members));
        self.groups.remove(&(item.parent, item.owner, number));
        self.weight = self.weight.saturating_sub(item.weight);
        if let Some(uploaded) = self.uploaded.get_mut(&item.owner) {
            *uploaded = uploaded.saturating_sub(item.uploaded);
        }
        true
    }

    fn free(&self, members: &Map<String, Json>, owner: u32, parent: u64, number: u64) -> Result<(), Taken> {
        let other = |member: &&String| {
            let key = members.get(*member).map(|value| claim_of(member, value, owner, parent));
            key.and_then(|key| self.taken.get(&key)).is_some_and(|holder| *holder != number)
        };
        self.unique.iter().find(other).map_or(Ok(()), |member| Err(Taken { member: member.clone() }))
    }

    fn claim(&mut self, members: &Map<String, Json>, owner: u32, parent: u64, number: u64) {
        for member in &self.unique {
            if let Some(value) = members.get(member) {
                self.taken.insert(claim_of(member, value, owner, parent), number);
            }
        }
    }

    fn release(&mut self, number: u64) {
        let Some(item) = self.items.get(&number) else { return };
        for member in &self.unique {
            if let Some(value) = item.members.get(member) {
                self.taken.remove(&claim_of(member, value, item.owner, item.parent));
            }
        }
    }
}

fn id_of(members: &Map<String, Json>) -> String {
    members.get("id").and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn claim_of(member: &str, value: &Json, owner: u32, parent: u64) -> String {
    format!("{owner}/{parent}/{member}/{value}")
}

/// Roughly the bytes that members hold.
fn weigh_members(members: &Map<String, Json>) -> usize {
    members.iter().map(|(name, value)| 64 + name.len() + weigh(value)).sum()
}

fn weigh(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(|item| 32 + weigh(item)).sum(),
        Json::Object(members) => weigh_members(members),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn resource(name: &str, within: Option<usize>, keep: usize) -> Resource {
        Resource {
            name: name.to_owned(),
            prefix: String::new(),
            within,
            owned: true,
            singular: false,
            unique: vec!["title".to_owned()],
            created: None,
            updated: None,
            also: Map::new(),
            items: vec![[("id".to_owned(), json!("first"))].into_iter().collect()],
            keep,
            quota: None,
        }
    }

    fn members(id: &str, title: &str) -> Map<String, Json> {
        [("id".to_owned(), json!(id)), ("title".to_owned(), json!(title))].into_iter().collect()
    }

    #[test]
    fn a_unique_value_may_not_repeat_for_one_owner_and_is_free_again_once_it_changed() {
        let mut store = Store::new(&[resource("thing", None, 10)]);
        let first = store.add(0, members("a", "x"), 1, NOWHERE, 0).expect("free");
        assert_eq!(store.add(0, members("b", "x"), 1, NOWHERE, 0), Err(Taken { member: "title".into() }));
        let other = store.add(0, members("b", "x"), 2, NOWHERE, 0).expect("another owner's");
        let second = store.add(0, members("c", "y"), 1, NOWHERE, 0).expect("another value");
        assert!(store.change(0, second, members("c", "x")).is_err());
        assert_eq!(store.item(0, second).unwrap().members["title"], "y", "a refused change changes nothing");
        store.change(0, first, members("a", "z")).expect("free");
        store.change(0, second, members("c", "x")).expect("free again");
        store.remove(0, other);
        assert_eq!(store.number(0, "b"), None);
    }

    #[test]
    fn the_oldest_makes_room_and_what_was_there_from_the_start_stays() {
        let mut store = Store::new(&[resource("thing", None, 3)]);
        for n in 0..10 {
            store.add(0, members(&format!("i{n}"), &format!("t{n}")), 1, NOWHERE, 0).expect("new");
        }
        assert!(store.number(0, "first").is_some());
        let left: Vec<u64> = store.list(0, NOWHERE, 1, 0).collect();
        assert_eq!(left.len(), 2);
        assert_eq!(store.item(0, left[1]).unwrap().members["id"], "i9");
        assert!(store.add(0, members("again", "t0"), 1, NOWHERE, 0).is_ok(), "the value of what was pushed out is free");
    }

    #[test]
    fn large_items_push_out_older_ones_long_before_memory_is_short() {
        let mut store = Store::new(&[resource("thing", None, 100_000)]);
        let text = "x".repeat(1024 * 1024);
        for n in 0..40 {
            store.add(0, members(&format!("i{n}"), &format!("{n}{text}")), 1, NOWHERE, 0).expect("new");
        }
        assert!((10..=16).contains(&store.list(0, NOWHERE, 1, 0).count()));
        assert!(store.shelves[0].weight <= LARGEST_SHELF && store.shelves[0].taken.len() <= 16);
    }

    #[test]
    fn what_is_part_of_an_item_goes_with_it() {
        let mut store = Store::new(&[resource("thing", None, 10), resource("part", Some(0), 10)]);
        let (a, b) = (store.add(0, members("a", "a"), 1, NOWHERE, 0).unwrap(), store.add(0, members("b", "b"), 1, NOWHERE, 0).unwrap());
        for (id, parent) in [("p1", a), ("p2", a), ("p3", b)] {
            store.add(1, members(id, id), 1, parent, 0).unwrap();
        }
        store.remove(0, a);
        assert_eq!((store.number(1, "p1"), store.number(1, "p2"), store.number(1, "p3").is_some()), (None, None, true));
    }

    #[test]
    fn uploads_count_against_their_owner_until_they_go() {
        let mut store = Store::new(&[resource("file", None, 10)]);
        let file = store.add(0, members("a", "a"), 1, NOWHERE, 700).unwrap();
        store.add(0, members("b", "b"), 1, NOWHERE, 300).unwrap();
        assert_eq!((store.uploaded(0, 1), store.uploaded(0, 2)), (1_000, 0));
        store.remove(0, file);
        assert_eq!(store.uploaded(0, 1), 300);
    }
}
