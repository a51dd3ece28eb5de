//! What the network part says of clients, and whether anything comes of it.

use super::network::{KindName, NetworkForm, NetworkRuleForm};
use super::report::Reporter;
use crate::diagnostic::{Code, Span};
use crate::net::{Action, RuleRisk};
use crate::risk::{Classification, RiskSettings};

/// Where a rule says something of the client.
pub(super) fn place(form: &NetworkRuleForm) -> Option<Span> {
    let places = [
        form.risk.map(|one| one.span),
        form.classification.map(|one| one.span),
        form.state.map(|one| one.span),
    ];
    places.into_iter().flatten().next()
}

/// What a rule says of the client.
pub(super) fn rule_risk(form: &NetworkRuleForm, reporter: &mut Reporter<'_>) -> Option<RuleRisk> {
    let place = place(form)?;
    let mut idle = |message: &str, help: &str| {
        reporter.push(reporter.at(Code::W0611, place, message).help(help));
    };
    if form.action.as_ref().is_some_and(|action| action.value == Action::Allow) {
        let message = "the risk has no effect: `allow` says that the client is welcome";
        idle(message, "leave it out, or use `detect` or `protect`");
    }
    if form.kind.as_ref().is_some_and(|kind| kind.value == KindName::Bind) && form.server.is_none() {
        let message = "the risk has no effect: the address that Envoy dials from is not the client's doing";
        idle(message, "leave it out, or give a `server` side");
    }
    Some(RuleRisk {
        risk: form.risk.map_or(0, |risk| risk.value.0),
        classification: form.classification.map_or(Classification::CustomerRule, |one| one.value.0),
        state: form.state.map(|state| state.value.0),
    })
}

/// Reports what has no effect with this risk part, or without one.
pub(super) fn check(
    form: &NetworkForm,
    first_risk: Option<Span>,
    risk: Option<&RiskSettings>,
    reporter: &mut Reporter<'_>,
) {
    let asked = form.refuse_blocked_clients.as_ref().filter(|refuse| refuse.value).map(|refuse| refuse.span);
    let by_address = "let the address alone take part in `risk.entity`";
    let (refusal, adding) = match risk {
        None => {
            let help = "add a `risk` part, or leave this out";
            let nobody = ("nobody is ever refused: the policy has no `risk` part", help);
            (Some(nobody), Some(("the risk has no effect: the policy has no `risk` part", help)))
        }
        Some(risk) if !risk.entity.is_address() => {
            let message = "blocks by score don't hold for connections: the client is more than its address";
            let unknown = "the risk has no effect: the client of a connection is known by its address only";
            (Some((message, by_address)), Some((unknown, by_address)))
        }
        Some(risk) if !risk.switches.risk_blocks && !risk.switches.lists => {
            let message = "nobody is ever refused: neither `risk_blocks` nor `lists` is on";
            (Some((message, "switch one of them on in `risk.switches`")), None)
        }
        Some(_) => (None, None),
    };
    for (code, place, found) in [(Code::W0610, asked, refusal), (Code::W0611, first_risk, adding)] {
        if let (Some(place), Some((message, help))) = (place, found) {
            reporter.push(reporter.at(code, place, message).help(help));
        }
    }
}
