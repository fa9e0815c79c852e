//! How many connections the system lets this process have.

/// Asks for as many descriptors as the system's hard limit permits, and returns how many that are; `None` where it
/// does not say, or knows no limit. A connection through the proxy takes up to two.
#[cfg(target_os = "linux")]
pub fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limits = getrlimit(Resource::Nofile);
    if limits.current == limits.maximum {
        return limits.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, maximum: limits.maximum }) {
        Ok(()) => limits.maximum,
        Err(_) => limits.current,
    }
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}
