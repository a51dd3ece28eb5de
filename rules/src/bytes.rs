//! Single bytes: what kind they are, and tables by them.

/// White space as C's `isspace` has it, and `\s` in patterns: tab, line feed, vertical tab, form feed, carriage return,
/// blank. Without branches, as vector instructions can.
pub(crate) const fn is_blank(byte: u8) -> bool {
    (byte == b' ') | (byte.wrapping_sub(b'\t') < 5)
}

/// A table with what an expression gives for each byte, worked out by the compiler.
macro_rules! per_byte {
    ($byte:ident => $value:expr) => {{
        let of = {
            let $byte = 0u8;
            $value
        };
        let mut table = [of; 256];
        let mut at = 1;
        while at < 256 {
            let $byte = at as u8;
            #[expect(clippy::indexing_slicing, reason = "a constant")]
            {
                table[at] = $value;
            }
            at += 1;
        }
        table
    }};
}
pub(crate) use per_byte;
