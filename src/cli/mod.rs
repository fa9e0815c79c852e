//! The shell: commands, progress, messages, exit codes.
