//! The integration tests, one module per module of `src`, by name.

mod support;

mod analysis; // numbers and verdicts follow from what was heard
mod architecture; // the module table holds
mod cli; // commands, messages and exit codes, by starting the binary
mod client; // one attempt is sent, stamped, and nothing added
mod contract; // the shipped contract states the seed document, whole
mod engine; // a plan is carried out and accounted for, to the last arrival
mod fault; // the same plan and seed decide the same faults
mod import; // public API descriptions become contracts, and bad ones messages
mod plan; // plans are read, and every problem in one is shown at its place
mod probe; // wrong requests are sent within bounds, and what they are answered is told
mod proxy; // faults arrive on the wire as the plan says
mod readme; // the reference says what the code does
mod report; // documents show what report.json says, and nothing hostile survives
mod retry; // policies wait as long as they say
mod target; // a documented mistake causes the documented error
