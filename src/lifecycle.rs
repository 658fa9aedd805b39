//! Signals, drain, task tracking.
