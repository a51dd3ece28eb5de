//! Countries from a MaxMind database.

use std::net::IpAddr;
use std::sync::Arc;

/// A MaxMind database that came with the policy.
#[derive(Clone)]
pub struct Database {
    #[cfg(feature = "geoip")]
    reader: Arc<maxminddb::Reader<Vec<u8>>>,
    #[cfg(not(feature = "geoip"))]
    bytes: Arc<[u8]>,
}

impl PartialEq for Database {
    fn eq(&self, other: &Self) -> bool {
        #[cfg(feature = "geoip")]
        return Arc::ptr_eq(&self.reader, &other.reader);
        #[cfg(not(feature = "geoip"))]
        return self.bytes == other.bytes;
    }
}

impl Eq for Database {}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

#[cfg(not(feature = "geoip"))]
impl Database {
    /// Reads a database.
    ///
    /// # Errors
    /// Always: without the feature `geoip` there is no reader.
    pub fn new(_: Vec<u8>) -> Result<Self, String> {
        Err("this build can't read MaxMind databases: it lacks the feature `geoip`".to_owned())
    }

    pub(crate) fn country(&self, _: IpAddr) -> Option<Vec<u8>> {
        let _ = &self.bytes;
        None
    }
}

#[cfg(feature = "geoip")]
impl Database {
    /// Reads a database, such as GeoLite2 Country.
    ///
    /// # Errors
    /// When the bytes are no such database.
    pub fn new(bytes: Vec<u8>) -> Result<Self, String> {
        let reader = maxminddb::Reader::from_source(bytes)
            .map_err(|error| format!("not a MaxMind database: {error}"))?;
        Ok(Self { reader: Arc::new(reader) })
    }

    /// The country's two letters, as the database writes them.
    pub(crate) fn country(&self, address: IpAddr) -> Option<Vec<u8>> {
        let found = self.reader.lookup(address).ok()?;
        let code: Option<String> = found
            .decode_path(&[maxminddb::PathElement::Key("country"), maxminddb::PathElement::Key("iso_code")])
            .ok()?;
        code.map(String::into_bytes)
    }
}
