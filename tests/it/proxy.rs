//! Faults arrive on the wire as the plan says, and nothing else does.
//!
//! Every test speaks raw HTTP over a real socket to a real proxy, behind which a scripted target plays.

mod crowded;
mod disturbed;
mod effects;
mod forward;
mod guarded;
mod limiter;
mod mirrored;
mod mutations;
mod rig;
mod spoken;
mod sturdy;
mod tunnelled;
mod untouched;
