//! What a script finds in its globals.

use std::rc::Rc;

use omnilua::{Function, Lua, Result, Table, Value, Variadic};

use super::meter::Meter;
use super::strings::{self, failure};
use super::tables;

/// Base functions that scripts keep. What loads code, reads files, prints or tunes the collector is left out.
const BASE: &[&str] = &[
    "assert",
    "error",
    "getmetatable",
    "ipairs",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "rawset",
    "select",
    "tonumber",
    "tostring",
    "type",
    "xpcall",
    "_VERSION",
];

/// Functions of `string` that do work in proportion to their arguments; it is paid for before the call.
const STRING: &[&str] = &["char", "format", "len", "lower", "reverse", "sub", "upper"];

/// `math` as far as it is a function of its arguments.
const MATH: &[&str] = &[
    "abs",
    "ceil",
    "cos",
    "acos",
    "asin",
    "atan",
    "deg",
    "exp",
    "floor",
    "fmod",
    "huge",
    "log",
    "max",
    "maxinteger",
    "min",
    "mininteger",
    "modf",
    "pi",
    "rad",
    "sin",
    "sqrt",
    "tan",
    "tointeger",
    "type",
    "ult",
];

/// Makes the globals of a run: copies of the libraries, so that nothing a script changes outlasts it, and `m`.
const ENVIRONMENT: &str = "local next = next
return function(libraries, m)
  local globals = {}
  for name, value in next, libraries do
    if type(value) == 'table' then
      local copy = {}
      for key, entry in next, value do copy[key] = entry end
      value = copy
    end
    globals[name] = value
  end
  globals._G = globals
  globals.m = m
  return globals
end";

/// A function of ours in place of one of the library.
type Own = fn(&Lua, &Rc<Meter>, &[Value]) -> Result<Vec<Value>>;

/// Pays for a call, or refuses it.
type Paid = fn(&Meter, &[Value]) -> Result<()>;

/// The libraries, and the function that makes a run's globals of them.
pub(super) fn install(lua: &Lua, meter: &Rc<Meter>) -> Result<(Table, Function)> {
    let globals = lua.globals();
    let own: Table = globals.get("string")?;
    let string = string(lua, meter, &own)?;
    // Methods of strings, as in `s:find("x")`, are the metered functions as well.
    let kept: Vec<Value> = own.raw_pairs()?.into_iter().map(|(key, _)| key).collect();
    for key in kept {
        let value: Value = string.get(key.clone())?;
        own.raw_set(key, value)?;
    }
    let text = lua.create_string(b"")?;
    let getmetatable: Function = globals.get("getmetatable")?;
    if let Value::Table(metatable) = getmetatable.call::<_, Value>(text)? {
        metatable.raw_set("__metatable", false)?;
    }
    let libraries = lua.create_table()?;
    copy(&globals, &libraries, BASE)?;
    let math = lua.create_table()?;
    copy(&globals.get("math")?, &math, MATH)?;
    libraries.set("string", string)?;
    libraries.set("table", table(lua, meter, &globals.get("table")?)?)?;
    libraries.set("math", math)?;
    libraries.set("setmetatable", setmetatable(lua, &globals)?)?;
    let environment = lua.load(ENVIRONMENT).set_name("=environment").eval()?;
    Ok((libraries, environment))
}

fn copy(from: &Table, to: &Table, names: &[&str]) -> Result<()> {
    for name in names {
        let value: Value = from.get(*name)?;
        to.set(*name, value)?;
    }
    Ok(())
}

/// `setmetatable` without finalizers, which would run when no budget holds.
fn setmetatable(lua: &Lua, globals: &Table) -> Result<Function> {
    let original: Function = globals.get("setmetatable")?;
    lua.create_function(move |_, args: Variadic<Value>| {
        if let Some(Value::Table(metatable)) = args.get(1)
            && !matches!(metatable.raw_get("__gc")?, Value::Nil)
        {
            return Err(failure("finalizers (`__gc`) are not available"));
        }
        original.call::<_, Value>(args)
    })
}

/// A library function that is called as it is, once `pay` has let it.
fn paid(lua: &Lua, meter: &Rc<Meter>, library: &Table, name: &str, pay: Paid) -> Result<Function> {
    let original: Function = library.get(name)?;
    let meter = Rc::clone(meter);
    lua.create_function(move |_, args: Variadic<Value>| {
        pay(&meter, &args)?;
        original.call::<_, Variadic<Value>>(args)
    })
}

/// Pays for all the bytes of a call's arguments.
fn by_arguments(meter: &Meter, args: &[Value]) -> Result<()> {
    meter.step().map_err(failure)?;
    for value in args {
        if let Value::String(text) = value {
            meter.bytes(text.as_bytes()?.len()).map_err(failure)?;
        }
    }
    Ok(())
}

fn string(lua: &Lua, meter: &Rc<Meter>, own: &Table) -> Result<Table> {
    let library = lua.create_table()?;
    for name in STRING {
        library.set(*name, paid(lua, meter, own, name, by_arguments)?)?;
    }
    let add = |name: &str, run: Own| {
        let meter = Rc::clone(meter);
        let function = lua.create_function(move |lua, args: Variadic<Value>| {
            meter.step().map_err(failure)?;
            run(lua, &meter, &args).map(Variadic::from)
        })?;
        library.set(name, function)
    };
    add("byte", |_, meter, args| strings::byte(meter, args))?;
    add("find", |lua, meter, args| strings::find(lua, meter, args, true))?;
    add("match", |lua, meter, args| strings::find(lua, meter, args, false))?;
    add("gmatch", |lua, meter, args| Ok(vec![Value::Function(strings::gmatch(lua, meter, args)?)]))?;
    add("gsub", |lua, meter, args| strings::gsub(lua, meter, args))?;
    add("rep", |lua, meter, args| Ok(vec![Value::String(strings::rep(lua, meter, args)?)]))?;
    Ok(library)
}

fn table(lua: &Lua, meter: &Rc<Meter>, own: &Table) -> Result<Table> {
    let library = lua.create_table()?;
    copy(own, &library, &["pack"])?;
    let shifts: [(&str, Paid); 4] = [
        ("insert", tables::shift),
        ("remove", tables::shift),
        ("move", tables::range),
        ("sort", tables::sort),
    ];
    for (name, pay) in shifts {
        library.set(name, paid(lua, meter, own, name, pay)?)?;
    }
    let counted = Rc::clone(meter);
    library.set(
        "concat",
        lua.create_function(move |lua, args: Variadic<Value>| tables::concat(lua, &counted, &args))?,
    )?;
    let counted = Rc::clone(meter);
    library.set(
        "unpack",
        lua.create_function(move |_, args: Variadic<Value>| {
            tables::unpack(&counted, &args).map(Variadic::from)
        })?,
    )?;
    Ok(library)
}
