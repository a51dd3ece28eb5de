//! Countries and places of addresses, from a MaxMind database that comes with the policy.
//!
//! The database may be any bytes: what is no database is refused when the policy is loaded, and what turns out not to
//! make sense later gives no place. A look-up follows at most one bit of the address per step, and what it reads of a
//! record is bounded by the reader.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use maxminddb::{LookupResult, PathElement, Reader};
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::limits;

/// A MaxMind database (`.mmdb`). Clones share it.
#[derive(Clone)]
pub struct Database {
    reader: Arc<Reader<Bytes>>,
    bytes: Arc<Vec<u8>>,
}

struct Bytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.bytes, &other.bytes) || self.bytes == other.bytes
    }
}

impl Eq for Database {}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Database")
    }
}

/// What is known of the place of an address: names of `GEO`, without those of which nothing is known.
pub(crate) type Place = Vec<(&'static str, Vec<u8>)>;

/// Where a country's two letters may be. MaxMind's databases, and those in their form, have the first; others are flat.
const COUNTRY: [&[PathElement<'static>]; 3] = [
    &[PathElement::Key("country"), PathElement::Key("iso_code")],
    &[PathElement::Key("country_code")],
    &[PathElement::Key("country")],
];

/// Where the others of `GEO` are. MaxMind's databases have no code of three letters and no area codes.
const PLACE: [(&str, &[PathElement<'static>]); 8] = [
    ("COUNTRY_NAME", &[PathElement::Key("country"), PathElement::Key("names"), PathElement::Key("en")]),
    ("COUNTRY_CONTINENT", &[PathElement::Key("continent"), PathElement::Key("code")]),
    ("REGION", &[PathElement::Key("subdivisions"), PathElement::Index(0), PathElement::Key("iso_code")]),
    ("CITY", &[PathElement::Key("city"), PathElement::Key("names"), PathElement::Key("en")]),
    ("POSTAL_CODE", &[PathElement::Key("postal"), PathElement::Key("code")]),
    ("LATITUDE", &[PathElement::Key("location"), PathElement::Key("latitude")]),
    ("LONGITUDE", &[PathElement::Key("location"), PathElement::Key("longitude")]),
    ("DMA_CODE", &[PathElement::Key("location"), PathElement::Key("metro_code")]),
];

/// A text or a number, as text. One type for both keeps the module small.
struct Scalar(Vec<u8>);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        // A longer one is not copied.
        let text = if text.len() > limits::GEO_TEXT_BYTES { "" } else { text };
        Ok(Scalar(text.as_bytes().to_vec()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar(number.to_string().into_bytes()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar(number.to_string().into_bytes()))
    }
}

impl Database {
    /// Takes a database, such as GeoLite2 Country or City.
    ///
    /// # Errors
    /// When the bytes are none, or too many.
    pub fn new(bytes: Arc<Vec<u8>>) -> Result<Self, String> {
        if bytes.len() > limits::GEO_DATABASE_BYTES {
            let (size, most) = (bytes.len() >> 20, limits::GEO_DATABASE_BYTES >> 20);
            return Err(format!("the database has {size} MiB, more than {most}"));
        }
        let reader = Reader::from_source(Bytes(Arc::clone(&bytes)))
            .map_err(|error| format!("not a MaxMind database: {error}"))?;
        Ok(Self { reader: Arc::new(reader), bytes })
    }

    /// The two letters of an address's country, upper-case.
    pub(crate) fn country(&self, address: IpAddr) -> Option<Vec<u8>> {
        country(&self.record(address)?)
    }

    /// What is known of the place of an address; `None` when the database has nothing on it.
    pub(crate) fn place(&self, address: IpAddr) -> Option<Place> {
        let record = self.record(address)?;
        let mut place: Place = country(&record).map(|code| ("COUNTRY_CODE", code)).into_iter().collect();
        place.extend(PLACE.iter().filter_map(|(name, path)| Some((*name, scalar(&record, path)?))));
        Some(place)
    }

    fn record(&self, address: IpAddr) -> Option<LookupResult<'_, Bytes>> {
        self.reader.lookup(address.to_canonical()).ok().filter(LookupResult::has_data)
    }
}

fn scalar(record: &LookupResult<'_, Bytes>, path: &[PathElement<'_>]) -> Option<Vec<u8>> {
    let Scalar(text) = record.decode_path(path).ok()??;
    (!text.is_empty()).then_some(text)
}

fn country(record: &LookupResult<'_, Bytes>) -> Option<Vec<u8>> {
    COUNTRY.iter().find_map(|path| country_code(&scalar(record, path)?))
}

/// Two letters as a country's code, upper-case; `None` for anything else.
pub(crate) fn country_code(text: &[u8]) -> Option<Vec<u8>> {
    let code = text.trim_ascii().to_ascii_uppercase();
    (code.len() == 2 && code.iter().all(u8::is_ascii_uppercase)).then_some(code)
}
