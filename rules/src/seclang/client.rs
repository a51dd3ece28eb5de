//! What rules say of clients: `risk`, `classification`, `state`, `action`. No other engine has these actions.
//! They are about the rule as a whole, so in a chain they stand in its first rule, and count once, when its last
//! one has matched. A default action has none: rules that only prepare something would count too.

use super::action_list::Name;
use super::text::Text;
use super::values::{integer, one_of};
use crate::diagnostic::{Code, Diagnostic, Label, did_you_mean};
use crate::model::{Phase, RiskMark, Target, Variable};
use crate::risk::{Classification, KillChain, RiskAction};

/// What is done with what rules say of clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clients {
    /// Not known: the text is read by itself.
    #[default]
    Unknown,
    /// No client is watched: what is said of one has no effect (`W0802`).
    Unwatched,
    /// Clients are watched.
    Watched {
        /// Whether rules may refuse exchanges. Where not, the action `block` refuses nothing (`W0801`).
        rule_blocks: bool,
    },
}

/// What an action list says of the client.
#[derive(Clone, Debug, Default)]
pub(super) struct ClientPart {
    risk: Option<u8>,
    classification: Option<Classification>,
    state: Option<KillChain>,
    action: Option<RiskAction>,
    /// What is of use only where clients are watched: the first place.
    about: Option<Label>,
    /// Where it says that the exchange is refused.
    blocks: Option<Label>,
}

impl ClientPart {
    /// Takes an action over. What no longer does anything after a phase is put into `timed`.
    pub(super) fn take(
        &mut self,
        name: Name,
        value: &Text,
        whole: &Text,
        timed: &mut Vec<(Phase, Label)>,
    ) -> Result<(), Diagnostic> {
        match name {
            Name::Risk => self.risk = Some(risk(value)?),
            Name::Classification => self.classification = Some(classification(value)?),
            Name::State => self.state = Some(state(value)?),
            _ => {
                let names: Vec<_> = RiskAction::ALL.iter().map(|action| (action.name(), *action)).collect();
                let action = one_of(value, Code::E0308, "action", &names)?;
                self.blocks = None;
                if action == RiskAction::Block {
                    self.blocks = Some(whole.label(""));
                    timed.push((Phase::ResponseBody, whole.label("")));
                }
                self.action = Some(action);
            }
        }
        self.is_about_clients(whole);
        Ok(())
    }

    /// Notes that something in `whole` is of use only where clients are watched.
    pub(super) fn is_about_clients(&mut self, whole: &Text) {
        self.about.get_or_insert_with(|| whole.label(""));
    }

    /// What a rule's match says; `None` when that is nothing.
    pub(super) fn mark(&self) -> Option<Box<RiskMark>> {
        let mut mark = None;
        self.change(&mut mark);
        mark
    }

    /// Puts what is said here over what a rule says already.
    pub(super) fn change(&self, mark: &mut Option<Box<RiskMark>>) {
        let Self { risk, classification, state, action, .. } = self;
        if risk.is_none() && classification.is_none() && state.is_none() && action.is_none() {
            return;
        }
        let mark = mark.get_or_insert_default();
        mark.risk = risk.unwrap_or(mark.risk);
        mark.classification = classification.unwrap_or(mark.classification);
        mark.state = state.or(mark.state);
        mark.action = action.unwrap_or(mark.action);
    }
}

/// Says, once for a rule set, why what rules say of clients comes to nothing.
#[derive(Debug, Default)]
pub(super) struct ClientChecks {
    clients: Clients,
    said_unwatched: bool,
    said_off: bool,
}

impl ClientChecks {
    pub(super) fn new(clients: Clients) -> Self {
        Self { clients, ..Self::default() }
    }

    /// Looks at an action list.
    pub(super) fn check(&mut self, part: &ClientPart, out: &mut Vec<Diagnostic>) {
        match (self.clients, &part.about, &part.blocks) {
            (Clients::Unwatched, Some(about), _) => self.unwatched(about.clone(), out),
            (Clients::Watched { rule_blocks: false }, _, Some(blocks)) if !self.said_off => {
                self.said_off = true;
                let message = "rules refuse nothing: `risk.switches.rule_blocks` is off";
                let help = "set the switch to true when you are ready";
                out.push(labelled(Code::W0801, message, blocks.clone()).help(help));
            }
            _ => {}
        }
    }

    /// Looks at the variables of a rule, which were read from `text`.
    pub(super) fn check_targets(&mut self, text: &Text, targets: &[Target], out: &mut Vec<Diagnostic>) {
        let reads = targets.iter().any(|target| target.variable == Variable::Client);
        if reads && self.clients == Clients::Unwatched {
            self.unwatched(text.label(""), out);
        }
    }

    fn unwatched(&mut self, at: Label, out: &mut Vec<Diagnostic>) {
        if !std::mem::replace(&mut self.said_unwatched, true) {
            let message = "this has no effect: the policy has no `risk` part, so no client is watched";
            out.push(labelled(Code::W0802, message, at).help("add `\"risk\": {}` to the policy"));
        }
    }
}

fn labelled(code: Code, message: &str, at: Label) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(code, message);
    diagnostic.labels = vec![at];
    diagnostic
}

fn risk(value: &Text) -> Result<u8, Diagnostic> {
    let number =
        integer(value, Code::E0701, "risk", 0..=100).map_err(|error| {
            match memchr::memmem::find(value.bytes(), b"%{") {
                Some(_) => error
                    .help(format!("what is worked out is added by `setvar:client.risk=+{}`", value.text())),
                None => error,
            }
        })?;
    Ok(u8::try_from(number).unwrap_or(100))
}

fn classification(value: &Text) -> Result<Classification, Diagnostic> {
    let name = value.text();
    Classification::from_name(&name).ok_or_else(|| {
        let names: Vec<&str> = Classification::ALL.iter().map(|one| one.name()).collect();
        let mut error = value.report(Code::E0702, format!("no classification is named `{name}`"));
        error.help = did_you_mean(&name, &names).or_else(|| Some(Classification::HELP.to_owned()));
        error
    })
}

fn state(value: &Text) -> Result<KillChain, Diagnostic> {
    let name = value.text();
    KillChain::from_name(&name).ok_or_else(|| {
        let names: Vec<&str> = KillChain::ALL.iter().map(|one| one.name()).collect();
        let mut error = value.report(Code::E0703, format!("no state is named `{name}`"));
        error.help = did_you_mean(&name, &names).or_else(|| Some(format!("use one of {}", names.join(", "))));
        error
    })
}
