//! Assignments: `setvar`, `expirevar`, `initcol`, `setenv`.

use super::text::Text;
use super::values::{number, template};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::model::{Action, Change, SetVar, Store, Template};

const STORES: &[(&str, Store)] = &[
    ("TX", Store::Tx),
    ("GLOBAL", Store::Global),
    ("IP", Store::Ip),
    ("RESOURCE", Store::Resource),
    ("SESSION", Store::Session),
    ("USER", Store::User),
];

/// What `setvar` can write to besides: `client.risk`.
const CLIENT: (&str, Store) = ("CLIENT", Store::Client);

fn store(name: &Text, stores: &[(&str, Store)]) -> Result<Store, Diagnostic> {
    if let Some((_, store)) = stores.iter().find(|(n, _)| n.as_bytes().eq_ignore_ascii_case(name.bytes())) {
        return Ok(*store);
    }
    let written = name.text();
    let names: Vec<&str> = stores.iter().map(|(name, _)| *name).collect();
    let mut error = name.report(Code::E0315, format!("no writable collection is named `{written}`"));
    error.help = did_you_mean(&written, &names);
    Err(error)
}

/// `collection.key`.
fn place(text: &Text, example: &str) -> Result<(Store, Template), Diagnostic> {
    let Some(dot) = memchr::memchr(b'.', text.bytes()) else {
        let message = format!("`{}` names no collection", text.text());
        return Err(text.report(Code::E0315, message).help(format!("write `{example}`")));
    };
    let name = text.slice(0..dot);
    let key = text.slice(dot + 1..text.len());
    if name.bytes().eq_ignore_ascii_case(CLIENT.0.as_bytes()) {
        if example != SETVAR || !key.bytes().eq_ignore_ascii_case(b"risk") {
            let error = text.report(Code::E0315, "of the client only its risk can be set");
            return Err(error.help("write `setvar:client.risk=+15`"));
        }
        return Ok((CLIENT.1, template(&key)?));
    }
    let collection = store(&name, STORES)?;
    if key.is_empty() {
        return Err(text.report(Code::E0315, "there is no name after the dot"));
    }
    Ok((collection, template(&key)?))
}

const SETVAR: &str = "setvar:tx.name=value";

/// The parts before and after the first `=`.
fn split(text: &Text) -> (Text, Option<Text>) {
    match memchr::memchr(b'=', text.bytes()) {
        Some(at) => (text.slice(0..at), Some(text.slice(at + 1..text.len()))),
        None => (text.clone(), None),
    }
}

/// `setvar:[!]collection.key[=[+|-]value]`. Without a value the key is set to `1` (ModSecurity).
pub(super) fn setvar(value: &Text, out: &mut Vec<Diagnostic>) -> Result<Action, Diagnostic> {
    const EXAMPLE: &str = SETVAR;
    if value.bytes().first() == Some(&b'!') {
        let (name, assigned) = split(&value.slice(1..value.len()));
        if let Some(assigned) = assigned {
            return Err(assigned.report(Code::E0315, "a key that is removed takes no value"));
        }
        let (collection, key) = place(&name, EXAMPLE)?;
        return Ok(Action::SetVar(SetVar { collection, key, change: Change::Remove }));
    }
    let (name, assigned) = split(value);
    let (collection, key) = place(&name, EXAMPLE)?;
    let change = match assigned {
        None => Change::Set(Template::literal("1")),
        Some(assigned) => match assigned.bytes().first() {
            Some(b'+') => Change::Add(amount(&assigned, out)?),
            Some(b'-') => Change::Subtract(amount(&assigned, out)?),
            _ => Change::Set(template(&assigned)?),
        },
    };
    Ok(Action::SetVar(SetVar { collection, key, change }))
}

/// What is added or taken away, after its sign.
fn amount(assigned: &Text, out: &mut Vec<Diagnostic>) -> Result<Template, Diagnostic> {
    let digits = assigned.slice(1..assigned.len()).trimmed();
    let amount = template(&digits)?;
    if amount.as_literal().is_some_and(|text| number(text).is_none()) {
        let message = format!("`{}` is no whole number: it counts as 0", digits.text());
        let help = "ModSecurity does the same; Coraza stores the text with its sign";
        out.push(assigned.report(Code::W0410, message).help(help));
    }
    Ok(amount)
}

/// `expirevar:collection.key=seconds`.
pub(super) fn expirevar(value: &Text, out: &mut Vec<Diagnostic>) -> Result<Action, Diagnostic> {
    const EXAMPLE: &str = "expirevar:ip.name=60";
    let (name, Some(seconds)) = split(value) else {
        return Err(value.report(Code::E0315, "the seconds are missing").help(format!("write `{EXAMPLE}`")));
    };
    let (collection, key) = place(&name, EXAMPLE)?;
    let after = template(&seconds)?;
    if after.as_literal().is_some_and(|text| number(text).is_none()) {
        let message = format!("`{}` is no number of seconds", seconds.text());
        return Err(seconds.report(Code::E0315, message).help(format!("write `{EXAMPLE}`")));
    }
    if collection == Store::Tx {
        out.push(value.report(Code::W0402, "`TX` ends with the transaction, nothing in it expires"));
    }
    Ok(Action::ExpireVar { collection, key, seconds: after })
}

/// `initcol:collection=key`.
pub(super) fn initcol(value: &Text) -> Result<Action, Diagnostic> {
    const EXAMPLE: &str = "initcol:ip=%{REMOTE_ADDR}";
    let (name, Some(key)) = split(value) else {
        return Err(value.report(Code::E0315, "the key is missing").help(format!("write `{EXAMPLE}`")));
    };
    let persistent = STORES.get(1..).unwrap_or_default();
    let collection = store(&name.trimmed(), persistent)?;
    Ok(Action::InitCollection { collection, key: template(&key)? })
}

/// `setenv:name=value`. Without a value it is `1` (ModSecurity v2).
pub(super) fn setenv(value: &Text) -> Result<Action, Diagnostic> {
    let (name, assigned) = split(value);
    if name.is_empty() || name.bytes().first() == Some(&b'!') {
        let error = value.report(Code::E0315, "`setenv` sets a name and can't remove one");
        return Err(error.help("write `setenv:name=value`"));
    }
    let value = match assigned {
        Some(assigned) => template(&assigned)?,
        None => Template::literal("1"),
    };
    Ok(Action::SetEnv { name: template(&name)?, value })
}
