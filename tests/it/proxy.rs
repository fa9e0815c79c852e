//! Faults arrive on the wire as the plan says, and nothing else does.
//!
//! Every test speaks raw HTTP over a real socket to a real proxy, behind which a scripted target plays.

mod disturbed;
mod effects;
mod mirrored;
mod mutations;
mod rig;
mod sturdy;
mod untouched;
