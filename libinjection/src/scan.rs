//! The input of a tokenizer, and every loop over its bytes.
//!
//! All code that walks over input does it through [`Scan`]. In the crate's own tests it counts each byte that is
//! looked at, so that linear time is proved by counting steps instead of measuring seconds.

/// A byte string that is read by position.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan<'a> {
    bytes: &'a [u8],
}

/// Counts bytes that are looked at; only in tests.
#[inline(always)]
fn count(_steps: usize) {
    #[cfg(test)]
    counter::add(_steps);
}

impl<'a> Scan<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte at a position, if the input reaches that far.
    #[inline]
    pub(crate) fn at(&self, position: usize) -> Option<u8> {
        count(1);
        self.bytes.get(position).copied()
    }

    /// The bytes from `from` up to, but without, `to`; empty when they are not all there.
    #[inline]
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or(&[])
    }

    /// The bytes from `from` to the end.
    #[inline]
    pub(crate) fn rest(&self, from: usize) -> &'a [u8] {
        self.bytes.get(from..).unwrap_or(&[])
    }

    /// The first position at or after `from` whose byte satisfies `wanted`.
    #[inline]
    pub(crate) fn find(&self, from: usize, wanted: impl Fn(u8) -> bool) -> Option<usize> {
        let found = self.rest(from).iter().position(|byte| wanted(*byte));
        count(found.map_or(self.bytes.len().saturating_sub(from), |distance| distance + 1));
        found.map(|distance| from + distance)
    }

    /// The end of the run of bytes from `from` that satisfy `wanted`.
    #[inline]
    pub(crate) fn span(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        self.find(from, |byte| !wanted(byte)).unwrap_or(self.bytes.len())
    }

    /// The first position in `from..to` of the two bytes `pair`, both of them inside.
    pub(crate) fn find_pair(&self, from: usize, to: usize, pair: [u8; 2]) -> Option<usize> {
        let found = self.slice(from, to).windows(2).position(|window| window == pair);
        count(found.map_or(to.saturating_sub(from), |distance| distance + 1));
        found.map(|distance| from + distance)
    }

    /// The first position at or after `from` of `needle`.
    ///
    /// The comparisons at all the starts of the needle's first byte must not overlap much: the needle is short, or
    /// has that byte only at its start and its end.
    pub(crate) fn find_text(&self, from: usize, needle: &[u8]) -> Option<usize> {
        let first = *needle.first()?;
        let mut start = from;
        loop {
            start = self.find(start, |byte| byte == first)?;
            let rest = self.rest(start);
            count(rest.iter().zip(needle).take_while(|(a, b)| a == b).count());
            if rest.starts_with(needle) {
                return Some(start);
            }
            start += 1;
        }
    }

    /// How many times `byte` stands in a row just before `end`, not looking before `start`.
    pub(crate) fn run_before(&self, start: usize, end: usize, byte: u8) -> usize {
        let run = self.slice(start, end).iter().rev().take_while(|candidate| **candidate == byte).count();
        count(run + 1);
        run
    }
}

/// The counter of the current thread.
#[cfg(test)]
pub(crate) mod counter {
    std::thread_local! {
        static STEPS: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
    }

    pub(super) fn add(steps: usize) {
        STEPS.set(STEPS.get() + steps);
    }

    /// The bytes that `work` looks at.
    pub(crate) fn steps_of<T>(work: impl FnOnce() -> T) -> usize {
        STEPS.set(0);
        work();
        STEPS.get()
    }
}
