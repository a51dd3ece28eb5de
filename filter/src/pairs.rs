//! The ABI's form of header maps: a count, the sizes of each name and value, then names and values,
//! each followed by a NUL. All numbers are 32-bit little-endian.

use portcullis_rules::eval::Field;

/// A header map as the host returned it: one block of bytes, checked once, read in place.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    bytes: Vec<u8>,
    count: usize,
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*four)).ok()
}

impl Pairs {
    /// Takes a serialised map. No bytes at all are an empty map; the last NUL may be missing, bytes
    /// after it are ignored, and what separates names and values is not looked at. `None` when a size
    /// points beyond the end: a head that is partly unreadable must not be judged as if it were whole.
    pub(crate) fn parse(bytes: Vec<u8>) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let count = number(&bytes, 0)?;
        let mut end = count.checked_mul(8)?.checked_add(4)?;
        if end > bytes.len() {
            return None;
        }
        for index in 0..count {
            let sizes = 4 + index * 8;
            let (name, value) = (number(&bytes, sizes)?, number(&bytes, sizes + 4)?);
            let value_end = end.checked_add(name)?.checked_add(1)?.checked_add(value)?;
            if value_end > bytes.len() {
                return None;
            }
            end = value_end + 1;
        }
        Some(Self { bytes, count })
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// The fields in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        let mut at = 4 + self.count * 8;
        (0..self.count).map_while(move |index| {
            let sizes = 4 + index * 8;
            let (name_size, value_size) = (number(&self.bytes, sizes)?, number(&self.bytes, sizes + 4)?);
            let name = self.bytes.get(at..at + name_size)?;
            at += name_size + 1;
            let value = self.bytes.get(at..at + value_size)?;
            at += value_size + 1;
            Some((name, value))
        })
    }
}

/// The serialised form of a map for the host.
pub(crate) fn serialize(fields: &[Field<'_>]) -> Vec<u8> {
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
    let size = 4 + fields.iter().map(|(name, value)| name.len() + value.len() + 10).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend(u32::try_from(fields.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (name, value) in fields {
        out.extend(length(name));
        out.extend(length(value));
    }
    for (name, value) in fields {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &Pairs) -> Vec<Field<'_>> {
        pairs.iter().collect()
    }

    #[test]
    fn what_is_serialised_is_read_back() {
        let cases: &[&[Field<'_>]] = &[
            &[],
            &[(b":method", b"GET")],
            &[(b"a", b""), (b"", b"b"), (b"", b"")],
            &[(b"x", b"\xff\x00\x80"), (b"x", b"second"), (b"cookie", &[b'c'; 5000])],
        ];
        for case in cases {
            let pairs = Pairs::parse(serialize(case)).unwrap();
            assert_eq!(pairs.len(), case.len());
            assert_eq!(fields(&pairs), *case);
        }
    }

    #[test]
    fn a_missing_last_nul_and_bytes_after_the_map_do_no_harm() {
        let whole = serialize(&[(b"name", b"value")]);
        let mut short = whole.clone();
        short.pop();
        let mut long = whole;
        long.extend_from_slice(b"rest");
        for bytes in [short, long] {
            assert_eq!(fields(&Pairs::parse(bytes).unwrap()), [(&b"name"[..], &b"value"[..])]);
        }
        assert_eq!(Pairs::parse(Vec::new()).unwrap().len(), 0);
    }

    #[test]
    fn sizes_beyond_the_end_are_refused() {
        let whole = serialize(&[(b"name", b"value"), (b"other", b"thing")]);
        for cut in 1..whole.len() - 1 {
            assert!(Pairs::parse(whole[..cut].to_vec()).is_none(), "cut at {cut}");
        }
        for at in 0..20 {
            let mut broken = whole.clone();
            if at % 4 == 3 {
                broken[at] = 0xff;
                assert!(Pairs::parse(broken).is_none(), "high byte at {at}");
            }
        }
    }

    #[test]
    fn random_bytes_are_refused_or_read_within_bounds() {
        // A small generator with a fixed seed, so that a failure can be repeated.
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let (mut read, mut refused) = (0, 0);
        for round in 0..200_000 {
            let mut bytes = serialize(&[(b"content-type", b"text/html"), (b"a", b"b"), (b"host", b"h")]);
            for _ in 0..=next() % 4 {
                let at = usize::try_from(next()).unwrap() % bytes.len();
                // Small values keep the sizes plausible, so that many a broken map is still readable.
                bytes[at] = u8::try_from(next() % if round % 2 == 0 { 256 } else { 12 }).unwrap();
            }
            if next().is_multiple_of(8) {
                bytes.truncate(usize::try_from(next()).unwrap() % (bytes.len() + 1));
            }
            match Pairs::parse(bytes) {
                Some(pairs) => {
                    assert_eq!(pairs.iter().count(), pairs.len());
                    read += 1;
                }
                None => refused += 1,
            }
        }
        assert!(read > 10_000 && refused > 10_000, "{read} read, {refused} refused");
    }
}
