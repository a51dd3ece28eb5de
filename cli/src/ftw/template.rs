//! Go templates, as far as tests use them to write long or odd bodies: text and `{{ … }}` with literals,
//! pipes, parentheses and functions that make strings. What is not known is an error, never left out.

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Most bytes that `repeat` makes.
const LONGEST: usize = 64 * 1024 * 1024;

/// What a template comes to.
///
/// # Errors
/// When it is malformed, or uses what is not supported.
pub(super) fn evaluate(template: &str) -> anyhow::Result<Vec<u8>> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let (after, trims) = match after.strip_prefix('-') {
            Some(trimmed) if trimmed.starts_with(char::is_whitespace) => (trimmed, true),
            _ => (after, false),
        };
        out.push_str(if trims { text.trim_end() } else { text });
        let action;
        (action, rest) = split_action(after)?;
        let action = match action.strip_suffix('-') {
            Some(trimmed) if trimmed.ends_with(char::is_whitespace) => {
                rest = rest.trim_start();
                trimmed
            }
            _ => action,
        };
        let action = action.trim();
        if action.starts_with("/*") && action.ends_with("*/") {
            continue;
        }
        let value = pipeline(action).with_context(|| format!("template {{{{ {action} }}}}"))?;
        out.push_str(&value.text());
    }
    out.push_str(rest);
    Ok(out.into_bytes())
}

/// What stands before the closing braces, which may be inside a string, and what follows them.
fn split_action(text: &str) -> anyhow::Result<(&str, &str)> {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None => {
                if let Some(after) = text.get(at..).and_then(|rest| rest.strip_prefix("}}")) {
                    return Ok((text.get(..at).unwrap_or_default(), after));
                }
            }
        }
    }
    bail!("template: `{{{{` without `}}}}`")
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Number(i64),
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
        }
    }

    fn number(&self) -> anyhow::Result<i64> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => text.parse().with_context(|| format!("`{text}` is no number")),
        }
    }
}

/// Values piped from one command to the next, each the last argument of what follows.
fn pipeline(text: &str) -> anyhow::Result<Value> {
    let mut piped = None;
    for command in split(text, |c| c == '|')? {
        piped = Some(run(command.trim(), piped)?);
    }
    piped.context("there is nothing in it")
}

/// Splits where a character says so, outside of strings and parentheses.
fn split(text: &str, separates: impl Fn(char) -> bool) -> anyhow::Result<Vec<&str>> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0usize);
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"' | '\'') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None => match c {
                '"' | '\'' | '`' => quote = Some(c),
                '(' => depth += 1,
                ')' => depth = depth.checked_sub(1).context("`)` without `(`")?,
                _ if depth == 0 && separates(c) => {
                    parts.push(text.get(start..at).unwrap_or_default());
                    start = at + c.len_utf8();
                }
                _ => {}
            },
        }
    }
    ensure!(quote.is_none(), "a string has no end");
    ensure!(depth == 0, "`(` without `)`");
    parts.push(text.get(start..).unwrap_or_default());
    Ok(parts)
}

fn run(command: &str, piped: Option<Value>) -> anyhow::Result<Value> {
    let words = split(command, char::is_whitespace)?;
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let first = words.next().context("a command is missing")?;
    let mut arguments = words.map(value).collect::<anyhow::Result<Vec<_>>>()?;
    arguments.extend(piped);
    if !first.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        ensure!(arguments.is_empty(), "{first} takes no arguments");
        return value(first);
    }
    call(first, &arguments).with_context(|| format!("function `{first}`"))
}

fn value(word: &str) -> anyhow::Result<Value> {
    if let Some(inner) = word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
        return pipeline(inner);
    }
    if let Some(raw) = word.strip_prefix('`').and_then(|word| word.strip_suffix('`')) {
        return Ok(Value::Text(raw.to_owned()));
    }
    if let Some(inner) = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        return unquote(inner).map(Value::Text);
    }
    if let Ok(number) = word.parse() {
        return Ok(Value::Number(number));
    }
    if word.starts_with(char::is_alphabetic) {
        return call(word, &[]).with_context(|| format!("function `{word}`"));
    }
    bail!("`{word}` is neither a string nor a whole number nor a function")
}

/// What a Go string literal stands for.
fn unquote(text: &str) -> anyhow::Result<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let kind = rest.next().context("a string ends in a backslash")?;
        out.push(match kind {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '"' | '\'' => kind,
            'x' | 'u' | 'U' => {
                let digits = match kind {
                    'x' => 2,
                    'u' => 4,
                    _ => 8,
                };
                let code: String = rest.by_ref().take(digits).collect();
                let number = u32::from_str_radix(&code, 16).with_context(|| format!("\\{kind}{code}"))?;
                ensure!(kind != 'x' || number < 0x80, "\\x{code} is no text; use `encoded_data`");
                char::from_u32(number).with_context(|| format!("\\{kind}{code} is no character"))?
            }
            other => bail!("unknown escape \\{other}"),
        });
    }
    Ok(out)
}

fn call(name: &str, arguments: &[Value]) -> anyhow::Result<Value> {
    let wants = |count: usize| {
        ensure!(arguments.len() == count, "{} arguments instead of {count}", arguments.len());
        Ok(())
    };
    let argument = |position: usize| arguments.get(position).context("an argument is missing");
    let text = |position: usize| argument(position).map(Value::text);
    let number = |position: usize| argument(position)?.number();
    let result = match name {
        "repeat" => {
            wants(2)?;
            let (count, text) = (usize::try_from(number(0)?).context("a negative count")?, text(1)?);
            ensure!(text.len().saturating_mul(count) <= LONGEST, "more than {LONGEST} bytes");
            text.repeat(count)
        }
        "upper" => wants(1).and(text(0))?.to_uppercase(),
        "lower" => wants(1).and(text(0))?.to_lowercase(),
        "trim" => wants(1).and(text(0))?.trim().to_owned(),
        "nospace" => wants(1).and(text(0))?.split_whitespace().collect(),
        "quote" => arguments.iter().map(|value| format!("{:?}", value.text())).collect::<Vec<_>>().join(" "),
        "squote" => arguments.iter().map(|value| format!("'{}'", value.text())).collect::<Vec<_>>().join(" "),
        "cat" => arguments.iter().map(Value::text).collect::<Vec<_>>().join(" "),
        "trimPrefix" => {
            wants(2)?;
            let (prefix, text) = (text(0)?, text(1)?);
            text.strip_prefix(prefix.as_str()).unwrap_or(&text).to_owned()
        }
        "trimSuffix" => {
            wants(2)?;
            let (suffix, text) = (text(0)?, text(1)?);
            text.strip_suffix(suffix.as_str()).unwrap_or(&text).to_owned()
        }
        "replace" => {
            wants(3)?;
            text(2)?.replace(&text(0)?, &text(1)?)
        }
        "b64enc" => wants(1).and(text(0)).map(|text| STANDARD.encode(text))?,
        "b64dec" => {
            let decoded = STANDARD.decode(wants(1).and(text(0))?).context("not base64")?;
            String::from_utf8(decoded).context("it is no text; use `encoded_data`")?
        }
        "print" => arguments.iter().map(Value::text).collect(),
        "printf" => printf(&text(0)?, arguments.get(1..).unwrap_or_default())?,
        "urlquery" => {
            super::request::query_escape(arguments.iter().map(Value::text).collect::<String>().as_bytes())
        }
        "len" => {
            let length = wants(1).and(text(0))?.len();
            return Ok(Value::Number(i64::try_from(length)?));
        }
        "add" | "mul" | "sub" => {
            let numbers = arguments.iter().map(Value::number).collect::<anyhow::Result<Vec<_>>>()?;
            let operation = match name {
                "add" => i64::checked_add,
                "mul" => i64::checked_mul,
                _ => i64::checked_sub,
            };
            let (first, others) = numbers.split_first().context("an argument is missing")?;
            let sum = others.iter().try_fold(*first, |sum, number| operation(sum, *number));
            return Ok(Value::Number(sum.context("the number is too large")?));
        }
        _ => bail!("it is not supported"),
    };
    Ok(Value::Text(result))
}

fn printf(format: &str, arguments: &[Value]) -> anyhow::Result<String> {
    let mut out = String::new();
    let mut arguments = arguments.iter();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let verb = rest.next().context("`%` at the end")?;
        if verb == '%' {
            out.push('%');
            continue;
        }
        let value = arguments.next().context("an argument is missing")?;
        match verb {
            's' | 'v' => out.push_str(&value.text()),
            'd' => out.push_str(&value.number()?.to_string()),
            'q' => out.push_str(&format!("{:?}", value.text())),
            'x' => out.push_str(&format!("{:x}", value.number()?)),
            'c' => out.extend(u32::try_from(value.number()?).ok().and_then(char::from_u32)),
            other => bail!("`%{other}` is not supported"),
        }
    }
    ensure!(arguments.next().is_none(), "more arguments than verbs");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn templates() {
        for (template, expected) in [
            ("plain", "plain"),
            ("", ""),
            ("a={{ \"1\" | repeat 3 }}&b=2", "a=111&b=2"),
            ("{{ repeat 2 \"ab\" }}", "abab"),
            ("{{repeat 2 `a\\b`}}", "a\\ba\\b"),
            ("{{ (repeat 2 \"a\") | upper }}", "AA"),
            ("{{ \"}}\" }}", "}}"),
            ("{{ \"a|b\" | repeat 2 }}", "a|ba|b"),
            ("{{ \"\\x41\\u00e4\\n\" }}", "A\u{e4}\n"),
            ("a {{- \" b\" -}} c", "a bc"),
            ("a{{/* nothing */}}b", "ab"),
            ("{{ printf \"%s-%d%%\" \"x\" 7 }}", "x-7%"),
            ("{{ add 1 2 3 }}", "6"),
            ("{{ \"a b\" | b64enc }}", "YSBi"),
            ("{{ \"YSBi\" | b64dec }}", "a b"),
            ("{{ replace \" \" \"-\" \"a b c\" }}", "a-b-c"),
            ("{{ urlquery \"a b&\" }}", "a+b%26"),
            ("{{ repeat (add 1 1) \"x\" }}{{ 5 }}", "xx5"),
            ("}} {", "}} {"),
        ] {
            assert_eq!(String::from_utf8(evaluate(template).unwrap()).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (template, named) in [
            ("{{ randAlpha 5 }}", "randAlpha"),
            ("{{ .Name }}", ".Name"),
            ("{{ 7*7 }}", "7*7"),
            ("{{ if true }}", "if"),
            ("{{ \"a }}", "}}"),
            ("{{ }}", "command"),
            ("{{ repeat -1 \"a\" }}", "negative"),
            ("{{ repeat 99999999999 \"a\" }}", "bytes"),
            ("{{ \"\\xff\" }}", "encoded_data"),
            ("{{ upper }}", "upper"),
            ("{{ (upper \"a\" }}", "("),
            ("{{ \"a\" ", "{{"),
        ] {
            let problem = format!("{:#}", evaluate(template).unwrap_err());
            assert!(problem.contains(named), "{template}: {problem}");
        }
    }
}
