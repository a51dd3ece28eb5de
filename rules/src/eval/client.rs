//! The client of a transaction: who it is, what is known of it, what its matches lead to.

use std::net::IpAddr;
use std::sync::Arc;

use super::admission;
use super::body::element;
use super::state::State;
use super::store::Address;
use super::{Disruption, Interruption};
use crate::audit::ClientMatch;
use crate::challenge::ANSWER_HEADER;
use crate::collections::{Key, Kind, Update};
use crate::geo::country_code;
use crate::limits;
use crate::model::{EngineMode, Phase, Store, Variable};
use crate::operators::leading_integer;
use crate::plan::{ChangePlan, MarkPlan, Plan, RulePlan, Slot, Slots};
use crate::risk::{
    ClientFacts, ClientState, Consequence, Event, GeoSource, Identity, RiskSettings, SetBy, Standing, Tarpit,
};

/// Why a client is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rule's action is `block`.
    Rule,
    /// Its score has reached the threshold; it is blocked for a time.
    Blocked,
    /// It is blocked for good.
    BlockedForGood,
    /// It is on the block list.
    BlockListed,
    /// It is on the deny list.
    DenyListed,
    /// It has to pass a challenge first.
    Interrogate,
    /// It has just passed one: this is no refusal, it gets its cookie.
    Answered,
}

impl Refusal {
    /// The word for reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule_block",
            Self::Blocked => "risk_block",
            Self::BlockedForGood => "permanent_block",
            Self::BlockListed => "block_list",
            Self::DenyListed => "deny_list",
            Self::Interrogate => "interrogate",
            Self::Answered => "answered",
        }
    }

    /// Whether the exchange, the client, or a list is the reason.
    #[must_use]
    pub const fn level(self) -> &'static str {
        match self {
            Self::Rule => "request",
            Self::Blocked | Self::BlockedForGood | Self::Interrogate | Self::Answered => "entity",
            Self::BlockListed | Self::DenyListed => "list",
        }
    }
}

/// What is known of a client, for reports.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientView {
    /// Its key: 32 hexadecimal digits.
    pub key: String,
    /// Its score now.
    pub risk: f32,
    /// How it stands.
    pub standing: Standing,
    /// How often it was blocked, as far as that counts.
    pub blocks: u8,
    /// Second since 1970 at which its block ends; `None` when it is not blocked, `u32::MAX` for never.
    pub blocked_until: Option<u32>,
    /// How its answers are slowed down.
    pub tarpit: Option<Tarpit>,
    /// Whether it has to pass a challenge.
    pub challenged: bool,
}

/// What happened to a client, for counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientCounts {
    /// Blocks for a time that began.
    pub blocked: u32,
    /// Blocks for good that began.
    pub blocked_for_good: u32,
    /// Requests refused because of their client.
    pub refused: u32,
    /// Requests that came during a block.
    pub post_block: u32,
    /// Answers that are slowed down.
    pub tarpitted: u32,
    /// Challenges.
    pub challenged: u32,
    /// Requests of clients that had to pass a challenge and have.
    pub passed: u32,
    /// Matches.
    pub matches: u32,
    /// The score after a change, rounded.
    pub score: Option<u8>,
}

/// The client of a transaction.
#[derive(Debug)]
pub(crate) struct Client {
    pub(super) settings: Arc<RiskSettings>,
    pub(super) facts: ClientFacts,
    pub(super) key: Option<Key>,
    pub(super) state: ClientState,
    /// What the state comes to with what is pending, if anything is.
    foreseen: Option<ClientState>,
    standing: Standing,
    /// A refusal that stands from the beginning.
    refusal: Option<Refusal>,
    pending: Vec<(Event, u64, Phase)>,
    pub(super) matches: Vec<ClientMatch>,
    /// How many of them have been weighed.
    weighed: usize,
    counts: ClientCounts,
    /// Whether it was blocked when the request came.
    pub(super) post_block: bool,
    pub(super) request_done: u64,
    pub(super) response_at: u64,
    pub(super) lines: Vec<Vec<u8>>,
    /// What its tokens and cookies are bound to.
    pub(super) binding: Vec<u8>,
    /// The cookie that it has earned with this request, as a header value.
    pub(super) cookie: Option<String>,
}

impl Client {
    fn new(settings: &Arc<RiskSettings>) -> Self {
        Self {
            settings: Arc::clone(settings),
            facts: ClientFacts::default(),
            key: None,
            state: ClientState::default(),
            foreseen: None,
            standing: Standing::Watched,
            refusal: None,
            pending: Vec::new(),
            matches: Vec::new(),
            weighed: 0,
            counts: ClientCounts::default(),
            post_block: false,
            request_done: 0,
            response_at: 0,
            lines: Vec::new(),
            binding: Vec::new(),
            cookie: None,
        }
    }
}

impl State {
    pub(super) fn milliseconds(&self) -> u64 {
        self.now.0 / 1_000_000
    }

    pub(crate) fn client_facts(&mut self, plan: &Plan, facts: ClientFacts) {
        let Some(settings) = plan.risk() else { return };
        self.client.get_or_insert_with(|| Box::new(Client::new(settings))).facts = facts;
    }

    /// Whether the client is on the allow list: nothing is refused then.
    pub(crate) fn is_exempt(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.standing == Standing::AllowListed)
    }

    /// Finds out who the client is and what is known of it.
    pub(crate) fn meet_client(&mut self, plan: &Plan) {
        let Some(settings) = plan.risk() else { return };
        let mut client = self.client.take().unwrap_or_else(|| Box::new(Client::new(settings)));
        let address = self.data.view(0).map(|view| view.scalars.get(Variable::RemoteAddr));
        let address: Option<IpAddr> =
            address.and_then(|address| std::str::from_utf8(self.values.get(address)).ok()?.parse().ok());
        let entity = &settings.entity;
        let mut identity = Identity {
            address,
            user_agent: self.header(b"user-agent"),
            ja3: entity.ja3_header.as_ref().map_or(b"", |name| self.header(name.as_bytes())),
            ja4: entity.ja4_header.as_ref().map_or(b"", |name| self.header(name.as_bytes())),
            header: entity.header.as_ref().map_or(b"", |name| self.header(name.as_bytes())),
            cookie: entity.cookie.as_ref().map_or(b"", |name| self.cookie(name.as_bytes())),
            interrogation: b"",
        };
        let bound = identity.key(entity);
        client.binding = [&bound.0[..], identity.user_agent].concat();
        if plan.may_interrogate()
            && let Some(passed) = client.passed_before(self.header(b"cookie"), self.now)
        {
            client.facts.interrogation = Some(passed.to_vec());
            client.facts.verified = true;
        }
        let verified = client.facts.interrogation.as_deref().filter(|_| client.facts.verified);
        identity.interrogation = verified.unwrap_or_default();
        let key = if identity.interrogation.is_empty() { bound } else { identity.key(entity) };
        client.key = Some(key);
        if let Some(store) = &self.persistent.store {
            client.state = admission::known(store, settings, key, address, self.now);
        }
        (client.standing, client.refusal) = admission::judge(settings, &client.state, address, self.now);
        client.post_block = client.refusal.is_some();
        let answer = self.header(ANSWER_HEADER.as_bytes());
        let answered = (plan.may_interrogate() && !answer.is_empty() && client.refusal.is_none())
            .then(|| client.answer(answer, self.now));
        let country = self.country(&settings.country, address);
        self.client = Some(client);
        if let Some(refusal) = answered {
            let disruption = Disruption::Client(refusal);
            self.interrupt(Interruption { rule_id: 0, phase: Phase::RequestHeaders, disruption });
        }
        if let Some(country) = country {
            let found = element(&mut self.values, b"COUNTRY_CODE", &country);
            self.data.geo.push(found);
        }
        self.show_client();
    }

    pub(super) fn header(&self, name: &[u8]) -> &[u8] {
        let mut headers = self.data.request_headers.iter();
        let found = headers.find(|header| self.values.get(header.key).eq_ignore_ascii_case(name));
        found.map_or(b"", |header| self.values.get(header.value))
    }

    fn cookie(&self, name: &[u8]) -> &[u8] {
        let found = self.data.cookies.iter().find(|cookie| self.values.get(cookie.key) == name);
        found.map_or(b"", |cookie| self.values.get(cookie.value))
    }

    /// Two letters, upper-case.
    fn country(&self, source: &GeoSource, address: Option<IpAddr>) -> Option<Vec<u8>> {
        match source {
            GeoSource::None => None,
            GeoSource::Header { set_by: SetBy::TrustedHop, .. } if !self.from_trusted_hop => None,
            GeoSource::Header { name, .. } => country_code(self.header(name.as_bytes())),
            GeoSource::Database(database) => database.country(address?),
        }
    }

    /// Puts what is known of the client, and what is pending, where rules see it.
    fn show_client(&mut self) {
        let now = self.milliseconds();
        let Some(client) = &self.client else { return };
        let (settings, state) = (&client.settings, client.foreseen.as_ref().unwrap_or(&client.state));
        let risk = state.score_at(&settings.score, now) as u8;
        let stage = state.stage(&settings.score, now).map_or("", |stage| stage.name());
        let standing = match client.standing {
            Standing::Watched => state.standing(now),
            standing => standing,
        };
        let (risk, blocks) =
            (self.values.add_number(risk.into()), self.values.add_number(state.blocks.into()));
        let (stage, standing) =
            (self.values.add(stage.as_bytes()), self.values.add(standing.name().as_bytes()));
        let facts = [risk, stage, standing, blocks];
        for ((slot, name), value) in (0..).zip(Slots::CLIENT).zip(facts) {
            let name = self.values.add(name);
            if let Some(store) = self.stores.get_mut(Store::Client as usize) {
                store.set(Address::Slot(Slot(slot)), name, value);
            }
        }
    }

    /// `setvar:client.risk`.
    pub(crate) fn set_client_risk(&mut self, plan: &Plan, rule: &RulePlan, change: &ChangePlan) {
        if self.client.is_none() || plan.set(rule.set).is_none_or(|set| self.mode(set) != EngineMode::On) {
            return;
        }
        let risk = |amount: i64| u8::try_from(amount.clamp(0, 100)).unwrap_or(100);
        let event = match change {
            ChangePlan::Remove => Event::Set(0),
            ChangePlan::Set(text) => {
                let value = self.expand_value(plan, text, rule.set);
                Event::Set(risk(leading_integer(self.values.get(value))))
            }
            ChangePlan::Add(text) | ChangePlan::Subtract(text) => {
                let amount = self.number(plan, rule, text);
                let amount =
                    if matches!(change, ChangePlan::Add(_)) { amount } else { amount.saturating_neg() };
                if amount < 0 {
                    Event::Subtract(risk(amount.saturating_neg()))
                } else {
                    Event::Add(risk(amount))
                }
            }
        };
        self.add_event(event, rule);
    }

    /// Keeps an event until the end of the phase. Rules see what comes of it at once.
    fn add_event(&mut self, event: Event, rule: &RulePlan) {
        let now = self.milliseconds();
        let Some(client) =
            self.client.as_mut().filter(|client| client.pending.len() < limits::CLIENT_MATCHES)
        else {
            return;
        };
        client.foreseen.get_or_insert_with(|| client.state.clone()).take(&client.settings, &event, now);
        client.pending.push((event, rule.id, rule.phase));
        self.show_client();
    }

    /// Notes that a rule which says something of the client has matched.
    pub(crate) fn note_client_match(
        &mut self,
        plan: &Plan,
        rule: &RulePlan,
        mark: &MarkPlan,
        mode: EngineMode,
    ) {
        if self.client.is_none() {
            return;
        }
        // What is only watched changes nothing, not even a score.
        let beta = mark.beta || mode != EngineMode::On;
        let description = rule.meta.message.as_ref().map(|text| self.expand_traced(plan, text, rule.set));
        let Some(client) = self.client.as_mut() else { return };
        if client.matches.len() >= limits::CLIENT_MATCHES {
            return;
        }
        client.counts.matches = client.counts.matches.saturating_add(1);
        client.matches.push(ClientMatch {
            id: rule.id,
            description: description.unwrap_or_default(),
            tag_name: mark.tag_name.to_string(),
            classification: mark.classification,
            state: mark.state,
            contribution: 0.0,
            risk: mark.risk,
            action: mark.action,
            blocking: false,
            beta,
            below: false,
        });
        if !beta {
            let event = Event::Match {
                rule: rule.id,
                risk: mark.risk,
                state: mark.state,
                action: mark.action,
                rate: mark.rate,
            };
            self.add_event(event, rule);
        }
    }

    /// After a phase: takes in what its rules said of the client, and refuses the exchange if that is what
    /// follows.
    pub(crate) fn judge_client(&mut self, plan: &Plan, phase: Phase) {
        let Some(mut client) = self.client.take() else { return };
        let now = self.milliseconds();
        let events = std::mem::take(&mut client.pending);
        client.foreseen = None;
        let changed = !events.is_empty();
        let mut refusal = client.refusal.take().map(|refusal| (refusal, 0));
        if changed {
            let consequences = self.keep(&mut client, &events);
            let found = client.weigh(&events, &consequences);
            refusal = refusal.or(found);
            client.counts.score = Some(client.state.score_at(&client.settings.score, now) as u8);
        }
        match phase {
            Phase::RequestHeaders => self.count_passed(&mut client),
            Phase::RequestBody => client.request_done = now,
            Phase::ResponseHeaders => client.response_at = now,
            _ => {}
        }
        let request = phase <= Phase::RequestBody;
        if refusal.is_none() && request && client.must_answer(now) {
            refusal = Some((Refusal::Interrogate, self.rule_of(&events)));
        }
        if let Some((refusal, rule_id)) = refusal
            && phase != Phase::Logging
            && client.standing != Standing::AllowListed
            && self.decision.interruption.is_none()
        {
            client.counts.refused += u32::from(refusal != Refusal::Interrogate);
            client.counts.challenged += u32::from(refusal == Refusal::Interrogate);
            self.interrupt(Interruption { rule_id, phase, disruption: Disruption::Client(refusal) });
        }
        self.client = Some(client);
        if changed {
            self.show_client();
        }
        if phase == Phase::Logging {
            self.report_client(plan);
        }
    }

    fn rule_of(&self, events: &[(Event, u64, Phase)]) -> u64 {
        events.last().map_or(0, |(_, rule, _)| *rule)
    }

    fn count_passed(&self, client: &mut Client) {
        client.counts.post_block += u32::from(client.post_block);
        if client.facts.verified && client.state.is_challenged(&client.settings, self.milliseconds()) {
            client.counts.passed += 1;
        }
    }

    /// Changes what is known of the client, in the store if there is one.
    fn keep(&self, client: &mut Client, events: &[(Event, u64, Phase)]) -> Vec<Consequence> {
        let now = self.milliseconds();
        let settings = Arc::clone(&client.settings);
        let mut consequences = Vec::new();
        let take = |state: &mut ClientState| -> Vec<Consequence> {
            events.iter().map(|(event, ..)| state.take(&settings, event, now)).collect()
        };
        let update = match (&self.persistent.store, client.key) {
            (Some(store), Some(key)) => store.update(key, Kind::Client, self.seconds(), |payload| {
                let mut state = payload.map(ClientState::read).unwrap_or_default();
                consequences = take(&mut state);
                let entry = state.entry(&settings);
                client.state = state;
                Some(entry)
            }),
            _ => Update::Failed,
        };
        // What can't be kept holds for this transaction at least.
        if update == Update::Failed {
            consequences = take(&mut client.state);
        }
        consequences
    }

    /// How the answer is slowed down. The client is known to have been slowed once more.
    pub(crate) fn slow_down(&mut self) -> Option<Tarpit> {
        let mut client = self.client.take()?;
        let now = self.milliseconds();
        let tarpit = client
            .state
            .tarpit(&client.settings, now)
            .filter(|_| client.standing != Standing::AllowListed && self.decision.interruption.is_none());
        if tarpit.is_some() {
            client.counts.tarpitted += 1;
            self.keep(&mut client, &[(Event::Slowed, 0, Phase::ResponseHeaders)]);
        }
        self.client = Some(client);
        tarpit
    }

    pub(crate) fn client_view(&self) -> Option<ClientView> {
        let client = self.client.as_ref()?;
        let now = self.milliseconds();
        let blocked = matches!(client.state.standing(now), Standing::Blocked | Standing::BlockedForGood);
        let standing = match client.standing {
            Standing::AllowListed | Standing::DenyListed => client.standing,
            _ => client.state.standing(now).max(client.standing),
        };
        Some(ClientView {
            key: client.key.map(Key::hex).unwrap_or_default(),
            risk: client.state.score_at(&client.settings.score, now),
            standing,
            blocks: client.state.blocks,
            blocked_until: blocked.then_some(client.state.blocked_until),
            tarpit: client.state.tarpit(&client.settings, now),
            challenged: client.must_answer(now),
        })
    }

    pub(crate) fn take_client_counts(&mut self) -> ClientCounts {
        self.client.as_mut().map(|client| std::mem::take(&mut client.counts)).unwrap_or_default()
    }

    pub(crate) fn take_client_lines(&mut self) -> Vec<Vec<u8>> {
        self.client.as_mut().map(|client| std::mem::take(&mut client.lines)).unwrap_or_default()
    }
}

impl Client {
    /// Whether it has to pass a challenge and has not.
    fn must_answer(&self, now: u64) -> bool {
        self.standing == Standing::Watched
            && !self.facts.verified
            && self.state.is_challenged(&self.settings, now)
    }

    /// Fills in what came of the matches, and finds what refuses the exchange.
    fn weigh(
        &mut self,
        events: &[(Event, u64, Phase)],
        consequences: &[Consequence],
    ) -> Option<(Refusal, u64)> {
        let mut refusal = None;
        let done = std::mem::replace(&mut self.weighed, self.matches.len());
        // In the order of the events, because rules without an id share 0.
        let mut matches = self.matches.iter_mut().skip(done).filter(|one| !one.beta);
        let rule_blocks = self.settings.switches.rule_blocks && self.standing != Standing::AllowListed;
        for ((event, rule, _), consequence) in events.iter().zip(consequences) {
            if let Some(block) = consequence.block {
                let for_good = block.until == u32::MAX;
                self.counts.blocked += u32::from(!for_good);
                self.counts.blocked_for_good += u32::from(for_good);
                let kind = if for_good { Refusal::BlockedForGood } else { Refusal::Blocked };
                if self.standing == Standing::Watched {
                    self.standing = if for_good { Standing::BlockedForGood } else { Standing::Blocked };
                }
                refusal = refusal.or(Some((kind, *rule)));
            }
            if consequence.refuse && rule_blocks {
                refusal = Some((Refusal::Rule, *rule));
            }
            if let Event::Match { .. } = event
                && let Some(one) = matches.find(|one| one.id == *rule)
            {
                one.contribution = consequence.added;
                one.below = consequence.below;
                one.blocking = consequence.refuse && rule_blocks;
            }
        }
        refusal
    }
}
