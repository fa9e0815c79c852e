//! Carry out a plan: pacing, sessions, exchanges, drain.
