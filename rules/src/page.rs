//! The look of the pages that clients get in place of what they asked for.

/// What all of them have: a card on a plain ground, in light or dark as the reader has it. It loads nothing.
pub const STYLE: &str = include_str!("page.css");
