//! Recorded exchanges for benchmarks.
