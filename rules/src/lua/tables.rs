//! The functions of the `table` library that loop: their work is paid for before it is done.

use omnilua::{Lua, LuaString, Result, Table, Value};

use super::meter::Meter;
use super::strings::{bytes, failure, integer};

fn table(value: Option<&Value>, number: usize) -> Result<&Table> {
    match value {
        Some(Value::Table(table)) => Ok(table),
        _ => Err(failure(format_args!("bad argument #{number}: a table is expected"))),
    }
}

/// Length of a table argument.
fn length(table: &Table) -> Result<i64> {
    Ok(i64::try_from(table.len()?).unwrap_or(i64::MAX))
}

/// Pays for `count` elements.
fn pay(meter: &Meter, count: i64) -> Result<()> {
    meter.steps(u64::try_from(count).unwrap_or(0).saturating_add(1)).map_err(failure)
}

/// `table.concat`.
pub(super) fn concat(lua: &Lua, meter: &Meter, args: &[Value]) -> Result<LuaString> {
    let list = table(args.first(), 1)?;
    let separator = match args.get(1) {
        None | Some(Value::Nil) => Vec::new(),
        value => bytes(value, 2)?,
    };
    let first = integer(args.get(2), 3, Some(1))?;
    let last = match args.get(3) {
        None | Some(Value::Nil) => length(list)?,
        value => integer(value, 4, None)?,
    };
    pay(meter, last.saturating_sub(first))?;
    let mut out = Vec::new();
    for index in first..=last {
        let value: Value = list.get(index)?;
        let Ok(text) = bytes(Some(&value), 1) else {
            return Err(failure(format_args!("invalid value at index {index} in table for 'concat'")));
        };
        let separator = if index < last { separator.as_slice() } else { &[] };
        meter.bytes(text.len() + separator.len()).map_err(failure)?;
        out.extend_from_slice(&text);
        out.extend_from_slice(separator);
    }
    lua.create_string(out)
}

/// Pays for `table.insert` and `table.remove`: the elements that move.
pub(super) fn shift(meter: &Meter, args: &[Value]) -> Result<()> {
    let size = length(table(args.first(), 1)?)?;
    let from = match args.get(1) {
        Some(value @ (Value::Integer(_) | Value::Number(_))) => integer(Some(value), 2, None)?,
        _ => size,
    };
    pay(meter, size.saturating_sub(from))
}

/// Pays for `table.move`.
pub(super) fn range(meter: &Meter, args: &[Value]) -> Result<()> {
    table(args.first(), 1)?;
    let (first, last) = (integer(args.get(1), 2, None)?, integer(args.get(2), 3, None)?);
    pay(meter, last.saturating_sub(first))
}

/// Pays for `table.sort`: as many comparisons as quicksort makes at worst on short lists, and usually on
/// long ones.
pub(super) fn sort(meter: &Meter, args: &[Value]) -> Result<()> {
    let size = length(table(args.first(), 1)?)?;
    let rounds = i64::from(64 - size.max(1).leading_zeros());
    pay(meter, size.saturating_mul(rounds).saturating_mul(2))
}

/// `table.unpack`.
pub(super) fn unpack(meter: &Meter, args: &[Value]) -> Result<Vec<Value>> {
    let list = table(args.first(), 1)?;
    let first = integer(args.get(1), 2, Some(1))?;
    let last = match args.get(2) {
        None | Some(Value::Nil) => length(list)?,
        value => integer(value, 3, None)?,
    };
    let count = last.saturating_sub(first).saturating_add(1);
    if count > i64::try_from(crate::limits::SCRIPT_RESULTS).unwrap_or(i64::MAX) {
        return Err(failure("too many results to unpack"));
    }
    pay(meter, count)?;
    (first..=last).map(|index| list.get(index)).collect()
}
