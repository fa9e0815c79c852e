//! Schemas that lead back to themselves without going a level deeper into the answer have no meaning, and are refused.

use super::SchemaProblem;
use super::node::{Logic, Node};

/// Schemas that apply to one value, one inside another, at most.
const LONGEST: u32 = 100;

/// Finds a cycle of in-place keywords (`$ref`, `allOf`, `not`, …), or a chain of them that is too long.
pub(super) fn check(nodes: &[Node], problems: &mut Vec<SchemaProblem>) {
    let targets: Vec<Vec<usize>> =
        nodes.iter().map(|node| node.logic.iter().flat_map(Logic::targets).map(|target| target.0 as usize).collect()).collect();
    let mut incoming = vec![0_usize; nodes.len()];
    targets.iter().flatten().for_each(|&target| incoming[target] += 1);
    // Kahn 1962: what is left when everything without predecessors has been taken away lies on a cycle, or behind one.
    let mut chain = vec![0_u32; nodes.len()];
    let mut free: Vec<usize> = (0..nodes.len()).filter(|&ix| incoming[ix] == 0).collect();
    let mut taken = vec![false; nodes.len()];
    while let Some(ix) = free.pop() {
        taken[ix] = true;
        for &target in &targets[ix] {
            chain[target] = chain[target].max(chain[ix] + 1);
            incoming[target] -= 1;
            if incoming[target] == 0 {
                free.push(target);
            }
        }
    }
    if let Some(ix) = on_a_cycle(&targets, &taken) {
        let what = "it leads back to itself without going a level deeper into the answer";
        problems.push(SchemaProblem { pointer: nodes[ix].at.to_string(), what: what.to_owned() });
    } else if let Some(ix) = (0..nodes.len()).find(|&ix| chain[ix] > LONGEST) {
        let what = format!("more than {LONGEST} schemas apply to one value, one inside another");
        problems.push(SchemaProblem { pointer: nodes[ix].at.to_string(), what });
    }
}

/// The first schema of a cycle, given those that lie on none nor behind one.
fn on_a_cycle(targets: &[Vec<usize>], taken: &[bool]) -> Option<usize> {
    // Each one that is left has a predecessor that is left: so many steps back, one is surely on a cycle.
    let mut before = vec![None; targets.len()];
    for ix in (0..targets.len()).filter(|&ix| !taken[ix]) {
        targets[ix].iter().for_each(|&target| before[target] = Some(ix));
    }
    let last = taken.iter().position(|taken| !taken)?;
    let back = |ix: usize| before[ix].unwrap_or(ix);
    let inside = (0..targets.len()).fold(last, |ix, _| back(ix));
    let around = std::iter::successors(Some(back(inside)), |&ix| (ix != inside).then(|| back(ix)));
    around.min()
}
