//! The Core Rule Set with many more rules of its kind.
