//! Writes MaxMind databases, small ones for tests: a tree of nodes by the bits of addresses, a data section in which
//! texts that come again are pointers, and the metadata. The format is MaxMind DB 2.0.

#![allow(dead_code, reason = "not every runner uses all of it")]
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::net::IpAddr;

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Double(f64),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(String, Value)>),
    Array(Vec<Value>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// A map of these.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The record of an address in this country, as GeoLite2 Country has it.
pub(crate) fn country(code: &str, name: &str, continent: &str) -> Value {
    map([
        ("continent", map([("code", continent.into())])),
        ("country", map([("iso_code", code.into()), ("names", map([("en", name.into())]))])),
    ])
}

/// Networks with countries that tests agree on: those of documentation, and one that a smaller one is cut out of.
pub(crate) fn places() -> Vec<(&'static str, Value)> {
    let mut city = country("NL", "Netherlands", "EU");
    if let Value::Map(entries) = &mut city {
        let more = [
            ("city", map([("names", map([("en", "Amsterdam".into()), ("de", "Amsterdam".into())]))])),
            (
                "location",
                map([
                    ("latitude", Value::Double(52.374)),
                    ("longitude", Value::Double(4.8897)),
                    ("metro_code", Value::U16(501)),
                ]),
            ),
            ("postal", map([("code", "1012".into())])),
            ("subdivisions", Value::Array(vec![map([("iso_code", "NH".into())])])),
        ];
        entries.extend(more.map(|(key, value)| (key.to_owned(), value)));
    }
    vec![
        ("192.0.2.0/24", country("DE", "Germany", "EU")),
        ("192.0.2.128/25", country("FR", "France", "EU")),
        ("198.51.100.0/24", city),
        ("203.0.113.0/24", map([("country_code", "jp".into())])),
        ("203.0.113.64/26", map([("country", "BR".into())])),
        ("203.0.113.128/26", map([("asn", Value::U32(64_496))])),
        ("2001:db8::/32", country("SE", "Sweden", "EU")),
        ("2001:db8:ffff::/48", country("NO", "Norway", "EU")),
    ]
}

#[derive(Clone, Copy)]
enum Child {
    Nothing,
    Node(usize),
    Data(usize),
}

/// A database with these networks, longer ones cut out of shorter ones. Records of the tree have `bits` bits: 24, 28 or
/// 32.
pub(crate) fn database(bits: u16, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut data = Data::default();
    let mut nodes = vec![[Child::Nothing; 2]];
    let mut parsed: Vec<(u128, u32, &Value)> = networks
        .iter()
        .map(|(network, value)| {
            let (address, prefix) = network.split_once('/').expect("a network");
            let prefix: u32 = prefix.parse().expect("a prefix");
            match address.parse().expect("an address") {
                // IPv4 is ::/96 of the tree.
                IpAddr::V4(address) => (u128::from(address.to_bits()), prefix + 96, value),
                IpAddr::V6(address) => (address.to_bits(), prefix, value),
            }
        })
        .collect();
    parsed.sort_by_key(|(_, prefix, _)| *prefix);
    for (address, prefix, value) in parsed {
        let offset = data.record(value);
        let mut node = 0;
        for depth in 0..prefix {
            let side = usize::from(address >> (127 - depth) & 1 == 1);
            if depth + 1 == prefix {
                nodes[node][side] = Child::Data(offset);
                break;
            }
            node = match nodes[node][side] {
                Child::Node(next) => next,
                other => {
                    nodes.push([other; 2]);
                    let next = nodes.len() - 1;
                    nodes[node][side] = Child::Node(next);
                    next
                }
            };
        }
    }
    let mut bytes = Vec::new();
    for node in &nodes {
        let number = |child: Child| match child {
            Child::Nothing => nodes.len(),
            Child::Node(next) => next,
            Child::Data(offset) => nodes.len() + 16 + offset,
        };
        write_node(&mut bytes, bits, number(node[0]) as u32, number(node[1]) as u32);
    }
    bytes.extend([0; 16]);
    bytes.extend(data.bytes);
    bytes.extend(b"\xab\xcd\xefMaxMind.com");
    let mut metadata = Data::default();
    metadata.value(&map([
        ("binary_format_major_version", Value::U16(2)),
        ("binary_format_minor_version", Value::U16(0)),
        ("build_epoch", Value::U64(1_772_366_400)),
        ("database_type", "Test-City".into()),
        ("description", map([("en", "Networks of documentation".into())])),
        ("ip_version", Value::U16(6)),
        ("languages", Value::Array(vec!["en".into()])),
        ("node_count", Value::U32(nodes.len() as u32)),
        ("record_size", Value::U16(bits)),
    ]));
    bytes.extend(metadata.bytes);
    bytes
}

fn write_node(bytes: &mut Vec<u8>, bits: u16, left: u32, right: u32) {
    let (l, r) = (left.to_be_bytes(), right.to_be_bytes());
    match bits {
        24 => bytes.extend([l[1], l[2], l[3], r[1], r[2], r[3]]),
        28 => bytes.extend([l[1], l[2], l[3], l[0] << 4 | r[0], r[1], r[2], r[3]]),
        _ => bytes.extend([l, r].concat()),
    }
}

/// A data section in the making.
#[derive(Default)]
struct Data {
    bytes: Vec<u8>,
    /// Where texts and whole records are.
    texts: BTreeMap<String, usize>,
    records: BTreeMap<String, usize>,
}

impl Data {
    fn record(&mut self, value: &Value) -> usize {
        let shown = format!("{value:?}");
        if let Some(offset) = self.records.get(&shown) {
            return *offset;
        }
        let offset = self.bytes.len();
        self.value(value);
        self.records.insert(shown, offset);
        offset
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.text(text),
            Value::Double(number) => self.scalar(3, &number.to_be_bytes()),
            Value::U16(number) => self.scalar(5, &number.to_be_bytes()),
            Value::U32(number) => self.scalar(6, &number.to_be_bytes()),
            Value::U64(number) => self.scalar(9, &number.to_be_bytes()),
            Value::Map(entries) => {
                self.head(7, entries.len());
                for (key, value) in entries {
                    self.text(key);
                    self.value(value);
                }
            }
            Value::Array(values) => {
                self.head(11, values.len());
                values.iter().for_each(|value| self.value(value));
            }
        }
    }

    fn scalar(&mut self, kind: u8, bytes: &[u8]) {
        self.head(kind, bytes.len());
        self.bytes.extend(bytes);
    }

    fn text(&mut self, text: &str) {
        if let Some(&offset) = self.texts.get(text) {
            if offset < 2_048 {
                self.bytes.extend([0x20 | (offset >> 8) as u8, offset as u8]);
            } else {
                self.bytes.push(0x38);
                self.bytes.extend((offset as u32).to_be_bytes());
            }
            return;
        }
        self.texts.insert(text.to_owned(), self.bytes.len());
        self.scalar(2, text.as_bytes());
    }

    /// Type and size. Types from 8 on are in a byte of their own.
    fn head(&mut self, kind: u8, size: usize) {
        let (small, more) = if size < 29 { (size as u8, None) } else { (29, Some((size - 29) as u8)) };
        assert!(size < 285, "more than tests need");
        if kind < 8 {
            self.bytes.push(kind << 5 | small);
        } else {
            self.bytes.extend([small, kind - 7]);
        }
        self.bytes.extend(more);
    }
}
