//! Numbers and verdicts follow from what was heard: whole runs told to a recorder, without a socket or a clock.

mod heard;
mod latency;
mod retries;
mod standing;
mod verdicts;
