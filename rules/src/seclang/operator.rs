//! The operator of a `SecRule`: `[!][@name] argument`.

use std::collections::BTreeMap;

use super::text::Text;
use super::values;
use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::host::{Source, SourceError};
use crate::operators::{Operator, OperatorCache, OperatorError, OperatorName};

/// Operators of other engines that a filter can't have, with the reason.
pub(super) const UNAVAILABLE: &[(&str, &str)] = &[
    ("fuzzyHash", "there are no fuzzy hashes"),
    ("gsbLookup", "the Safe Browsing database is gone"),
    ("rbl", "a filter can't ask name servers"),
    ("rsub", "a filter does not rewrite bodies"),
    ("validateDTD", "XML is not validated"),
    ("validateHash", "links are not signed"),
    ("validateSchema", "XML is not validated"),
];

/// Operators whose list is a `SecDataset`, with those that read the same list from a file.
pub(super) const FROM_DATASET: &[(&str, OperatorName)] =
    &[("ipMatchFromDataset", OperatorName::IpMatchFromFile), ("pmFromDataset", OperatorName::PmFromFile)];

/// The lists that `SecDataset` has defined, by name.
pub(super) type Datasets = BTreeMap<Vec<u8>, Vec<u8>>;

/// A `SecDataset`, read as a file.
struct Dataset<'a>(&'a [u8]);

impl Source for Dataset<'_> {
    fn read(&self, _name: &str, _relative_to: &str) -> Result<Vec<u8>, SourceError> {
        Ok(self.0.to_vec())
    }
}

/// Reads operators.
pub(super) struct Operators<'a> {
    pub(super) datasets: &'a Datasets,
    pub(super) host: &'a dyn Source,
    /// The file that holds the rule.
    pub(super) file: &'a str,
    pub(super) cache: &'a mut OperatorCache,
}

impl Operators<'_> {
    /// Reads an operator; the flag says whether it is negated. Without a name it is `@rx`.
    pub(super) fn read(&mut self, text: &Text) -> Result<(Operator, bool), Diagnostic> {
        let trimmed = text.slice(text.len() - text.bytes().trim_ascii_start().len()..text.len());
        let negated = trimmed.bytes().first() == Some(&b'!');
        let rest = if negated { trimmed.slice(1..trimmed.len()) } else { trimmed };
        let blanks = rest.len() - rest.bytes().trim_ascii_start().len();
        if rest.tail(blanks).first() != Some(&b'@') {
            // Blanks belong to the pattern, unless they stand in front of a name.
            let pattern = if negated { &rest } else { text };
            return Ok((self.build(OperatorName::Rx, pattern, self.host)?, negated));
        }
        let start = blanks + 1;
        let length = rest.tail(start).iter().position(u8::is_ascii_whitespace);
        let end = length.map_or(rest.len(), |n| start + n);
        let after = rest.tail(end);
        let argument = rest.slice(end + after.len() - after.trim_ascii_start().len()..rest.len());
        Ok((self.named(&rest.slice(start..end), &argument)?, negated))
    }

    fn named(&mut self, name: &Text, argument: &Text) -> Result<Operator, Diagnostic> {
        let written = name.text();
        if let Some(known) = OperatorName::from_name(&written) {
            return self.build(known, argument, self.host);
        }
        if let Some((_, reader)) = FROM_DATASET.iter().find(|(n, _)| n.eq_ignore_ascii_case(&written)) {
            let dataset = argument.trimmed();
            let Some(list) = self.datasets.get(dataset.bytes()) else {
                let message = format!("there is no dataset `{}` above this rule", dataset.text());
                return Err(dataset.report(Code::E0205, message).help("define it with `SecDataset`"));
            };
            return self.build(*reader, &dataset, &Dataset(list));
        }
        if let Some((known, reason)) = UNAVAILABLE.iter().find(|(n, _)| n.eq_ignore_ascii_case(&written)) {
            return Err(name.report(Code::E0203, format!("`@{known}` is not available: {reason}")));
        }
        let error = name.report(Code::E0203, format!("unknown operator `@{written}`"));
        let names = OperatorName::ALL.iter().map(|o| o.name()).chain(FROM_DATASET.iter().map(|(n, _)| *n));
        Err(match suggest(&written, names) {
            Some(near) => error.help(format!("did you mean `@{near}`?")),
            None => error.help("a pattern that begins with `@` is written `@rx @…`"),
        })
    }

    fn build(
        &mut self,
        name: OperatorName,
        argument: &Text,
        source: &dyn Source,
    ) -> Result<Operator, Diagnostic> {
        let built = Operator::with_cache(name, argument.bytes(), source, self.file, self.cache);
        built.map_err(|error| match error {
            OperatorError::Macro(unknown) => values::unknown_macro(argument, &unknown),
            OperatorError::Script(error) => values::bad_script(argument, &error),
            OperatorError::File(missing) => argument.report(Code::E0210, missing.to_string()),
            OperatorError::Argument { message, help, span } => {
                let message = format!("`@{}`: {message}", name.name());
                let span = span.unwrap_or(0..argument.len());
                let mut diagnostic = argument.report_part(span, Code::E0205, message);
                diagnostic.help = help;
                diagnostic
            }
        })
    }
}
