//! What is known of a client, and how it changes: score, ladder of blocks, slowing, challenges, rate windows.

use smallvec::SmallVec;

use super::rate::{ClientLimit, Rate, RateAction, Window};
use super::settings::{RiskSettings, ScoreSettings, Tarpit};
use super::vocabulary::{KillChain, RiskAction, Standing};
use crate::limits;

/// What is known of a client. Milliseconds and seconds are since 1970; 0 stands for never.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientState {
    /// The score at [`ClientState::at`], 0 to 100.
    pub score: f32,
    /// Millisecond to which the score belongs.
    pub at: u64,
    /// Second of the last match of risk 11 or more.
    pub serious_at: u32,
    /// The most advanced stage seen within the live window, and when it was seen.
    pub stage: u8,
    /// Second of that.
    pub stage_at: u32,
    /// How often it was blocked, as far as that still counts.
    pub blocks: u8,
    /// Second at which the last block began.
    pub blocked_at: u32,
    /// Second at which the block ends; `u32::MAX` for never.
    pub blocked_until: u32,
    /// Second until which it is slowed down.
    pub slowed_until: u32,
    /// How many of its answers were slowed down in a row.
    pub slowed: u16,
    /// Second until which it is challenged.
    pub challenged_until: u32,
    /// Matches so far.
    pub matches: u32,
    /// Second until which it would be blocked, if scores were to block.
    pub spared_until: u32,
    /// Second of the last record about a request during a block; 0 for none.
    pub noted_at: u32,
    /// The number of the reason that it said.
    pub noted_why: u8,
    /// Requests during a block since then.
    pub unnoted: u32,
    /// Rate windows, the one that moved last at the end.
    pub windows: SmallVec<[Window; 2]>,
}

/// What a rule says of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A match.
    Match {
        /// The rule.
        rule: u64,
        /// Its risk.
        risk: u8,
        /// Its state.
        state: Option<KillChain>,
        /// What it asks for.
        action: RiskAction,
        /// How many matches are still fine, for a rate rule.
        rate: Option<Rate>,
    },
    /// `setvar:client.risk=+N`: N is added as risk without gain and weight.
    Add(u8),
    /// `setvar:client.risk=-N`.
    Subtract(u8),
    /// `setvar:client.risk=N`.
    Set(u8),
    /// Its answer is slowed down.
    Slowed,
    /// Its request came during a block, or one that is not carried out; the number tells reasons apart.
    Refused(u8),
}

/// A block that began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Which one it is, from 1.
    pub number: u8,
    /// Second at which it ends; `u32::MAX` for never.
    pub until: u32,
}

/// What an event leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Consequence {
    /// The rule refuses the exchange.
    pub refuse: bool,
    /// A block began.
    pub block: Option<Block>,
    /// A block would have begun, if scores were to block.
    pub spared: Option<Block>,
    /// What the rate of the rule, which is passed, does for the rest of its window.
    pub limit: Option<RateAction>,
    /// Requests during a block that are to be recorded now: this one and those since the last record.
    pub noted: Option<u32>,
    /// A rate rule stayed below its limit: its match counted, and nothing else.
    pub below: bool,
    /// What was added to the score.
    pub added: f32,
}

/// Seconds of a millisecond.
fn seconds(now: u64) -> u32 {
    u32::try_from(now / 1_000).unwrap_or(u32::MAX)
}

/// When a block with this number that begins at `second` ends.
fn end_of_block(settings: &RiskSettings, number: u8, second: u32) -> u32 {
    let block = &settings.block;
    let for_good = block.permanent_after > 0 && number >= block.permanent_after;
    if for_good { u32::MAX } else { second.saturating_add(block.seconds) }
}

impl RiskSettings {
    /// What the rate of a rule does to the client, if it does anything.
    fn limit(&self, rule: u64) -> Option<&ClientLimit> {
        self.limits.iter().find(|limit| limit.rule == rule)
    }
}

impl ScoreSettings {
    /// What a match adds, before saturation: 0 to 100.
    #[must_use]
    pub fn contribution(&self, risk: u8, state: Option<KillChain>) -> f32 {
        let gain = match risk {
            0..=10 => self.low_gain,
            11..=90 => self.medium_gain,
            _ => self.high_gain,
        };
        (f32::from(risk) * gain * self.weight(state)).clamp(0.0, 100.0)
    }
}

impl ClientState {
    /// The score at `now`, in milliseconds since 1970.
    #[must_use]
    pub fn score_at(&self, settings: &ScoreSettings, now: u64) -> f32 {
        let passed = now.saturating_sub(self.at) as f32 / 1_000.0;
        let half_life = settings.half_life.max(1) as f32;
        (self.score * (-passed / half_life).exp2()).clamp(0.0, 100.0)
    }

    /// How it stands at `now`, lists apart.
    #[must_use]
    pub fn standing(&self, now: u64) -> Standing {
        match self.blocked_until {
            u32::MAX => Standing::BlockedForGood,
            end if end > seconds(now) => Standing::Blocked,
            _ => Standing::Watched,
        }
    }

    /// Its stage, if it was seen within the live window.
    #[must_use]
    pub fn stage(&self, settings: &ScoreSettings, now: u64) -> Option<KillChain> {
        let fresh = self.stage_at.saturating_add(settings.live_window) > seconds(now);
        KillChain::of_rank(self.stage).filter(|_| fresh)
    }

    /// Takes an event in.
    pub fn take(&mut self, settings: &RiskSettings, event: &Event, now: u64) -> Consequence {
        self.take_in(settings, event, now, false)
    }

    /// Takes an event of a client in that is on the allow list: it is scored, and neither blocked nor slowed down nor
    /// challenged for it.
    pub fn take_allowed(&mut self, settings: &RiskSettings, event: &Event, now: u64) -> Consequence {
        self.take_in(settings, event, now, true)
    }

    fn take_in(&mut self, settings: &RiskSettings, event: &Event, now: u64, allowed: bool) -> Consequence {
        let mut consequence = Consequence::default();
        let score = self.score_at(&settings.score, now);
        let (added, serious) = match *event {
            Event::Match { rule, risk, state, action, rate } => {
                self.matches = self.matches.saturating_add(1);
                self.set_score(score, now);
                let passed = rate.map(|rate| self.window(rule).count(rate, now));
                if passed == Some(None) {
                    consequence.below = true;
                    return consequence;
                }
                if !allowed {
                    self.act(settings, action, now);
                }
                consequence.limit = passed.and_then(|_| settings.limit(rule)).map(|limit| limit.action);
                consequence.refuse = action == RiskAction::Block;
                self.note_stage(settings, state, now);
                // A rate rule is scored once per window; it acts on each match past its limit.
                let scored = !matches!(passed, Some(Some(false)));
                let added = if scored { settings.score.contribution(risk, state) } else { 0.0 };
                (added, risk >= 11)
            }
            Event::Add(by) => (f32::from(by.min(100)), by >= 11),
            Event::Subtract(by) => {
                self.set_score((score - f32::from(by)).max(0.0), now);
                return consequence;
            }
            Event::Set(to) => {
                self.set_score(0.0, now);
                (f32::from(to.min(100)), to >= 11)
            }
            Event::Slowed => {
                self.slowed = self.slowed.saturating_add(1);
                return consequence;
            }
            Event::Refused(why) => {
                consequence.noted = self.note(why, now);
                return consequence;
            }
        };
        let before = if matches!(event, Event::Set(_)) { 0.0 } else { score };
        self.set_score(before + (100.0 - before) * added / 100.0, now);
        consequence.added = self.score - before;
        if serious {
            self.serious_at = seconds(now).max(1);
        }
        if !allowed && self.deserves_block(settings, now) {
            if settings.switches.risk_blocks {
                consequence.block = Some(self.step_up(settings, now));
            } else {
                consequence.spared = self.spare(settings, now);
            }
        }
        consequence
    }

    /// Counts a request during a block. How many there were, if that is to be recorded now.
    fn note(&mut self, why: u8, now: u64) -> Option<u32> {
        let second = seconds(now).max(1);
        self.unnoted = self.unnoted.saturating_add(1);
        let passed = second.saturating_sub(self.noted_at);
        if self.noted_at > 0 && self.noted_why == why && passed < limits::BLOCK_RECORD_SECONDS {
            return None;
        }
        (self.noted_at, self.noted_why) = (second, why);
        Some(std::mem::take(&mut self.unnoted))
    }

    fn set_score(&mut self, score: f32, now: u64) {
        self.score = score.clamp(0.0, 100.0);
        self.at = now.max(self.at);
    }

    fn note_stage(&mut self, settings: &RiskSettings, state: Option<KillChain>, now: u64) {
        let Some(state) = state else { return };
        if self.stage(&settings.score, now).is_none_or(|known| state >= known) {
            self.stage = state.rank();
            self.stage_at = seconds(now);
        }
    }

    fn act(&mut self, settings: &RiskSettings, action: RiskAction, now: u64) {
        match action {
            RiskAction::Track | RiskAction::Block => {}
            RiskAction::Tarpit => {
                if self.slowed_until <= seconds(now) {
                    self.slowed = 0;
                }
                self.slowed_until = seconds(now).saturating_add(settings.tarpit.seconds);
            }
            RiskAction::Interrogate => {
                self.challenged_until = seconds(now).saturating_add(settings.interrogate.seconds);
            }
        }
    }

    /// Whether the score says that a block begins. While it is blocked nothing changes: requests do not prolong a block.
    fn deserves_block(&self, settings: &RiskSettings, now: u64) -> bool {
        let live =
            self.serious_at > 0 && self.serious_at.saturating_add(settings.score.live_window) > seconds(now);
        live && self.score >= settings.block.threshold && self.standing(now) == Standing::Watched
    }

    /// Begins a block.
    fn step_up(&mut self, settings: &RiskSettings, now: u64) -> Block {
        let second = seconds(now);
        self.blocks = self.next_block(settings, second);
        self.blocked_at = second;
        self.blocked_until = end_of_block(settings, self.blocks, second);
        (self.spared_until, self.noted_at, self.unnoted) = (0, 0, 0);
        Block { number: self.blocks, until: self.blocked_until }
    }

    /// The block that would begin; `None` while one would last.
    fn spare(&mut self, settings: &RiskSettings, now: u64) -> Option<Block> {
        let second = seconds(now);
        if self.spared_until > second {
            return None;
        }
        let number = self.next_block(settings, second);
        let until = end_of_block(settings, number, second);
        // Nothing is for good that is not carried out.
        self.spared_until = second.saturating_add(settings.block.seconds);
        (self.noted_at, self.unnoted) = (0, 0);
        Some(Block { number, until })
    }

    /// Which block the next one is.
    fn next_block(&self, settings: &RiskSettings, second: u32) -> u8 {
        let forgotten = self.blocked_until.saturating_add(settings.block.forget_after) <= second;
        let before = if forgotten { 0 } else { self.blocks };
        before.saturating_add(1)
    }

    /// The rule whose rate this client has passed at `now`, what it does, and until when, in milliseconds.
    #[must_use]
    pub fn limited(&self, settings: &RiskSettings, now: u64) -> Option<(ClientLimit, u64)> {
        let over = |window: &Window| {
            let limit = settings.limit(window.rule)?;
            Some((*limit, window.over_until(limit.rate, now)?))
        };
        let mut over = self.windows.iter().filter_map(over);
        let first = over.next()?;
        // A block outweighs a challenge, and a longer one a shorter one.
        let weight = |(limit, until): &(ClientLimit, u64)| (limit.action == RateAction::Block, *until);
        Some(over.fold(first, |most, one| if weight(&one) > weight(&most) { one } else { most }))
    }

    fn window(&mut self, rule: u64) -> &mut Window {
        let place = self.windows.iter().position(|window| window.rule == rule);
        let window = match place {
            Some(place) => self.windows.remove(place),
            None => {
                if self.windows.len() >= limits::CLIENT_WINDOWS {
                    self.windows.remove(0);
                }
                Window { rule, ..Window::default() }
            }
        };
        self.windows.push(window);
        let last = self.windows.len() - 1;
        // There is one: it was pushed just now.
        #[expect(clippy::indexing_slicing, reason = "the place of what was pushed just now")]
        &mut self.windows[last]
    }

    /// How its answers are slowed down at `now`, if they are.
    #[must_use]
    pub fn tarpit(&self, settings: &RiskSettings, now: u64) -> Option<Tarpit> {
        let tarpit = &settings.tarpit;
        let by_score = tarpit.threshold.is_some_and(|from| self.score_at(&settings.score, now) >= from);
        if !by_score && self.slowed_until <= seconds(now) {
            return None;
        }
        let growth = tarpit.growth.max(1.0).powi(i32::from(self.slowed.min(1_000)));
        // A cast saturates.
        let delay = (tarpit.delay as f32 * growth).min(tarpit.longest as f32) as u32;
        Some(Tarpit {
            delay,
            bytes_per_second: tarpit.bytes_per_second,
            held_bytes: tarpit.held_bytes,
            streams: tarpit.streams,
            fallback: tarpit.fallback,
        })
    }

    /// Whether it has to pass a challenge at `now`.
    #[must_use]
    pub fn is_challenged(&self, settings: &RiskSettings, now: u64) -> bool {
        let from = settings.interrogate.threshold;
        self.challenged_until > seconds(now)
            || from.is_some_and(|from| self.score_at(&settings.score, now) >= from)
    }

    /// Second until which it is worth keeping: until its score is below 1 and nothing else is left of it.
    #[must_use]
    pub fn kept_until(&self, settings: &RiskSettings) -> u32 {
        let half_lives = self.score.max(1.0).log2();
        let fades = seconds(self.at).saturating_add((half_lives * settings.score.half_life as f32) as u32);
        let blocks =
            if self.blocks == 0 { 0 } else { self.blocked_until.saturating_add(settings.block.forget_after) };
        let window = settings.longest_window.saturating_add(settings.longest_window / 8 + 1);
        let windows = if self.windows.is_empty() { 0 } else { seconds(self.at).saturating_add(window) };
        let stage =
            if self.stage == 0 { 0 } else { self.stage_at.saturating_add(settings.score.live_window) };
        let noted =
            if self.noted_at == 0 { 0 } else { self.noted_at.saturating_add(limits::BLOCK_RECORD_SECONDS) };
        let until = fades.max(blocks).max(windows).max(stage).max(noted);
        until.max(self.slowed_until).max(self.challenged_until).max(self.spared_until)
    }
}
