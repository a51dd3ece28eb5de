//! Values of criteria: lists and classes, and what no request or response ever holds.

use super::report::{Reporter, Spanned};
use super::risk_forms::CriterionForm;
use super::risk_values::{Attribute, Comparison};
use crate::diagnostic::Code;
use crate::operators::{Operator, OperatorName};

/// The statuses that responses can have.
const STATUSES: std::ops::RangeInclusive<u16> = 100..=599;

/// The operator that tells whether something equals a value that may be a list: of methods in any case, or of statuses
/// (`401`), ranges of them (`500-504`) and classes (`4xx`). What is read otherwise than it stands is reported.
pub(super) fn list(
    attribute: Attribute,
    value: &Spanned<String>,
    reporter: &mut Reporter<'_>,
) -> (OperatorName, String) {
    let plain = (OperatorName::StrEq, value.value.clone());
    let parts: Vec<&str> = value.value.split([',', '|', ' ', '\t']).filter(|part| !part.is_empty()).collect();
    let read = |part: &&str| match attribute {
        Attribute::Method => method(part).map(|method| (method.clone(), method)),
        _ => statuses(part),
    };
    let Some(read): Option<Vec<(String, String)>> = parts.iter().map(read).collect() else {
        // What can't be read is compared as it stands.
        return if attribute == Attribute::Method {
            (OperatorName::StrEq, value.value.to_ascii_lowercase())
        } else {
            plain
        };
    };
    let words: Vec<&str> = read.iter().map(|(words, _)| words.as_str()).collect();
    let (pattern, words) =
        (read.iter().map(|(_, pattern)| pattern.as_str()).collect::<Vec<_>>().join("|"), words);
    if words.is_empty() {
        return plain;
    }
    if words != [value.value.as_str()] {
        let message = format!("`{}` is read as {}", value.value, any_of(&words));
        let help = match attribute {
            _ if words.len() > 1 => format!("to say so write {}", as_array(&parts, attribute)),
            Attribute::Method => format!("methods are in upper case: write `{}`", words.join("")),
            _ if words.concat().len() == 3 => format!("write `{}`", words.concat()),
            _ => "to say so name the statuses, or take the operator `regex` with a pattern such as `^4`"
                .to_owned(),
        };
        reporter.push(reporter.at(Code::W0804, value.span, message).help(help));
    }
    match attribute {
        // Compared in lower case, as all methods are.
        Attribute::Method if words.len() == 1 => (OperatorName::StrEq, pattern.to_ascii_lowercase()),
        Attribute::ResponseCode if words == [value.value.as_str()] => plain,
        Attribute::Method => (OperatorName::Rx, format!("^(?i:{})$", pattern.replace('.', "\\."))),
        _ => (OperatorName::Rx, format!("^(?:{pattern})$")),
    }
}

fn any_of(words: &[&str]) -> String {
    let shown: Vec<String> = words
        .iter()
        .map(|word| if word.contains(' ') { format!("any status from {word}") } else { format!("`{word}`") })
        .collect();
    match shown.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => shown.concat(),
    }
}

fn as_array(parts: &[&str], attribute: Attribute) -> String {
    let quoted = parts.iter().map(|part| match attribute {
        Attribute::Method => format!("\"{}\"", part.to_ascii_uppercase()),
        _ => format!("\"{part}\""),
    });
    format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
}

/// A method in upper case, if the text is one: letters, digits and `-`, `_`, `.`.
fn method(text: &str) -> Option<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().all(good).then(|| text.to_ascii_uppercase())
}

/// A status, a range of statuses or a class of them, in words and as a pattern.
fn statuses(text: &str) -> Option<(String, String)> {
    let status = |text: &str| {
        let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|status| digits && STATUSES.contains(status))
    };
    if status(text).is_some() {
        return Some((text.to_owned(), text.to_owned()));
    }
    if let Some((from, to)) = text.split_once('-') {
        let (from, to): (u16, u16) = (status(from)?, status(to)?);
        let all: Vec<String> = (from..=to).map(|status| status.to_string()).collect();
        return (!all.is_empty()).then(|| (format!("{from} to {to}"), all.join("|")));
    }
    let lower = text.to_ascii_lowercase();
    let known = lower.strip_suffix("xx").or_else(|| lower.strip_suffix('x'))?;
    let class = lower.len() == 3 && known.bytes().all(|byte| byte.is_ascii_digit());
    class.then_some(())?;
    let open = 3 - known.len();
    let low: u16 = format!("{known}{}", "0".repeat(open)).parse().ok()?;
    let high: u16 = format!("{known}{}", "9".repeat(open)).parse().ok()?;
    (STATUSES.contains(&low) && STATUSES.contains(&high))
        .then(|| (format!("{low} to {high}"), format!("{known}{}", "[0-9]".repeat(open))))
}

/// Reports a value that nothing ever equals, or that everything does. `operator` is what it became.
pub(super) fn check(
    attribute: Attribute,
    comparison: Comparison,
    value: &Spanned<String>,
    operator: &Operator,
    reporter: &mut Reporter<'_>,
) {
    if matches!(attribute, Attribute::SourceIp) {
        return;
    }
    if attribute == Attribute::Countries {
        countries(value, reporter);
        return;
    }
    let everything = match comparison {
        Comparison::Equals => false,
        Comparison::Contains | Comparison::StartsWith => value.value.is_empty(),
        // What is found in nothing and in anything is found everywhere.
        Comparison::Regex => ["", "\u{1}", "Q", "~"].iter().all(|text| matches(operator, text)),
    };
    if everything {
        let message = "this matches whatever comes";
        let help = "say what is looked for, or take the criterion out";
        reporter.push(reporter.at(Code::W0806, value.span, message).help(help));
        return;
    }
    if let Some((message, help)) = never(attribute, comparison, &value.value, operator) {
        let message = format!("this never matches: {message}");
        reporter.push(reporter.at(Code::W0805, value.span, message).help(help));
    }
}

fn matches(operator: &Operator, text: &str) -> bool {
    operator.argument().as_literal().is_some() && operator.matches(text.as_bytes(), b"", None)
}

/// Why nothing can match, and what to write.
fn never(
    attribute: Attribute,
    comparison: Comparison,
    value: &str,
    operator: &Operator,
) -> Option<(String, String)> {
    // What macros come to is not known.
    operator.argument().as_literal()?;
    let holds = |bytes: &[u8]| value.bytes().find(|byte| bytes.contains(byte)).map(char::from);
    let say = |message: &str, help: &str| Some((message.to_owned(), help.to_owned()));
    let regex = comparison == Comparison::Regex;
    let from_start = matches!(comparison, Comparison::Equals | Comparison::StartsWith);
    match attribute {
        Attribute::ResponseCode => {
            if STATUSES.clone().any(|status| matches(operator, &status.to_string())) {
                return None;
            }
            say(
                "no response has this status",
                "write statuses from 100 to 599, such as `403`, a range such as `500-504` or a class such as `4xx`",
            )
        }
        Attribute::Method if !regex => {
            if value.is_empty() || method(value).is_some() || operator.name() == OperatorName::Rx {
                return None;
            }
            say("no method has such characters", "write methods such as `POST`, several as an array")
        }
        Attribute::Hostname if regex => None,
        Attribute::Hostname => {
            if value.contains("://") {
                return say("a host name has no scheme", "write the name alone, such as `shop.example`");
            }
            if holds(b",; \t").is_some() {
                let parts: Vec<&str> =
                    value.split([',', ';', ' ', '\t']).filter(|part| !part.is_empty()).collect();
                let help = format!("write one name, several as an array: {}", as_array(&parts, attribute));
                return Some(("one host has one name".to_owned(), help));
            }
            if holds(b"/?#@").is_some() {
                return say(
                    "a host name has no path and no user",
                    "write the name alone; for the path use `uri`",
                );
            }
            if holds(b"*").is_some() {
                return say(
                    "`*` stands for itself",
                    "use the operator `regex`, such as `(^|\\.)shop\\.example$`",
                );
            }
            if !value.is_ascii() {
                return say("host names are sent in ASCII", "write the name as `xn--…`");
            }
            let colons = value.bytes().filter(|byte| *byte == b':').count();
            if colons > 0 && !value.starts_with('[') && (colons == 1 || comparison != Comparison::Equals)
                || value.contains("]:")
            {
                return say("the port is no part of the host name", "write the name without a port");
            }
            None
        }
        Attribute::Uri if regex => None,
        Attribute::Uri => {
            if let Some(found) = holds(b"?#") {
                let message = format!("the path ends before `{found}`");
                return Some((
                    message,
                    "leave it out; for the query use `arguments` or `named_argument`".to_owned(),
                ));
            }
            if has_escape(value) {
                return say("the path is decoded before it is compared", "write the characters themselves");
            }
            if from_start && value.contains("://") {
                return say("the path has no scheme and no host", "write the path alone, such as `/login`");
            }
            if from_start && !value.is_empty() && !value.starts_with('/') && value != "*" {
                return Some((
                    "paths begin with `/`".to_owned(),
                    format!("write `/{value}`, or use `contains`"),
                ));
            }
            if from_start && value != "*" && value.ends_with('*') {
                let plain = value.trim_end_matches('*');
                let help = format!("use the operator `starts_with` with `{plain}`, or `regex`");
                return Some(("`*` stands for itself".to_owned(), help));
            }
            None
        }
        Attribute::Arguments if from_start && value.starts_with('?') => {
            say("the question mark is no part of the query", "leave it out")
        }
        Attribute::NamedArgument if !regex => {
            if value.contains('+') {
                return say("the value is decoded, so that `+` is a blank", "write a blank, or use `regex`");
            }
            if has_escape(value) {
                return say("the value is decoded before it is compared", "write the characters themselves");
            }
            None
        }
        Attribute::Header if !regex => {
            let blank = |text: Option<char>| text.is_some_and(|one| one == ' ' || one == '\t');
            let outside = match comparison {
                Comparison::Equals => blank(value.chars().next()) || blank(value.chars().last()),
                Comparison::StartsWith => blank(value.chars().next()),
                _ => false,
            };
            if outside {
                return say("values of headers have no blanks around them", "take the blanks out");
            }
            if holds(b"\r\n\0").is_some() {
                return say("a header has no line breaks", "compare with one line");
            }
            None
        }
        _ => None,
    }
}

/// Whether there is a `%` with two hex digits.
fn has_escape(value: &str) -> bool {
    value
        .as_bytes()
        .windows(3)
        .any(|part| matches!(part, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

/// Reports the name of an argument that no argument has.
pub(super) fn check_name(form: &CriterionForm, reporter: &mut Reporter<'_>) {
    let Some(name) = form
        .name
        .as_ref()
        .filter(|_| form.attribute.is_some_and(|one| one.value == Attribute::NamedArgument))
    else {
        return;
    };
    let message = if name.value.contains('+') || has_escape(&name.value) {
        "this never matches: names are decoded, so that `+` is a blank and `%41` is `A`"
    } else if name.value.contains(['&', '=']) {
        "this never matches: a name ends before `=` and `&`"
    } else {
        return;
    };
    reporter.push(
        reporter.at(Code::W0805, name.span, message).help("write the name as the application reads it"),
    );
}

/// Two letters that are no country's.
fn countries(value: &Spanned<String>, reporter: &mut Reporter<'_>) {
    for code in value.value.split(',').map(|code| code.trim().to_ascii_uppercase()) {
        if code.is_empty() || COUNTRIES.split(' ').any(|known| known == code) {
            continue;
        }
        let message = format!("this never matches: no country has the code `{code}`");
        let help = match code.as_str() {
            "UK" => "the United Kingdom is `GB`",
            "EL" => "Greece is `GR`",
            "EN" => "write the country, not the language: `GB` or `US`",
            _ => "write the two letters of ISO 3166, such as `DE`",
        };
        reporter.push(reporter.at(Code::W0805, value.span, message).help(help));
    }
}

/// ISO 3166-1, `XK` for Kosovo, and what databases and proxies say of addresses without a country: `AP`, `EU`
/// and `XX`.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR \
    BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET \
    FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ \
    IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML \
    MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS \
    PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL \
    TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK AP EU XX";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_status() {
        let pattern = |text| statuses(text).map(|(words, pattern)| format!("{words}: {pattern}"));
        for (text, expected) in [
            ("403", Some("403: 403")),
            ("4xx", Some("400 to 499: 4[0-9][0-9]")),
            ("40X", Some("400 to 409: 40[0-9]")),
            ("500-502", Some("500 to 502: 500|501|502")),
            ("502-500", None),
            ("600", None),
            ("6xx", None),
            ("xxx", None),
            ("4x", None),
            ("4x3", None),
            ("99", None),
            ("0403", None),
            ("", None),
        ] {
            assert_eq!(pattern(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn countries_are_there_once() {
        let mut all: Vec<&str> = COUNTRIES.split(' ').collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (249 + 4, 249 + 4));
        assert!(all.iter().all(|code| code.len() == 2));
    }
}
