//! From an operator's name and argument to its test.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::pattern::{ExpandedPatterns, Pattern};
use super::phrases::{self, Phrases};
use super::strings::{self, Prepared};
use super::validate::ByteRanges;
use super::verify::{Scheme, Search};
use super::{AddressSet, Groups, NumberTest, OperatorError, OperatorName, Test, numbers};
use crate::host::Source;
use crate::lua::{Script, ScriptError};
use crate::model::{Template, UnknownMacro};

/// What operators of one policy share: phrase lists with the same phrases and equal regular
/// expressions are compiled once. Needed only while rules are read.
#[derive(Debug, Default)]
pub struct OperatorCache {
    patterns: FxHashMap<Box<[u8]>, Arc<Pattern>>,
    phrases: FxHashMap<Vec<Vec<u8>>, Arc<Phrases>>,
}

impl OperatorCache {
    fn pattern(&mut self, source: &[u8]) -> Result<Arc<Pattern>, OperatorError> {
        if let Some(pattern) = self.patterns.get(source) {
            return Ok(pattern.clone());
        }
        let pattern = Arc::new(Pattern::new(source)?);
        self.patterns.insert(source.into(), pattern.clone());
        Ok(pattern)
    }

    fn phrases(&mut self, list: Vec<Vec<u8>>) -> Result<Arc<Phrases>, OperatorError> {
        if let Some(phrases) = self.phrases.get(&list) {
            return Ok(phrases.clone());
        }
        let phrases = Arc::new(Phrases::new(list.clone())?);
        self.phrases.insert(list, phrases.clone());
        Ok(phrases)
    }
}

/// Compiles an operator. The template is empty unless the operator expands macros.
pub(super) fn compile(
    name: OperatorName,
    argument: &[u8],
    source: &dyn Source,
    file: &str,
    cache: &mut OperatorCache,
) -> Result<(Test, Template), OperatorError> {
    use strings::Comparison::{BeginsWith, Contains, ContainsWord, EndsWith, Equals, Within};
    let test = match name {
        OperatorName::BeginsWith => return text(BeginsWith, argument),
        OperatorName::Contains | OperatorName::StrMatch => return text(Contains, argument),
        OperatorName::ContainsWord => return text(ContainsWord, argument),
        OperatorName::EndsWith => return text(EndsWith, argument),
        OperatorName::StrEq => return text(Equals, argument),
        OperatorName::Within => return text(Within, argument),
        OperatorName::Eq => return number(numbers::Comparison::Eq, argument),
        OperatorName::Ge => return number(numbers::Comparison::Ge, argument),
        OperatorName::Gt => return number(numbers::Comparison::Gt, argument),
        OperatorName::Le => return number(numbers::Comparison::Le, argument),
        OperatorName::Lt => return number(numbers::Comparison::Lt, argument),
        OperatorName::Rx => return pattern(Groups::OfFirstMatch, argument, cache),
        OperatorName::RxGlobal => return pattern(Groups::OfAllMatches, argument, cache),
        OperatorName::DetectSqli => Test::Sqli,
        OperatorName::DetectXss => Test::Xss,
        OperatorName::GeoLookup => Test::Place,
        OperatorName::InspectFile => Test::Script(script(argument, source, file)?),
        OperatorName::IpMatch => Test::Addresses(AddressSet::parse(argument)?),
        OperatorName::IpMatchFromFile => Test::Addresses(addresses_from_files(argument, source, file)?),
        OperatorName::NoMatch => Test::Never,
        OperatorName::Pm => Test::Phrases(cache.phrases(phrases::parse_argument(argument))?),
        OperatorName::PmFromFile => {
            let mut text = Vec::new();
            for (_, content) in read_files(argument, source, file)? {
                text.extend_from_slice(&content);
                text.push(b'\n');
            }
            Test::Phrases(cache.phrases(phrases::parse_file(&text))?)
        }
        OperatorName::RestPath => Test::Path(Pattern::path_template(argument)?),
        OperatorName::UnconditionalMatch => Test::Always,
        OperatorName::ValidateByteRange => Test::Bytes(ByteRanges::parse(argument)?),
        OperatorName::ValidateNid => Test::NumberSearch(Search::validate_nid(argument)?),
        OperatorName::ValidateUrlEncoding => Test::UrlEncoding,
        OperatorName::ValidateUtf8Encoding => Test::Utf8Encoding,
        OperatorName::VerifyCc => Test::NumberSearch(Search::verify(Scheme::CreditCard, argument)?),
        OperatorName::VerifyCpf => Test::NumberSearch(Search::verify(Scheme::Cpf, argument)?),
        OperatorName::VerifySsn => Test::NumberSearch(Search::verify(Scheme::Ssn, argument)?),
        OperatorName::VerifySvnr => Test::NumberSearch(Search::verify(Scheme::Svnr, argument)?),
    };
    Ok((test, Template::default()))
}

fn text(comparison: strings::Comparison, argument: &[u8]) -> Result<(Test, Template), OperatorError> {
    let template = Template::parse(argument)?;
    let test = match template.as_literal() {
        Some(text) => Test::Text(Prepared::new(comparison, text)),
        None => Test::ExpandedText(comparison),
    };
    Ok((test, template))
}

fn number(comparison: numbers::Comparison, argument: &[u8]) -> Result<(Test, Template), OperatorError> {
    let template = Template::parse(argument)?;
    let test = match template.as_literal() {
        Some(text) => Test::Number(NumberTest::new(comparison, numbers::leading_integer(text))),
        None => Test::ExpandedNumber(comparison),
    };
    Ok((test, template))
}

fn pattern(
    groups: Groups,
    argument: &[u8],
    cache: &mut OperatorCache,
) -> Result<(Test, Template), OperatorError> {
    Ok(match pattern_with_macros(argument)? {
        Some(template) => (Test::ExpandedPattern(ExpandedPatterns::default(), groups), template),
        None => (Test::Pattern(cache.pattern(argument)?, groups), Template::default()),
    })
}

/// The template of a regular expression that has macros. In `%{2}` the braces are a quantifier.
fn pattern_with_macros(argument: &[u8]) -> Result<Option<Template>, UnknownMacro> {
    match Template::parse(argument) {
        Ok(template) if template.as_literal().is_some() => Ok(None),
        Ok(template) => Ok(Some(template)),
        Err(error) if error.name.bytes().all(|b| b.is_ascii_digit() || b == b',') => Ok(None),
        Err(error) => Err(error),
    }
}

fn addresses_from_files(
    argument: &[u8],
    source: &dyn Source,
    file: &str,
) -> Result<AddressSet, OperatorError> {
    let mut set = AddressSet::default();
    for (name, content) in read_files(argument, source, file)? {
        set.add_lines(&content).map_err(|error| {
            let line =
                memchr::memchr_iter(b'\n', content.get(..error.span.start).unwrap_or_default()).count() + 1;
            OperatorError::Argument {
                message: format!("line {line} of `{name}`: {error}"),
                help: Some("put one address or network on each line; `#` begins a comment".to_owned()),
                span: None,
            }
        })?;
    }
    Ok(set)
}

/// The script that an argument names.
fn script(argument: &[u8], source: &dyn Source, file: &str) -> Result<Script, OperatorError> {
    match std::str::from_utf8(argument.trim_ascii()) {
        Ok(name) if !name.is_empty() => match Script::load(name, source, file) {
            Err(ScriptError::Missing(missing)) => Err(missing.into()),
            loaded => Ok(loaded?),
        },
        _ => Err(OperatorError::Argument {
            message: "the argument names no script".to_owned(),
            help: Some("write the name of a file that ends in `.lua`".to_owned()),
            span: Some(0..argument.len()),
        }),
    }
}

/// The files that an argument names, parted by white space as in ModSecurity v2: name, content.
fn read_files(
    argument: &[u8],
    source: &dyn Source,
    file: &str,
) -> Result<Vec<(String, Vec<u8>)>, OperatorError> {
    let argument_error = |message: &str, help: &str| {
        Err(OperatorError::Argument {
            message: message.to_owned(),
            help: Some(help.to_owned()),
            span: Some(0..argument.len()),
        })
    };
    let Ok(names) = std::str::from_utf8(argument) else {
        return argument_error("the file's name is not UTF-8", "give the file another name");
    };
    let mut files = Vec::new();
    for name in names.split_ascii_whitespace() {
        if name.starts_with("https://") || name.starts_with("http://") {
            return argument_error(
                "a filter can't fetch lists from a server",
                "download the list and name the file",
            );
        }
        files.push((name.to_owned(), source.read(name, file)?));
    }
    if files.is_empty() {
        return argument_error("the argument names no file", "write the name of a file");
    }
    Ok(files)
}
