//! **brownout**: a chaos and fault-injection load tester that holds every error answer to its contract.
//!
//! A **plan** says what should happen; the run writes down what did happen as **attempts**; everything printed
//! afterwards is a pure function of those two. Data flows one way:
//!
//! ```text
//!  plans/quickstart.toml
//!       │ plan            parse, validate, point at line:column
//!       ▼
//!     Plan ──────────────┐
//!       │ workload       │ what to send and when: pure, seeded
//!       ▼                │ fault rules, contract
//!     Intent             ▼
//!       │ engine ─ client ──▶ proxy ──▶ target
//!       ▼                       ▼
//!     Exchange (its attempts)  what was seen, decided, injected
//!       └─────────┬─────────────┘
//!                 ▼ record    facts, told to one recorder per worker
//!              Tally
//!                 │ analysis  a fold: counts, times, violations, gates
//!                 ▼
//!             Analysis
//!                 │ report    one document; renderers only format it
//!                 ▼
//!    report.json  report.html  junit.xml  summary.md  latency.hgrm  terminal  exit code
//! ```
//!
//! | Module | Single responsibility |
//! |---|---|
//! | [`units`] [`id`] [`seed`] [`secret`] [`severity`] [`wire`] | the vocabulary: values only, no I/O, no clock |
//! | [`arrival`] | when requests are meant to start |
//! | [`contract`] | what an answer must look like |
//! | [`fault`] | which request is disturbed, and how |
//! | [`throttle`] | rate limits that are kept: what is left, when the next request is admitted |
//! | [`retry`] | whether a failed attempt may be repeated, and when |
//! | [`lineage`] | which attempts of a stranger serve the same logical request |
//! | [`gate`] | pass / fail / inconclusive over one named metric |
//! | [`plan`] | TOML text → `Plan`, or every problem in it |
//! | [`import`] | an OpenAPI document → a contract's text, and how good the document is |
//! | [`record`] | the facts of a run: attempts, exchanges, who hears of them |
//! | [`workload`] | `Plan` → the requests of a session |
//! | [`probe`] | `Plan` and contract → requests that are wrong on purpose |
//! | [`analysis`] | what was heard → numbers and verdict |
//! | [`report`] | numbers → documents |
//! | [`clock`] | the run's one clock; the only reader of time |
//! | [`client`] | send one attempt, stamp it, add nothing |
//! | [`proxy`] | the fault-injecting proxy, reverse or forward: carries out what `fault` decides, for any client |
//! | [`target`] | the embedded reference server: a contract, served |
//! | [`engine`] | carry out a plan: pacing, sessions, exchanges, drain |
//! | [`cli`] | the shell: commands, progress, messages, exit codes |
//!
//! Which module may use which is a test: `tests/it/architecture.rs`. Modules that decide (`contract`, `fault`,
//! `lineage`, `retry`, `throttle`) do no I/O; modules that act (`client`, `proxy`, `engine`, `target`) never decide.

// the vocabulary
pub mod id;
pub mod secret;
pub mod seed;
pub mod severity;
pub mod units;
pub mod wire;
// pure rules
pub mod arrival;
pub mod contract;
pub mod fault;
pub mod gate;
pub mod lineage;
pub mod retry;
pub mod throttle;
// documents: what was asked, what happened
pub mod import;
pub mod plan;
pub mod probe;
pub mod record;
pub mod workload;
// after the run: pure again
pub mod analysis;
pub mod report;
// the run: the only modules with sockets, clocks and tasks
pub mod client;
pub mod clock;
pub mod engine;
pub mod proxy;
pub mod target;
// the shell
pub mod cli;
