//! See `src/target`.

mod another_api; // the engine serves any contract that has a server
mod defects; // each defect is found by the check it is named after
mod limiters; // each way of counting is named by what it does
mod limits; // who waits as long as told is admitted
mod mistakes; // a documented mistake causes the documented error
mod presets; // a preset breaks what it says and nothing else
mod protocol; // connections, versions, bodies, streams, the end
mod success; // whoever asks in order gets data
