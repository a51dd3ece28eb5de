//! The binary form of a client's state. Of another version nothing is known.

use super::client::ClientState;
use super::rate::{Rate, Window};
use super::settings::RiskSettings;
use crate::collections::{Entry, Reader, Writer};

const VERSION: u8 = 1;

/// With what most clients have nothing of: what stands between the fixed fields and the windows.
const LONG_VERSION: u8 = 2;

impl Window {
    /// The window as an entry of the store, of its own: for rates that are not counted by client.
    pub(crate) fn entry(&self, rate: Rate, now: u64) -> Entry {
        let mut writer = Writer(Vec::with_capacity(44));
        writer.u8(VERSION);
        self.write(&mut writer);
        let seconds = rate.seconds.saturating_add(rate.seconds / 8 + 1);
        let kept_until = u32::try_from(now / 1_000).unwrap_or(u32::MAX).saturating_add(seconds);
        // Whoever fills the store must not free an account that is being attacked.
        let over = self.over_until(rate, now).map_or(0, |end| end.div_ceil(1_000));
        Entry { kept_until, protected_until: u32::try_from(over).unwrap_or(u32::MAX), payload: writer.0 }
    }

    /// Reads such an entry; an empty window when the bytes make no sense.
    pub(crate) fn read(payload: &[u8]) -> Self {
        let mut reader = Reader(payload);
        let known = reader.u8() == Some(VERSION);
        known.then(|| Self::parse(&mut reader)).flatten().unwrap_or_default()
    }

    fn parse(reader: &mut Reader<'_>) -> Option<Self> {
        let mut window = Self { rule: reader.u64()?, part: reader.u64()?, ..Self::default() };
        window.scored = reader.u64()?;
        for count in &mut window.counts {
            *count = reader.u16()?;
        }
        Some(window)
    }

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.rule).u64(self.part).u64(self.scored);
        for &count in &self.counts {
            writer.u16(count);
        }
    }
}

impl ClientState {
    /// Reads a state; one that is not known when the bytes make no sense.
    #[must_use]
    pub fn read(payload: &[u8]) -> Self {
        Self::parse(payload).unwrap_or_default()
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        let version = reader.u8()?;
        if !matches!(version, VERSION | LONG_VERSION) {
            return None;
        }
        let score = reader.f32()?;
        let mut state = Self {
            score: if score.is_finite() { score.clamp(0.0, 100.0) } else { 0.0 },
            at: reader.u64()?,
            serious_at: reader.u32()?,
            stage: reader.u8()?,
            stage_at: reader.u32()?,
            blocks: reader.u8()?,
            blocked_at: reader.u32()?,
            blocked_until: reader.u32()?,
            slowed_until: reader.u32()?,
            slowed: reader.u16()?,
            challenged_until: reader.u32()?,
            matches: reader.u32()?,
            ..Self::default()
        };
        if version == LONG_VERSION {
            (state.spared_until, state.noted_at) = (reader.u32()?, reader.u32()?);
            (state.noted_why, state.unnoted) = (reader.u8()?, reader.u32()?);
        }
        while !reader.0.is_empty() && state.windows.len() < crate::limits::CLIENT_WINDOWS {
            state.windows.push(Window::parse(&mut reader)?);
        }
        Some(state)
    }

    /// The state as an entry of the store. A client that is blocked is protected for as long as it is.
    #[must_use]
    pub fn entry(&self, settings: &RiskSettings) -> Entry {
        let mut writer = Writer(Vec::with_capacity(61 + self.windows.len() * 42));
        let long = self.spared_until > 0 || self.noted_at > 0;
        writer
            .u8(if long { LONG_VERSION } else { VERSION })
            .f32(self.score)
            .u64(self.at)
            .u32(self.serious_at);
        writer.u8(self.stage).u32(self.stage_at).u8(self.blocks);
        writer.u32(self.blocked_at).u32(self.blocked_until);
        writer.u32(self.slowed_until).u16(self.slowed).u32(self.challenged_until).u32(self.matches);
        if long {
            writer.u32(self.spared_until).u32(self.noted_at).u8(self.noted_why).u32(self.unnoted);
        }
        for window in &self.windows {
            window.write(&mut writer);
        }
        Entry {
            kept_until: self.kept_until(settings),
            protected_until: self.blocked_until,
            payload: writer.0,
        }
    }
}
