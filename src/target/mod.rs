//! The embedded reference server: a contract, served.
