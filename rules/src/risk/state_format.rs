//! The binary form of a client's state. Of another version nothing is known.

use super::client::ClientState;
use super::rate::Window;
use super::settings::RiskSettings;
use crate::collections::{Entry, Reader, Writer};

const VERSION: u8 = 1;

impl ClientState {
    /// Reads a state; one that is not known when the bytes make no sense.
    #[must_use]
    pub fn read(payload: &[u8]) -> Self {
        Self::parse(payload).unwrap_or_default()
    }

    fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload);
        if reader.u8()? != VERSION {
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
        while !reader.0.is_empty() && state.windows.len() < crate::limits::CLIENT_WINDOWS {
            let mut window = Window { rule: reader.u64()?, part: reader.u64()?, ..Window::default() };
            window.scored = reader.u64()?;
            for count in &mut window.counts {
                *count = reader.u16()?;
            }
            state.windows.push(window);
        }
        Some(state)
    }

    /// The state as an entry of the store. A client that is blocked is protected for as long as it is.
    #[must_use]
    pub fn entry(&self, settings: &RiskSettings) -> Entry {
        let mut writer = Writer(Vec::with_capacity(48 + self.windows.len() * 42));
        writer.u8(VERSION).f32(self.score).u64(self.at).u32(self.serious_at);
        writer.u8(self.stage).u32(self.stage_at).u8(self.blocks);
        writer.u32(self.blocked_at).u32(self.blocked_until);
        writer.u32(self.slowed_until).u16(self.slowed).u32(self.challenged_until).u32(self.matches);
        for window in &self.windows {
            writer.u64(window.rule).u64(window.part).u64(window.scored);
            for &count in &window.counts {
                writer.u16(count);
            }
        }
        Entry {
            kept_until: self.kept_until(settings),
            protected_until: self.blocked_until,
            payload: writer.0,
        }
    }
}
