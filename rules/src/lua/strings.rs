//! The functions of the `string` library whose work has to be counted as they go.

use std::cell::RefCell;
use std::rc::Rc;

use omnilua::{Error, Function, Lua, LuaError, LuaString, Result, Value, Variadic};

use super::meter::Meter;
use super::pattern::{Capture, Matcher, PatternError};

/// A Lua error with a message.
pub(super) fn failure(message: impl std::fmt::Display) -> Error {
    LuaError::runtime(format_args!("{message}")).into()
}

impl From<PatternError> for Error {
    fn from(error: PatternError) -> Self {
        match error {
            PatternError::Malformed(message) => failure(message),
            PatternError::Exhausted => failure(super::meter::Exhausted),
        }
    }
}

/// The bytes of a string or number argument.
pub(super) fn bytes(value: Option<&Value>, number: usize) -> Result<Vec<u8>> {
    match value {
        Some(Value::String(text)) => text.as_bytes(),
        Some(Value::Integer(n)) => Ok(n.to_string().into_bytes()),
        Some(Value::Number(n)) => Ok(n.to_string().into_bytes()),
        _ => Err(failure(format_args!("bad argument #{number}: a string is expected"))),
    }
}

/// An integer argument, or what stands for an absent one.
pub(super) fn integer(value: Option<&Value>, number: usize, default: Option<i64>) -> Result<i64> {
    match (value, default) {
        (Some(Value::Integer(n)), _) => Ok(*n),
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and in range")]
        (Some(Value::Number(n)), _) if n.fract() == 0.0 && n.abs() < 9e15 => Ok(*n as i64),
        (Some(Value::String(text)), _) => std::str::from_utf8(&text.as_bytes()?)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .ok_or_else(|| failure(format_args!("bad argument #{number}: an integer is expected"))),
        (None | Some(Value::Nil), Some(default)) => Ok(default),
        _ => Err(failure(format_args!("bad argument #{number}: an integer is expected"))),
    }
}

/// A position from 1, or from the end when negative, as an offset; it may be one behind the end.
fn offset(position: i64, length: usize) -> Option<usize> {
    let length_i = i64::try_from(length).unwrap_or(i64::MAX);
    let from_one = match position {
        1.. => position,
        0 => 1,
        _ => length_i.saturating_add(position).saturating_add(1).max(1),
    };
    usize::try_from(from_one - 1).ok().filter(|at| *at <= length)
}

fn position(at: usize) -> Value {
    Value::Integer(i64::try_from(at).unwrap_or(i64::MAX))
}

fn text(lua: &Lua, meter: &Meter, bytes: &[u8]) -> Result<Value> {
    meter.bytes(bytes.len()).map_err(failure)?;
    Ok(Value::String(lua.create_string(bytes)?))
}

fn captured(lua: &Lua, meter: &Meter, subject: &[u8], capture: Capture) -> Result<Value> {
    match capture {
        Capture::Text(start, end) => text(lua, meter, subject.get(start..end).unwrap_or_default()),
        Capture::Position(at) => Ok(position(at)),
    }
}

fn captures(lua: &Lua, meter: &Meter, subject: &[u8], found: Vec<Capture>) -> Result<Vec<Value>> {
    found.into_iter().map(|capture| captured(lua, meter, subject, capture)).collect()
}

/// A pattern without its anchor, and whether it had one.
fn anchored(pattern: &[u8]) -> (&[u8], bool) {
    match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    }
}

fn has_specials(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))
}

/// `string.find` and `string.match`.
pub(super) fn find(lua: &Lua, meter: &Meter, args: &[Value], positions: bool) -> Result<Vec<Value>> {
    let (subject, whole) = (bytes(args.first(), 1)?, bytes(args.get(1), 2)?);
    meter.bytes(subject.len() + whole.len()).map_err(failure)?;
    let Some(from) = offset(integer(args.get(2), 3, Some(1))?, subject.len()) else {
        return Ok(vec![Value::Nil]);
    };
    let plain = matches!(args.get(3), Some(value) if !matches!(value, Value::Nil | Value::Boolean(false)));
    if positions && (plain || !has_specials(&whole)) {
        let found = memchr::memmem::find(subject.get(from..).unwrap_or_default(), &whole);
        return Ok(match found {
            Some(at) => vec![position(from + at + 1), position(from + at + whole.len())],
            None => vec![Value::Nil],
        });
    }
    let (pattern, anchor) = anchored(&whole);
    let mut matcher = Matcher::new(&subject, pattern, meter);
    let last = if anchor { from } else { subject.len() };
    for start in from..=last {
        let Some(end) = matcher.at(start)? else { continue };
        if !positions {
            return captures(lua, meter, &subject, matcher.captures(start, end)?);
        }
        let mut found = vec![position(start + 1), position(end)];
        let groups = matcher.captures(start, end)?;
        if groups != [Capture::Text(start, end)] || pattern.contains(&b'(') {
            found.extend(captures(lua, meter, &subject, groups)?);
        }
        return Ok(found);
    }
    Ok(vec![Value::Nil])
}

/// `string.gmatch`.
pub(super) fn gmatch(lua: &Lua, meter: &Rc<Meter>, args: &[Value]) -> Result<Function> {
    let (subject, pattern) = (bytes(args.first(), 1)?, bytes(args.get(1), 2)?);
    let from = offset(integer(args.get(2), 3, Some(1))?, subject.len()).unwrap_or(subject.len() + 1);
    // Where the search goes on, and where the last match ended.
    let state = RefCell::new((from, None));
    let meter = Rc::clone(meter);
    lua.create_function(move |lua, ()| {
        let mut state = state.try_borrow_mut().map_err(failure)?;
        let mut matcher = Matcher::new(&subject, &pattern, &meter);
        for start in state.0..=subject.len() {
            if let Some(end) = matcher.at(start)?.filter(|end| state.1 != Some(*end)) {
                *state = (end, Some(end));
                let found = captures(lua, &meter, &subject, matcher.captures(start, end)?)?;
                return Ok(Variadic::from(found));
            }
        }
        state.0 = subject.len() + 1;
        Ok(Variadic::from(vec![Value::Nil]))
    })
}

/// `string.gsub`.
pub(super) fn gsub(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<Vec<Value>> {
    let (subject, whole) = (bytes(args.first(), 1)?, bytes(args.get(1), 2)?);
    meter.bytes(subject.len() + whole.len()).map_err(failure)?;
    let replacement = match args.get(2) {
        Some(value @ (Value::Table(_) | Value::Function(_))) => value.clone(),
        Some(value @ (Value::String(_) | Value::Integer(_) | Value::Number(_))) => {
            Value::String(lua.create_string(bytes(Some(value), 3)?)?)
        }
        _ => return Err(failure("bad argument #3: a string, table or function is expected")),
    };
    let template = match &replacement {
        Value::String(template) => template.as_bytes()?,
        _ => Vec::new(),
    };
    let most = integer(args.get(3), 4, Some(i64::MAX))?;
    let (pattern, anchor) = anchored(&whole);
    let mut matcher = Matcher::new(&subject, pattern, meter);
    let mut out = Vec::new();
    let (mut at, mut count, mut last) = (0, 0i64, None);
    while count < most {
        match matcher.at(at)?.filter(|end| last != Some(*end)) {
            Some(end) => {
                count += 1;
                let before = out.len();
                replace(lua, meter, &matcher, &subject, at..end, &replacement, &template, &mut out)?;
                meter.bytes(out.len() - before).map_err(failure)?;
                (at, last) = (end, Some(end));
            }
            None => {
                let Some(byte) = subject.get(at) else { break };
                out.push(*byte);
                at += 1;
            }
        }
        if anchor {
            break;
        }
    }
    out.extend_from_slice(subject.get(at..).unwrap_or_default());
    Ok(vec![text(lua, meter, &out)?, Value::Integer(count)])
}

/// Writes what stands for the match `range`.
#[expect(clippy::too_many_arguments, reason = "the inner loop of `gsub`")]
fn replace(
    lua: &Lua,
    meter: &Meter,
    matcher: &Matcher<'_>,
    subject: &[u8],
    range: std::ops::Range<usize>,
    replacement: &Value,
    template: &[u8],
    out: &mut Vec<u8>,
) -> Result<()> {
    let original = subject.get(range.clone()).unwrap_or_default();
    let value = match replacement {
        Value::Function(function) => {
            let found = matcher.captures(range.start, range.end)?;
            function.call(Variadic::from(captures(lua, meter, subject, found)?))?
        }
        Value::Table(table) => {
            let key = matcher.capture(1, range.start, range.end)?;
            table.get(captured(lua, meter, subject, key)?)?
        }
        _ => {
            let mut rest = template.iter().copied();
            while let Some(byte) = rest.next() {
                if byte != b'%' {
                    out.push(byte);
                    continue;
                }
                let Some(digit) = rest.next() else {
                    return Err(failure("malformed replacement (ends with '%')"));
                };
                match digit {
                    b'%' => out.push(b'%'),
                    b'0' => out.extend_from_slice(original),
                    b'1'..=b'9' => {
                        match matcher.capture(usize::from(digit - b'0'), range.start, range.end)? {
                            Capture::Text(from, to) => {
                                out.extend_from_slice(subject.get(from..to).unwrap_or_default());
                            }
                            Capture::Position(at) => out.extend_from_slice(at.to_string().as_bytes()),
                        }
                    }
                    _ => return Err(failure("invalid use of '%' in replacement string")),
                }
            }
            return Ok(());
        }
    };
    match value {
        Value::Nil | Value::Boolean(false) => out.extend_from_slice(original),
        Value::String(_) | Value::Integer(_) | Value::Number(_) => {
            out.extend_from_slice(&bytes(Some(&value), 1)?);
        }
        _ => return Err(failure("a replacement must be a string or a number")),
    }
    Ok(())
}

/// `string.byte`.
pub(super) fn byte(meter: &Meter, args: &[Value]) -> Result<Vec<Value>> {
    let subject = bytes(args.first(), 1)?;
    let first = integer(args.get(1), 2, Some(1))?;
    let last = integer(args.get(2), 3, Some(first))?;
    let length = i64::try_from(subject.len()).unwrap_or(i64::MAX);
    let from = if first < 0 { length.saturating_add(first).saturating_add(1).max(1) } else { first.max(1) };
    let to = if last < 0 { length.saturating_add(last).saturating_add(1) } else { last.min(length) };
    meter.bytes(subject.len()).map_err(failure)?;
    let range = usize::try_from(from - 1).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
    let found = subject.get(range).unwrap_or_default();
    if found.len() > crate::limits::SCRIPT_RESULTS {
        return Err(failure("string slice too long"));
    }
    Ok(found.iter().map(|byte| Value::Integer(i64::from(*byte))).collect())
}

/// `string.rep`.
pub(super) fn rep(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<LuaString> {
    let subject = bytes(args.first(), 1)?;
    let count = usize::try_from(integer(args.get(1), 2, None)?).unwrap_or(0);
    let separator = match args.get(2) {
        None | Some(Value::Nil) => Vec::new(),
        value => bytes(value, 3)?,
    };
    let total = subject.len().saturating_add(separator.len()).saturating_mul(count);
    meter.bytes(total).map_err(failure)?;
    let mut out = Vec::with_capacity(total);
    if total > 0 {
        for turn in 0..count {
            if turn > 0 {
                out.extend_from_slice(&separator);
            }
            out.extend_from_slice(&subject);
        }
    }
    lua.create_string(out)
}
