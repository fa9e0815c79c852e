//! The `brownout` command: parse the arguments, call the library, turn its answer into an exit code.

fn main() {}
