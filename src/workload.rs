//! Plan → the requests of a session: scenarios, steps, data, templates.
