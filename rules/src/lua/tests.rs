//! Scripts that misbehave: none may hang, none may trap, all are stopped or answered.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests outside #[test] functions")]

use super::*;
use crate::host::SourceError;
use crate::limits;

struct Text(String);

impl Source for Text {
    fn read(&self, _: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.clone().into_bytes())
    }
}

/// A host with one variable, and a record of what was done to it.
#[derive(Default)]
struct Desk {
    value: Vec<u8>,
    logged: Vec<(u8, Vec<u8>)>,
    set: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Host for Desk {
    fn log(&mut self, level: u8, text: &[u8]) {
        self.logged.push((level, text.to_vec()));
    }

    fn values(&mut self, variable: &[u8], _: &[Vec<u8>], most: usize) -> Result<Vec<Named>, String> {
        match variable {
            b"NOTHING" => Ok(Vec::new()),
            b"BAD" => Err("there is no variable `BAD`".to_owned()),
            _ => Ok(vec![(variable.to_vec(), self.value.clone()); most.min(2)]),
        }
    }

    fn set(&mut self, variable: &[u8], value: Option<&[u8]>) -> Result<(), String> {
        self.set.push((variable.to_vec(), value.map(<[u8]>::to_vec)));
        Ok(())
    }
}

fn load(text: &str) -> Result<Script, ScriptError> {
    Script::load("test.lua", &Text(text.to_owned()), "")
}

fn call(text: &str, desk: &mut Desk, value: Option<&[u8]>) -> Ended {
    let mut instructions = limits::SCRIPT_TRANSACTION_INSTRUCTIONS;
    load(text).unwrap().run(desk, value, &mut instructions)
}

/// What `main` with this body returns.
fn returned(body: &str) -> Option<String> {
    match call(&format!("function main(value) {body} end"), &mut Desk::default(), Some(b"v")) {
        Ended::Returned(text) => text.map(|text| text.escape_ascii().to_string()),
        Ended::Stopped(reason) => panic!("{body}: {reason}"),
    }
}

fn stopped(body: &str) -> String {
    let mut desk = Desk { value: vec![b'a'; 300_000], ..Desk::default() };
    match call(&format!("function main(value) {body} end"), &mut desk, None) {
        Ended::Returned(text) => panic!("{body}: returned {:?} bytes", text.map(|text| text.len())),
        Ended::Stopped(reason) => reason,
    }
}

#[test]
fn the_language_works() {
    for (body, expected) in [
        ("return 'a'", Some("a")),
        ("return nil", None),
        ("return 7", None),
        ("return value", Some("v")),
        ("return tostring(10 // 3) .. tostring(10 / 4)", Some("32.5")),
        ("return ('x'):rep(3, '-')", Some("x-x-x")),
        ("return (('a1b22'):gsub('%d+', '<%0>'))", Some("a<1>b<22>")),
        ("return (('hello'):gsub('l', {l='L'}))", Some("heLLo")),
        ("return (('abc'):gsub('.', function(c) return c:upper() end))", Some("ABC")),
        ("return (('abc'):gsub('', '-'))", Some("-a-b-c-")),
        ("return (('abc def'):gsub('^%w', '#'))", Some("#bc def")),
        (
            "local t = {} for k, v in ('a=1,b=2'):gmatch('(%w)=(%w)') do t[#t+1] = k..v end \
          return table.concat(t, ';')",
            Some("a1;b2"),
        ),
        ("return ('key=val'):match('=(.*)')", Some("val")),
        ("local a, b, c = ('key=val'):find('(=)') return a..b..c", Some("44=")),
        ("local a, b = ('a.b'):find('.', 1, true) return a..b", Some("22")),
        ("return string.format('%05.1f %q %x', 3.14159, 'a\\nb', 255)", Some("003.1 \\\"a\\\\\\nb\\\" ff")),
        ("local t = {3, 1, 2} table.sort(t) return table.concat(t)", Some("123")),
        ("local t = {1, 2, 3} table.insert(t, 2, 9) table.remove(t, 1) return table.concat(t)", Some("923")),
        ("return table.concat({table.unpack({1, 2, 3}, 2)}, ',')", Some("2,3")),
        ("local t = table.move({1, 2, 3}, 1, 3, 2) return table.concat(t)", Some("1123")),
        ("return tostring(select('#', ('abc'):byte(1, -1)))", Some("3")),
        ("return '\\0\\255'", Some("\\x00\\xff")),
        ("local ok, e = pcall(error, 'boom') return e", Some("boom")),
        ("local t = setmetatable({}, {__index = function(_, k) return k .. '!' end}) return t.x", Some("x!")),
        ("goto done do return 'no' end ::done:: return 'yes'", Some("yes")),
        ("x = 1 return tostring(_G.x)", Some("1")),
    ] {
        assert_eq!(returned(body).as_deref(), expected, "{body}");
    }
}

#[test]
fn nothing_of_the_outside_is_there() {
    for name in [
        "io",
        "os",
        "package",
        "debug",
        "require",
        "load",
        "loadstring",
        "loadfile",
        "dofile",
        "print",
        "collectgarbage",
        "coroutine",
        "utf8",
        "warn",
        "string.dump",
        "string.pack",
        "string.unpack",
        "math.random",
        "math.randomseed",
        "newproxy",
    ] {
        let absent = format!("if {name} == nil then return 'absent' end");
        assert_eq!(returned(&absent).as_deref(), Some("absent"), "{name}");
    }
    // Methods of strings lead to the same functions, and the way back to them is closed.
    assert_eq!(
        returned("if ('').dump == nil and ('').pack == nil then return 'absent' end").as_deref(),
        Some("absent")
    );
    assert_eq!(returned("return tostring(getmetatable(''))").as_deref(), Some("false"));
    assert!(stopped("setmetatable({}, {__gc = function() end})").contains("finalizers"));
    // Byte code is not Lua source.
    assert!(matches!(load("\u{1b}Lua"), Err(ScriptError::Syntax { .. })));
}

#[test]
fn runs_do_not_see_each_other() {
    let script = load(
        "count = 0 function main() count = count + 1 string.marked = true \
         return tostring(count) .. tostring(seen) end seen = string.marked",
    )
    .unwrap();
    for _ in 0..3 {
        let mut instructions = 10_000;
        let Ended::Returned(text) = script.run(&mut Desk::default(), None, &mut instructions) else {
            panic!()
        };
        assert_eq!(text.as_deref(), Some(&b"1nil"[..]));
        assert!((9_000..10_000).contains(&instructions), "{instructions}");
    }
}

#[test]
fn the_host_is_reached() {
    let mut desk = Desk { value: b"\xffbytes\0".to_vec(), ..Desk::default() };
    let text = "function main()
        m.log(2, 'seen ' .. m.getvar('ARGS.x', 'lowercase'))
        local list = m.getvars('ARGS', {'none'})
        m.setvar('tx.count', #list)
        m.setvar('tx.gone', nil)
        assert(m.getvar('NOTHING') == nil and #m.getvars('NOTHING') == 0)
        assert(not pcall(m.getvar, 'BAD'))
        return list[2].name .. list[2].value
    end";
    let Ended::Returned(found) = call(text, &mut desk, None) else { panic!() };
    assert_eq!(found.unwrap(), b"ARGS\xffbytes\0");
    assert_eq!(desk.logged, [(2, b"seen \xffbytes\0".to_vec())]);
    assert_eq!(desk.set, [(b"tx.count".to_vec(), Some(b"2".to_vec())), (b"tx.gone".to_vec(), None)]);
}

#[test]
fn what_goes_past_a_budget_is_stopped() {
    let instructions = "it executed more than";
    let memory = "it used more than";
    let steps = "the functions it called took more than";
    for (body, reason) in [
        ("while true do end", instructions),
        ("while true do pcall(function() while true do end end) end", instructions),
        ("repeat local ok = pcall(main) until false", instructions),
        ("local function f(n) return 1 + f(n + 1) end return f(0)", instructions),
        ("local s = 'x' while true do s = s .. s end", memory),
        ("local t = {} for i = 1, 1e9 do t[i] = {i, {i}} end", memory),
        ("local s = m.getvar('X') s = s .. s .. s .. s .. s .. s for i = 1, 9 do end", memory),
        ("return ('x'):rep(1e9)", steps),
        ("return ('x'):rep(1e9, ('y'):rep(100))", steps),
        ("pcall(string.rep, 'x', 1e9) return ('x'):rep(1)", steps),
        ("local s = ('a'):rep(3000) return s:find('.-.-.-.-.-b')", steps),
        ("return m.getvar('X'):find('(.*)(.*)(.*)%1b')", steps),
        ("local s = m.getvar('X') return (s:gsub('a', s))", steps),
        ("local s = ('x'):rep(60000) return (s:gsub('x', function() return s end))", steps),
        ("local s = m.getvar('X') for i = 1, 1e9 do s:upper() end", steps),
        (
            "local s = ('x'):rep(60000) local t = {} for i = 1, 2000 do t[i] = s end return table.concat(t)",
            steps,
        ),
        ("return table.concat(setmetatable({}, {__index = function() return 'x' end}), '', 1, 1e9)", steps),
        ("table.move({}, 1, 1e15, 2)", steps),
        ("local t = {} for i = 1, 1e5 do table.insert(t, 1, i) end", steps),
        ("local t = {} for i = 1, 5000 do t[i] = -i end table.sort(t)", steps),
        ("for i = 1, 1e9 do m.getvar('X') end", steps),
    ] {
        let said = stopped(body);
        assert!(said.contains(reason), "{body}: {said}");
    }
    for (body, reason) in [
        (
            "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
            "overflow",
        ),
        (
            "local t t = setmetatable({}, {__tostring = function() return tostring(t) end}) return tostring(t)",
            "overflow",
        ),
        ("local function f() return (('a'):gsub('a', f)) end return f()", "overflow"),
        ("local function f() table.sort({3, 2, 1}, f) end return f()", "overflow"),
        ("return select('#', table.unpack({}, 1, 1e6))", "too many results"),
        ("return select('#', ('x'):rep(1e4):byte(1, -1))", "too long"),
        ("error({})", ""),
        ("return nil + 1", "arithmetic"),
        ("return ('x'):bad()", "nil value"),
        ("return ('x'):find('[')", "malformed pattern"),
        ("m.setvar()", "bad argument"),
        ("string.format('%d', 'x')", "bad argument"),
        ("string.format('%999d', 1)", "invalid"),
    ] {
        let said = stopped(body);
        assert!(said.contains(reason), "{body}: {said}");
    }
}

#[test]
fn the_budget_of_a_transaction_is_shared_by_its_runs() {
    let script = load("function main() for i = 1, 20000 do end end").unwrap();
    let mut instructions = limits::SCRIPT_TRANSACTION_INSTRUCTIONS;
    let mut runs = 0;
    while let Ended::Returned(None) = script.run(&mut Desk::default(), None, &mut instructions) {
        runs += 1;
    }
    assert!((20..=26).contains(&runs), "{runs}");
    let Ended::Stopped(reason) = script.run(&mut Desk::default(), None, &mut instructions) else { panic!() };
    assert!(reason.contains("transaction"), "{reason}");
}

#[test]
fn what_can_not_be_run_is_refused_with_its_line() {
    let syntax = load("function main()\n  local x = = 1\nend").unwrap_err();
    assert_eq!(syntax.to_string(), "line 2 of `test.lua`: unexpected symbol near '='");
    let fails = load("function main() end\n\nlocal x = nil + 1").unwrap_err();
    assert!(matches!(&fails, ScriptError::Fails { line: 3, .. }), "{fails}");
    assert!(matches!(load("while true do end"), Err(ScriptError::Fails { .. })));
    assert!(matches!(load("function Main() end"), Err(ScriptError::NoMain(_))));
    assert!(matches!(load(&"-".repeat(limits::SCRIPT_BYTES + 1)), Err(ScriptError::TooLong { .. })));
    assert!(matches!(Script::load("x.sh", &Text(String::new()), ""), Err(ScriptError::NotLua(_))));
    // Nesting that would need much stack is a syntax error as well.
    assert!(matches!(load(&"(".repeat(60_000)), Err(ScriptError::Syntax { .. })));
    assert!(matches!(
        load(&format!("x = {}1{}", "{".repeat(30_000), "}".repeat(30_000))),
        Err(ScriptError::Syntax { .. })
    ));
}
