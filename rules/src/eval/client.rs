//! The client of a transaction: who it is, what is known of it, what its matches lead to.

use std::net::IpAddr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::admission;
use super::body::element;
use super::data::Element;
use super::gap::{Gap, GapAction};
use super::state::State;
use super::store::Address;
use super::{Disruption, Interruption};
use crate::audit::ClientMatch;
use crate::challenge::ANSWER_HEADER;
use crate::collections::{Key, Kind, Update};
use crate::geo::country_code;
use crate::http::path;
use crate::limits;
use crate::model::{EngineMode, Phase, Selector, Store, Variable};
use crate::operators::leading_integer;
use crate::plan::{ChangePlan, MarkPlan, Plan, RulePlan, ScopedRate, Slot, Slots};
use crate::risk::{
    ClientFacts, ClientState, Consequence, Event, GeoSource, Identity, Rate, RateAction, RiskAction,
    RiskSettings, SetBy, Standing, Tarpit, Window,
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
    /// A rule's rate is passed, and blocks for the rest of its window.
    Rate,
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
            Self::Rate => "rate_block",
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
            Self::Blocked | Self::BlockedForGood | Self::Rate | Self::Interrogate | Self::Answered => {
                "entity"
            }
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
    pub(super) address: Option<IpAddr>,
    /// Whether it may well be a proxy, of which nobody said that it is one.
    doubtful: bool,
    /// A refusal that stands before the phase begins, with the rule.
    refusal: Option<(Refusal, u64)>,
    /// What would refuse the exchange if its switch were on, with the rule.
    pub(super) spared: Option<(Refusal, u64)>,
    /// Whether it would have, before any rule said so.
    pub(super) spared_before: bool,
    /// Second at which the rate that refuses or would refuse it no longer does.
    pub(super) rate_end: Option<u64>,
    /// The rule whose rate has it challenged.
    rate_challenge: Option<u64>,
    /// What the matches of rates are counted by that are not counted by client, by the rates' places in the plan.
    rate_keys: Vec<(usize, Key)>,
    pending: Vec<(Event, u64, Phase)>,
    pub(super) matches: Vec<ClientMatch>,
    /// How many of them have been weighed.
    weighed: usize,
    counts: ClientCounts,
    /// Whether it was blocked when the request came.
    pub(super) post_block: bool,
    /// Whether that has been counted in the store.
    refused_before: bool,
    /// Requests during the block that the record of this one stands for; `None` when it has no record.
    pub(super) noted: Option<u32>,
    pub(super) request_done: u64,
    pub(super) response_at: u64,
    pub(super) lines: Vec<Vec<u8>>,
    /// What its tokens and cookies are bound to.
    pub(super) binding: Vec<u8>,
    /// First bytes of the hash of what its browser said of itself, once it has passed a challenge.
    pub(super) fingerprint: Option<[u8; 8]>,
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
            address: None,
            doubtful: false,
            refusal: None,
            spared: None,
            spared_before: false,
            rate_end: None,
            rate_challenge: None,
            rate_keys: Vec::new(),
            pending: Vec::new(),
            matches: Vec::new(),
            weighed: 0,
            counts: ClientCounts::default(),
            post_block: false,
            refused_before: false,
            noted: None,
            request_done: 0,
            response_at: 0,
            lines: Vec::new(),
            binding: Vec::new(),
            fingerprint: None,
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
            client.facts.interrogation = Some(passed.id.to_vec());
            client.facts.verified = true;
            client.fingerprint = Some(passed.fingerprint);
        }
        let verified = client.facts.interrogation.as_deref().filter(|_| client.facts.verified);
        identity.interrogation = verified.unwrap_or_default();
        let key = if identity.interrogation.is_empty() { bound } else { identity.key(entity) };
        client.key = Some(key);
        if let Some(store) = &self.persistent.store {
            client.state = admission::known(store, settings, key, address, self.now);
        }
        client.address = address;
        client.doubtful = !self.from_trusted_hop && address.is_none_or(is_private);
        let admission = admission::judge(settings, &client.state, address, self.now);
        client.standing = admission.standing;
        client.refusal = admission.refusal.map(|refusal| (refusal, 0));
        client.spared = admission.spared.map(|refusal| (refusal, 0));
        client.meet_limits(self.now.0 / 1_000_000);
        client.spared_before = client.spared.is_some();
        client.count_refused();
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

    /// Before phases 1 and 2: finds out what the matches of rates are counted by that are not counted by client, and whether
    /// they are passed.
    pub(crate) fn meet_rates(&mut self, plan: &Plan, phase: Phase) {
        if plan.scoped_rates().is_empty() {
            return;
        }
        let Some(mut client) = self.client.take() else { return };
        let now = self.milliseconds();
        let spared = client.spared;
        for (place, scoped) in plan.scoped_rates().iter().enumerate() {
            if scoped.scope.phase != phase {
                continue;
            }
            for key in self.rate_keys(plan, scoped, client.key) {
                client.rate_keys.push((place, key));
                let Some((action, store)) = scoped.action.zip(self.persistent.store.as_ref()) else {
                    continue;
                };
                let window = store.get(key).map(|payload| Window::read(&payload)).unwrap_or_default();
                if let Some(end) = window.over_until(scoped.rate, now) {
                    client.pass_limit(scoped.rule, action, end);
                }
            }
        }
        client.spared_before |= client.spared != spared;
        client.count_refused();
        self.client = Some(client);
    }

    /// The keys of a rate: one, or two for a request that names two accounts.
    fn rate_keys(&mut self, plan: &Plan, scoped: &ScopedRate, client: Option<Key>) -> SmallVec<[Key; 2]> {
        let scope = &scoped.scope;
        let mut accounts: SmallVec<[Vec<u8>; 2]> = SmallVec::new();
        if !scope.account.is_empty() {
            accounts = self.accounts(plan, scoped);
        } else {
            accounts.push(Vec::new());
        }
        let scalar = |state: &mut Self, variable| {
            let value = state.scalar(plan, variable, scoped.view.0 as usize);
            state.values.get(value).to_ascii_lowercase()
        };
        let site = if scope.site { scalar(self, Variable::ServerName) } else { Vec::new() };
        let path =
            if scope.path { path::canonical(&scalar(self, Variable::RequestFilename)) } else { Vec::new() };
        let client = client.filter(|_| scope.client).map(|key| key.0);
        let (rule, client) = (scoped.rule.to_le_bytes(), client.as_ref().map_or(&b""[..], |key| &key[..]));
        let keys = accounts.iter().map(|account| Key::new("rate", &[&rule, client, &site, &path, account]));
        keys.collect()
    }

    /// The accounts that a request is about: of several values with the name the first and the last, because servers take
    /// either.
    fn accounts(&mut self, plan: &Plan, scoped: &ScopedRate) -> SmallVec<[Vec<u8>; 2]> {
        let view = scoped.view.0 as usize;
        for target in &scoped.scope.account {
            let mut found: SmallVec<[Vec<u8>; 2]> = SmallVec::new();
            match &target.selector {
                Selector::Key(key) => {
                    let named = |element: &Element| self.values.get(element.key).eq_ignore_ascii_case(key);
                    let text = |element: Element| plain_account(self.values.get(element.value));
                    if let Some(elements) = self.data.collection(target.variable, view) {
                        let first = elements.iter().find(named).map(text);
                        let last = elements.iter().filter(named).last().map(text);
                        found.extend(first.into_iter().chain(last));
                    }
                }
                _ => {
                    let value = self.scalar(plan, target.variable, view);
                    found.push(plain_account(self.values.get(value)));
                }
            }
            found.dedup();
            found.retain(|account| !account.is_empty());
            if !found.is_empty() {
                return found;
            }
        }
        SmallVec::new()
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
        if self.client.is_none() || self.mode(rule.set) != EngineMode::On {
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
        let foreseen = client.foreseen.get_or_insert_with(|| client.state.clone());
        if client.standing == Standing::AllowListed {
            foreseen.take_allowed(&client.settings, &event, now);
        } else {
            foreseen.take(&client.settings, &event, now);
        }
        client.pending.push((event, rule.id, rule.phase));
        self.show_client();
    }

    /// Notes that a rule which says something of the client has matched.
    pub(crate) fn note_client_match(&mut self, plan: &Plan, rule: &RulePlan, mark: &MarkPlan) {
        if self.client.is_none() {
            return;
        }
        // What is only watched changes nothing, not even a score.
        let beta = mark.beta || self.mode(rule.set) != EngineMode::On;
        let description = rule.meta.message.as_ref().map(|text| self.expand_traced(plan, text, rule.set));
        let Some(client) = self.client.as_mut() else { return };
        if client.matches.len() >= limits::CLIENT_MATCHES {
            let view = plan.set(rule.set).map_or(0, |set| set.view.0 as usize);
            let reason = format!("the first {} count", limits::CLIENT_MATCHES);
            self.gaps.meet(view, Gap::ClientMatches, reason, GapAction::Pass);
            return;
        }
        client.counts.matches = client.counts.matches.saturating_add(1);
        let challenges =
            mark.action == RiskAction::Interrogate || mark.rate_action == Some(RateAction::Interrogate);
        // Who has shown what a rule asks for is not held to be what it looks for.
        let passed = challenges && client.facts.verified;
        // Requests during a block do not prolong it.
        let below = mark.rate_action.is_some() && client.is_limited();
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
            passed,
            below,
        });
        if beta || passed || below {
            return;
        }
        let mut event = Event::Match {
            rule: rule.id,
            risk: mark.risk,
            state: mark.state,
            action: mark.action,
            rate: mark.rate,
        };
        if let (Some(_), Some(rate)) = (&mark.scope, mark.rate) {
            let Some(scored) = self.count_scoped(plan, rule.id, rate) else {
                self.mark_below();
                return;
            };
            // A rate is scored once per window; it acts on each match past its limit.
            let risk = if scored { mark.risk } else { 0 };
            event = Event::Match { rule: rule.id, risk, state: mark.state, action: mark.action, rate: None };
        }
        self.add_event(event, rule);
    }

    /// Notes that the last match is one of a rate that is not passed.
    fn mark_below(&mut self) {
        let last = self.client.as_mut().and_then(|client| client.matches.last_mut());
        last.into_iter().for_each(|one| one.below = true);
    }

    /// Counts a match of a rate that is not counted by client. `None` while the limit holds; `Some(true)` when it is passed
    /// and was not within the window before.
    fn count_scoped(&mut self, plan: &Plan, rule: u64, rate: Rate) -> Option<bool> {
        let (now, second) = (self.milliseconds(), self.seconds());
        let place = plan.scoped_rates().iter().position(|scoped| scoped.rule == rule)?;
        let action = plan.scoped_rates().get(place)?.action;
        let (store, client) = (self.persistent.store.clone()?, self.client.as_mut()?);
        let mut passed = None;
        let keys = client.rate_keys.iter().filter(|(at, _)| *at == place);
        let mut end = None;
        for (_, key) in keys {
            let mut counted = None;
            store.update(*key, Kind::Rate, second, |payload| {
                let mut window = payload.map(Window::read).unwrap_or_default();
                window.rule = rule;
                counted = window.count(rate, now);
                end = end.max(window.over_until(rate, now));
                Some(window.entry(rate, now))
            });
            passed = passed.max(counted);
        }
        if let (Some(action), Some(_), Some(end)) = (action, passed, end) {
            client.pass_limit(rule, action, end);
        }
        passed
    }

    /// After a phase: takes in what its rules said of the client, and refuses the exchange if that is what
    /// follows.
    pub(crate) fn judge_client(&mut self, plan: &Plan, phase: Phase) {
        let Some(mut client) = self.client.take() else { return };
        let now = self.milliseconds();
        let mut events = std::mem::take(&mut client.pending);
        client.foreseen = None;
        let mut refusal = client.refusal.take();
        let spared = client.spared.filter(|_| client.spared_before);
        let before = refusal.filter(|_| client.post_block).map(|(why, _)| (why, true));
        let before = before.or(spared.map(|(why, _)| (why, false)));
        if let Some((why, enforced)) = before.filter(|_| !client.refused_before) {
            client.refused_before = true;
            events.insert(0, (Event::Refused(why as u8 * 2 + u8::from(enforced)), 0, phase));
        }
        let changed = !events.is_empty();
        if changed {
            let consequences = self.keep(&mut client, &events);
            let found = client.weigh(&events, &consequences, now);
            refusal = refusal.or(found);
            // Of rates that are not counted by client.
            refusal = refusal.or(client.refusal.take());
            if events.iter().any(|(event, ..)| !matches!(event, Event::Refused(_))) {
                client.counts.score = Some(client.state.score_at(&client.settings.score, now) as u8);
            }
        }
        match phase {
            Phase::RequestHeaders => self.count_passed(&mut client),
            Phase::RequestBody => client.request_done = now,
            Phase::ResponseHeaders => client.response_at = now,
            _ => {}
        }
        let request = phase <= Phase::RequestBody;
        if refusal.is_none() && request && client.must_answer(now) {
            let rule = client.rate_challenge.unwrap_or_else(|| self.rule_of(&events));
            refusal = Some((Refusal::Interrogate, rule));
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
        if client.facts.verified && client.state.is_challenged(&client.settings, self.milliseconds()) {
            client.counts.passed += 1;
        }
    }

    /// Changes what is known of the client, in the store if there is one.
    fn keep(&self, client: &mut Client, events: &[(Event, u64, Phase)]) -> Vec<Consequence> {
        let now = self.milliseconds();
        let settings = Arc::clone(&client.settings);
        let mut consequences = Vec::new();
        let allowed = client.standing == Standing::AllowListed;
        let take = |state: &mut ClientState| -> Vec<Consequence> {
            let one = |(event, ..): &(Event, u64, Phase)| match allowed {
                true => state.take_allowed(&settings, event, now),
                false => state.take(&settings, event, now),
            };
            events.iter().map(one).collect()
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

    /// Whether the client may well be a proxy, of which nobody said that it is one.
    pub(crate) fn doubts_client(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.doubtful)
    }

    pub(crate) fn take_client_lines(&mut self) -> Vec<Vec<u8>> {
        self.client.as_mut().map(|client| std::mem::take(&mut client.lines)).unwrap_or_default()
    }
}

/// Whether an address is one that proxies in front of this one have, and clients from outside have not: private, shared
/// between carriers, of the link, or of this machine.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            address.is_private() || address.is_loopback() || address.is_link_local() || shared
        }
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// An account as accounts are compared.
fn plain_account(text: &[u8]) -> Vec<u8> {
    text.trim_ascii().to_ascii_lowercase()
}

impl Client {
    /// Whether it has to pass a challenge and has not.
    fn must_answer(&self, now: u64) -> bool {
        self.standing == Standing::Watched
            && !self.facts.verified
            && (self.rate_challenge.is_some() || self.state.is_challenged(&self.settings, now))
    }

    /// Whether a rate, or what it was blocked for before, keeps this request from the upstream.
    fn is_limited(&self) -> bool {
        self.post_block || self.rate_challenge.is_some()
    }

    /// Looks whether it has passed the rate of a rule that acts for the rest of its window.
    fn meet_limits(&mut self, now: u64) {
        if let Some((limit, end)) = self.state.limited(&self.settings, now) {
            self.pass_limit(limit.rule, limit.action, end);
        }
    }

    /// The limit of a rate is passed, until `end` (milliseconds).
    fn pass_limit(&mut self, rule: u64, action: RateAction, end: u64) {
        if self.standing == Standing::AllowListed {
            return;
        }
        let place = match action {
            RateAction::Interrogate => {
                self.rate_challenge.get_or_insert(rule);
                return;
            }
            RateAction::Block if self.settings.switches.rule_blocks => &mut self.refusal,
            RateAction::Block => &mut self.spared,
        };
        if place.is_none() {
            *place = Some((Refusal::Rate, rule));
            self.rate_end = Some(end.div_ceil(1_000));
        }
    }

    /// After it was found out how the client stands, and before rules run.
    fn count_refused(&mut self) {
        if self.refusal.is_some() && !std::mem::replace(&mut self.post_block, true) {
            self.counts.post_block += 1;
        }
    }

    /// Fills in what came of the matches, and finds what refuses the exchange.
    fn weigh(
        &mut self,
        events: &[(Event, u64, Phase)],
        consequences: &[Consequence],
        now: u64,
    ) -> Option<(Refusal, u64)> {
        let mut refusal = None;
        let done = std::mem::replace(&mut self.weighed, self.matches.len());
        let rule_blocks = self.settings.switches.rule_blocks;
        let allowed = self.standing == Standing::AllowListed;
        let mut spared = None;
        let mut limited = false;
        // In the order of the events, because rules without an id share 0.
        let mut matches = self.matches.iter_mut().skip(done).filter(|one| one.counts());
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
            if consequence.spared.is_some() {
                spared = spared.or(Some((Refusal::Blocked, *rule)));
            }
            if consequence.refuse && !allowed {
                let place = if rule_blocks { &mut refusal } else { &mut spared };
                *place = Some((Refusal::Rule, *rule));
            }
            self.noted = self.noted.or(consequence.noted);
            limited |= consequence.limit.is_some();
            if let Event::Match { .. } = event
                && let Some(one) = matches.find(|one| one.id == *rule)
            {
                one.contribution = consequence.added;
                one.below = consequence.below;
                one.blocking = consequence.refuse && rule_blocks && !allowed;
            }
        }
        self.spared = self.spared.or(spared);
        if limited && refusal.is_none() {
            self.meet_limits(now);
        }
        refusal
    }
}
