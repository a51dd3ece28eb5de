//! What a rule says about ports: one, a range, or any.

use std::fmt;

/// The ports of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ports {
    first: u16,
    last: u16,
}

/// A pair of ports that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortsProblem {
    /// Neither end is given.
    Blank,
    /// The range ends before it starts.
    Reversed,
    /// One end is 0, which stands for any port, the other isn't.
    HalfAny,
}

impl PortsProblem {
    /// What is wrong.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Blank => "the rule names no port",
            Self::Reversed => "the range of ports ends before it starts",
            Self::HalfAny => "0 stands for any port and can't be one end of a range",
        }
    }

    /// What to do.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Blank => "give `start_port`, `end_port` or both; 0 stands for any port",
            Self::Reversed => "write the lower port first",
            Self::HalfAny => "write 0 alone for any port, or a range from 1",
        }
    }
}

impl Ports {
    /// Any port, also an unknown one.
    pub const ANY: Self = Self { first: 0, last: u16::MAX };

    /// The ports between two ends; an end that is missing is the other one, and 0 is any port.
    ///
    /// # Errors
    /// When the ends make no range.
    pub const fn new(start: Option<u16>, end: Option<u16>) -> Result<Self, PortsProblem> {
        let (first, last) = match (start, end) {
            (Some(first), Some(last)) => (first, last),
            (Some(port), None) | (None, Some(port)) => (port, port),
            (None, None) => return Err(PortsProblem::Blank),
        };
        match (first, last) {
            (0, 0) => Ok(Self::ANY),
            (0, _) | (_, 0) => Err(PortsProblem::HalfAny),
            _ if first > last => Err(PortsProblem::Reversed),
            _ => Ok(Self { first, last }),
        }
    }

    /// The lowest; 0 for any port.
    #[must_use]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The highest.
    #[must_use]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// How many there are: 1 is one port, 65,536 is any port.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.last as u32 - self.first as u32 + 1
    }

    /// Whether the port is one of these. An unknown port, 0, is only in [`Ports::ANY`].
    #[must_use]
    pub const fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (0, _) => f.write_str("0"),
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_mirrored_and_checked() {
        for (start, end, expected) in [
            (Some(80), None, Ok("80")),
            (None, Some(80), Ok("80")),
            (Some(80), Some(80), Ok("80")),
            (Some(80), Some(90), Ok("80-90")),
            (Some(1), Some(65535), Ok("1-65535")),
            (Some(0), None, Ok("0")),
            (Some(0), Some(0), Ok("0")),
            (Some(0), Some(100), Err(PortsProblem::HalfAny)),
            (Some(100), Some(0), Err(PortsProblem::HalfAny)),
            (Some(90), Some(80), Err(PortsProblem::Reversed)),
            (None, None, Err(PortsProblem::Blank)),
        ] {
            let ports = Ports::new(start, end).map(|ports| ports.to_string());
            assert_eq!(ports, expected.map(str::to_owned), "{start:?} {end:?}");
        }
        assert_eq!((Ports::ANY.width(), Ports::new(Some(1), Some(65535)).unwrap().width()), (65536, 65535));
    }
}
