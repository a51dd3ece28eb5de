//! Chains that hand on to themselves what they find.
//!
//! To ask whether a header's name stands between slashes in a list, rule 920450 of the Core Rule Set writes
//! `TX:header_name_920450_host=/host/` and the like for every header, and its second link looks at
//! `TX:/^header_name_920450_/`. In ordinary traffic nothing comes of it but keys that nobody else looks at, at more cost
//! than most of a plain request's other rules together.
//!
//! What becomes of an element here depends on its value alone: what the first link captures, the key and the text that
//! are made of it, and whether the second link matches that. So it is asked of each value whether the chain could come
//! to anything by it, and the answer remembered like an operator's result. Only if it could is the rule run as it
//! stands. Otherwise its keys are not written; `TX:0` to `TX:9` are.
//!
//! A chain is taken for a relay only if nobody else can tell the difference: no other rule names such a key, makes one,
//! or looks at `TX` as a whole, there are no scripts, and no rule looks at what another one matched. Keys that another
//! rule's `TX:/pattern/` would find, which a client may bring about by the name of a header, are among what the chain
//! comes to.

use super::pure::{Pure, PureOperators};
use super::rules::{ActionPlan, ChangePlan, ConditionPlan, KeyPlan, LinkPlan, RulePlan};
use super::slots::{Slot, Slots};
use super::targets::{KeyPattern, Keys};
use super::text::{Text, TextPart};
use crate::model::{Store, Variable};
use crate::operators::{Captures, OperatorName};

/// What a relay makes of what its first link captures.
#[derive(Debug)]
pub(crate) struct RelayPlan {
    key: Box<[Piece]>,
    text: Box<[Piece]>,
    /// How other rules may find such keys.
    readers: Box<[KeyPattern]>,
    /// Whether the chain can come to anything by a value.
    pub(crate) question: Pure,
}

#[derive(Debug)]
enum Piece {
    Literal(Box<[u8]>),
    Capture(usize),
}

impl RelayPlan {
    /// The text that the second link would look at for what the first one captured in `value`; `None` when another rule
    /// would find its key.
    pub(crate) fn text(&self, value: &[u8], captures: &Captures) -> Option<Vec<u8>> {
        let make = |pieces: &[Piece]| {
            let mut text = Vec::new();
            for piece in pieces {
                text.extend_from_slice(match piece {
                    Piece::Literal(literal) => literal,
                    Piece::Capture(number) => {
                        captures.get(*number).map_or(&[][..], |capture| capture.bytes(value))
                    }
                });
            }
            text
        };
        let key = make(&self.key);
        let is_found = self.readers.iter().any(|reader| reader.is_match(&key));
        (!is_found).then(|| make(&self.text))
    }
}

/// Finds the relays among the rules of a policy without scripts, in which no rule looks at what another one matched.
pub(super) fn find(rules: &mut [Option<RulePlan>], slots: &Slots, pure: &mut PureOperators) {
    let relays: Vec<(usize, RelayPlan)> = (0..)
        .zip(rules.iter())
        .filter_map(|(number, rule)| Some((number, relay(number, rule.as_ref()?, rules, slots, pure)?)))
        .collect();
    for (number, relay) in relays {
        if let Some(Some(rule)) = rules.get_mut(number) {
            rule.relay = Some(Box::new(relay));
        }
    }
}

fn relay(
    number: usize,
    rule: &RulePlan,
    rules: &[Option<RulePlan>],
    slots: &Slots,
    pure: &mut PureOperators,
) -> Option<RelayPlan> {
    let [first, second] = &*rule.links else { return None };
    let (finds, looks) = (first.condition.as_ref()?, second.condition.as_ref()?);
    let is_fit = first.capture
        && !finds.negated
        && finds.operator.name() == OperatorName::Rx
        && [finds, looks].into_iter().all(depends_on_values)
        && rule.gate.is_none()
        && rule.settled.is_none()
        && rule.risk.is_none();
    let [ActionPlan::SetVar { key: KeyPlan::Made(Store::Tx, key), change: ChangePlan::Set(text) }] =
        &*first.actions
    else {
        return None;
    };
    let [target] = &*looks.targets.list else { return None };
    let Keys::Pattern(KeyPattern::Begins(word)) = &target.keys else { return None };
    let is_own = target.variable == Variable::Tx && !target.count && target.excluded.is_empty();
    if !is_fit || !is_own || !begins(prefix(key), word) || slots.reads_whole(Store::Tx) {
        return None;
    }
    if slots.keys(Store::Tx).any(|named| begins(named, word)) {
        return None;
    }
    let mut readers = Vec::new();
    for (other, rule) in rules.iter().enumerate().filter_map(|(other, rule)| Some((other, rule.as_ref()?))) {
        let is_this = other == number;
        if !is_this && rule.links.iter().any(|link| may_make(link, word)) {
            return None;
        }
        for condition in rule.conditions() {
            let is_second = is_this && std::ptr::eq(condition, looks);
            for target in condition.targets.list.iter().filter(|_| !is_second) {
                match &target.keys {
                    _ if target.variable != Variable::Tx => {}
                    Keys::Stored(..) => {}
                    Keys::Pattern(KeyPattern::Begins(other)) if are_apart(other, prefix(key)) => {}
                    Keys::Pattern(pattern) => readers.push(pattern.clone()),
                    Keys::All | Keys::Named(..) | Keys::XPath(..) => return None,
                }
            }
        }
    }
    Some(RelayPlan {
        key: pieces(key)?,
        text: pieces(text)?,
        readers: readers.into(),
        question: pure.question(),
    })
}

/// Whether nothing but a value decides if a condition holds for it.
fn depends_on_values(condition: &ConditionPlan) -> bool {
    !condition.multi_match && condition.argument.is_none() && !condition.operator.needs_transaction()
}

/// What a text surely begins with.
fn prefix(text: &Text) -> &[u8] {
    match &*text.parts {
        [TextPart::Literal(literal), ..] => literal,
        _ => &[],
    }
}

fn begins(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// Whether no text begins with both.
fn are_apart(one: &[u8], other: &[u8]) -> bool {
    let length = one.len().min(other.len());
    !begins(one, other.get(..length).unwrap_or_default())
}

/// Whether a link may write a key of `TX` that begins with a word, and that no rule names.
fn may_make(link: &LinkPlan, word: &[u8]) -> bool {
    link.actions.iter().any(|action| match action {
        ActionPlan::SetVar { key: KeyPlan::Made(Store::Tx, key), .. } => !are_apart(prefix(key), word),
        _ => false,
    })
}

/// The pieces of a text of literals and captures; `None` when it has others.
fn pieces(text: &Text) -> Option<Box<[Piece]>> {
    let piece = |part: &TextPart| match part {
        TextPart::Literal(literal) => Some(Piece::Literal(literal.clone())),
        TextPart::Stored(Store::Tx, key) if key.slot < Slot(Captures::SLOTS as u32) => {
            Some(Piece::Capture(key.slot.0 as usize))
        }
        _ => None,
    };
    text.parts.iter().map(piece).collect()
}
