//! `brownout explain`: the catalogue, read by people.

use crate::support::golden::assert_golden;
use crate::support::shell::Folder;

#[test]
fn a_check_is_explained_by_its_id_and_by_its_name() {
    let folder = Folder::new();
    let by_id = folder.brownout(["explain", "r04"]).ended().exits(0);
    assert_golden("cli/explain-r04.txt", &by_id.stdout);
    let by_name = folder.brownout(["explain", "reset-vs-body"]).ended().exits(0);
    assert_eq!(by_name.stdout, by_id.stdout);
    let two = folder.brownout(["explain", "R04", "Q05"]).ended().exits(0);
    assert!(two.stdout.starts_with(&by_id.stdout) && two.stdout.contains("Q05 undocumented-common-status"), "{two}");
}

#[test]
fn the_mutations_that_a_check_must_find_are_named() {
    let ended = Folder::new().brownout(["explain", "R02", "L06"]).ended().exits(0);
    let (with, without) = ended.stdout.split_once("\nL06 ").expect("two checks");
    assert!(with.contains("  tried by    retry-after-list, retry-after-fraction,"), "{ended}");
    assert!(!without.contains("tried by"), "{ended}");
}

#[test]
fn every_check_is_listed_by_group() {
    let ended = Folder::new().brownout(["explain"]).ended().exits(0);
    assert_golden("cli/explain-all.txt", &ended.stdout);
}

#[test]
fn a_check_that_is_none_is_said_with_the_nearest_and_ends_with_2() {
    let folder = Folder::new();
    let ended = folder.brownout(["explain", "reset-vs-bdoy", "H04", "zzzzzz", "\u{1b}[31m"]).ended().exits(2);
    assert_golden("cli/explain-unknown.txt", &ended.stderr);
    assert!(ended.stdout.starts_with("H04 www-authenticate\n"), "what is known is explained: {ended}");
}
