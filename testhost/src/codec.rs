//! The ABI's form of header maps: a count, the sizes of each name and value, then names and values, each
//! followed by a NUL. All numbers are 32-bit little-endian.

use crate::Fields;

/// Writes a map.
pub(crate) fn serialize(fields: &Fields) -> Vec<u8> {
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = number(fields.len()).to_vec();
    for (name, value) in fields {
        out.extend(number(name.len()));
        out.extend(number(value.len()));
    }
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

/// Reads a map; `None` when it is malformed or a name is not UTF-8.
pub(crate) fn deserialize(bytes: &[u8]) -> Option<Fields> {
    if bytes.is_empty() {
        return Some(Fields::new());
    }
    let number = |at: usize| {
        let four = bytes.get(at..)?.first_chunk::<4>()?;
        usize::try_from(u32::from_le_bytes(*four)).ok()
    };
    let count = number(0)?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    let mut fields = Fields::new();
    for index in 0..count {
        let (name, value) = (number(4 + index * 8)?, number(8 + index * 8)?);
        let name_end = at.checked_add(name)?;
        let value_end = name_end.checked_add(1)?.checked_add(value)?;
        let text = String::from_utf8(bytes.get(at..name_end)?.to_vec()).ok()?;
        fields.push((text, bytes.get(name_end + 1..value_end)?.to_vec()));
        at = value_end + 1;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let fields: Fields = vec![
            (":path".into(), b"/".to_vec()),
            ("empty".into(), Vec::new()),
            ("bytes".into(), vec![0, 255, 128]),
        ];
        assert_eq!(deserialize(&serialize(&fields)), Some(fields));
        assert_eq!(deserialize(b""), Some(Vec::new()));
    }

    #[test]
    fn truncated_maps_are_refused() {
        let whole = serialize(&vec![("name".to_owned(), b"value".to_vec())]);
        for cut in 1..whole.len() - 1 {
            assert_eq!(deserialize(&whole[..cut]), None, "cut at {cut}");
        }
    }
}
