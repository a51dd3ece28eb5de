//! Databases of countries in which bytes are others, in the module: addresses are 32 bits there. Each is refused or
//! answers something; none traps the VM.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use portcullis_testhost::{Exchange, Host, Module, Options, Verdict};
use serde_json::json;

use crate::mmdb::{database, places};

const RULES: &str = "\
SecGeoLookupDb geo.mmdb
SecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:1,pass,log,msg:'%{GEO.COUNTRY_CODE} %{GEO.CITY} %{GEO.LATITUDE}'\"
SecRule ARGS \"@geoLookup\" \"id:2,phase:1,pass,log\"
";

/// Databases per test.
const CASES: u64 = 120;

/// One test for each size of the tree's records.
pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let of_bits = |bits: u16| {
        let module = module.clone();
        Trial::test(format!("module/databases/broken ones of {bits} bits"), move || {
            check(&module, bits).map_err(Into::into)
        })
    };
    [24, 28, 32].map(of_bits).into()
}

/// A sequence of numbers, always the same.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % below.max(1)
    }
}

fn check(module: &Module, bits: u16) -> Result<(), String> {
    let good = database(bits, &places());
    let mut numbers = Numbers(bits.into());
    let (mut refused, mut taken) = (0, 0);
    for case in 0..CASES {
        let mut bytes = good.clone();
        for _ in 0..=numbers.next(8) {
            let place = numbers.next(bytes.len());
            // Large numbers are what overflows.
            let byte = [0x00, 0x7f, 0x80, 0xff, numbers.next(256)][numbers.next(5)];
            bytes[place] = u8::try_from(byte).unwrap_or(0xff);
        }
        let policy = json!({
            "files": { "geo.mmdb": { "base64": STANDARD.encode(&bytes) } },
            "risk": { "country": { "database": "geo.mmdb" } },
            "rule_sets": [{ "name": "geo", "seclang": RULES }],
        });
        let started = Host::start(module, policy.to_string().as_bytes(), Options::default());
        let mut host = match started {
            Ok(host) => host,
            Err(error) if error.to_string().contains("error[E0221]") => {
                refused += 1;
                continue;
            }
            Err(error) => return Err(format!("case {case}: {error}")),
        };
        taken += 1;
        let target = "/?a=192.0.2.200&b=198.51.100.7&c=203.0.113.70&d=2001:db8::1&e=2001:db8:ffff::1&f=::1";
        let observed = host.exchange(&Exchange::get(target));
        if observed.verdict != Verdict::Continued {
            return Err(format!("case {case}: {:?}", observed.verdict));
        }
    }
    // Else this would not test much.
    if refused < 10 || taken < 10 {
        return Err(format!("{refused} refused and {taken} taken"));
    }
    Ok(())
}
