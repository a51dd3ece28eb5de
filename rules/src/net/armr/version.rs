//! Versions of ARMR and what came with them.

use crate::net::LanguageVersion;

/// Something that a text can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    Socket,
    PortRanges,
    StackTrace,
    Metadata,
    HostNames,
    ApiAndInput,
    Networks,
}

impl Feature {
    /// The first version that has it, by its number after `2.`.
    const fn since(self) -> u8 {
        match self {
            Self::Socket => 1,
            Self::PortRanges => 2,
            Self::StackTrace => 3,
            Self::Metadata | Self::HostNames => 6,
            Self::ApiAndInput => 9,
            Self::Networks => 10,
        }
    }

    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Socket => "socket rules",
            Self::PortRanges => "ranges of ports",
            Self::StackTrace => "`stacktrace`",
            Self::Metadata => "`metadata`",
            Self::HostNames => "host names",
            Self::ApiAndInput => "`api` and `input`",
            Self::Networks => "networks",
        }
    }

    pub(super) fn is_in(self, version: LanguageVersion) -> bool {
        version >= self.version()
    }

    pub(super) const fn version(self) -> LanguageVersion {
        LanguageVersion { major: 2, minor: self.since() }
    }
}

/// Reads `ARMR/2.10`. `None` when it is no version; versions that are not supported are not told apart from
/// others here.
pub(super) fn parse(text: &str) -> Option<LanguageVersion> {
    let (major, minor) = text.strip_prefix("ARMR/")?.split_once('.')?;
    let digits =
        |part: &str| part.len() <= 3 && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(major) || !digits(minor) {
        return None;
    }
    Some(LanguageVersion { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

/// Whether texts of this version can be read.
pub(super) fn is_supported(version: LanguageVersion) -> bool {
    version.major == 2 && version <= LanguageVersion::LATEST
}
