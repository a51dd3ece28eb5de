//! Document type declarations. What they declare is not applied, so one that would change what an application sees of
//! the document is an error: entities, defaults of attributes, and whatever stands elsewhere.

use super::XmlErrorKind;
use super::scanner::is_name;

/// Checks a declaration, from `<!DOCTYPE` to its `>`.
pub(super) fn check(markup: &str) -> Result<(), XmlErrorKind> {
    let inner = markup.strip_prefix("<!DOCTYPE").and_then(|rest| rest.strip_suffix('>'));
    let mut reader = Reader { rest: inner.ok_or(XmlErrorKind::Doctype)? };
    let blanks = reader.skip_blanks();
    let end = reader.rest.find(|c: char| c.is_ascii_whitespace() || c == '[');
    let name = reader.advance(end.unwrap_or(reader.rest.len()));
    if !blanks || !is_name(name) {
        return Err(XmlErrorKind::Doctype);
    }
    reader.skip_blanks();
    if reader.take("SYSTEM") || reader.take("PUBLIC") {
        return Err(XmlErrorKind::ExternalSubset);
    }
    if reader.take("[") {
        reader.internal_subset()?;
        reader.skip_blanks();
    }
    if reader.rest.is_empty() { Ok(()) } else { Err(XmlErrorKind::Doctype) }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn advance(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    fn skip_blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_ascii_start();
        self.rest.len() < before
    }

    fn take(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Goes past the next `end`.
    fn skip_past(&mut self, end: &str) -> Result<(), XmlErrorKind> {
        let at = self.rest.find(end).ok_or(XmlErrorKind::Doctype)?;
        self.advance(at + end.len());
        Ok(())
    }

    /// Goes past the `]` that ends what stands in brackets.
    fn internal_subset(&mut self) -> Result<(), XmlErrorKind> {
        loop {
            self.skip_blanks();
            if self.take("]") {
                return Ok(());
            } else if self.take("<!--") {
                self.skip_past("-->")?;
            } else if self.take("<?") {
                self.skip_past("?>")?;
            } else if self.take("<!ENTITY") {
                return Err(XmlErrorKind::Entities);
            } else if self.take("<!ATTLIST") {
                // Types and names have no quotes: what stands in some is a default.
                if self.declaration()? {
                    return Err(XmlErrorKind::AttributeDefaults);
                }
            } else if self.take("<!ELEMENT") || self.take("<!NOTATION") {
                self.declaration()?;
            } else if self.take("%") {
                return Err(XmlErrorKind::ParameterEntities);
            } else {
                return Err(XmlErrorKind::Doctype);
            }
        }
    }

    /// Goes past the end of a declaration; whether something in it stands in quotes.
    fn declaration(&mut self) -> Result<bool, XmlErrorKind> {
        let mut quotes = false;
        loop {
            let at = self.rest.find(['"', '\'', '>', '<', '%']).ok_or(XmlErrorKind::Doctype)?;
            self.advance(at);
            if self.take(">") {
                return Ok(quotes);
            } else if self.take("%") {
                return Err(XmlErrorKind::ParameterEntities);
            } else if self.take("\"") {
                self.skip_past("\"")?;
            } else if self.take("'") {
                self.skip_past("'")?;
            } else {
                return Err(XmlErrorKind::Doctype);
            }
            quotes = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_would_change_the_document_is_refused() {
        use XmlErrorKind as E;
        let cases: &[(&str, Result<(), E>)] = &[
            ("<!DOCTYPE a>", Ok(())),
            ("<!DOCTYPE\n a\t>", Ok(())),
            ("<!DOCTYPE a []>", Ok(())),
            ("<!DOCTYPE a[ <!ELEMENT a (b, c)*> <!-- <!ENTITY > --> <?pi <!ENTITY ]> ?> ] >", Ok(())),
            ("<!DOCTYPE a [<!NOTATION gif PUBLIC \"<!ENTITY>\">]>", Ok(())),
            ("<!DOCTYPE a [<!ATTLIST a b CDATA #IMPLIED c (d|e) #REQUIRED>]>", Ok(())),
            ("<!DOCTYPE a [<!ATTLIST a b CDATA \"evil\">]>", Err(E::AttributeDefaults)),
            ("<!DOCTYPE a [<!ATTLIST a b (c|d) 'd'>]>", Err(E::AttributeDefaults)),
            ("<!DOCTYPE a [<!ATTLIST a b CDATA #FIXED '>'>]>", Err(E::AttributeDefaults)),
            ("<!DOCTYPE a [<!ELEMENT a ANY><!ATTLIST a b CDATA\n\"\">]>", Err(E::AttributeDefaults)),
            ("<!DOCTYPE a SYSTEM \"http://example.com/a.dtd\">", Err(E::ExternalSubset)),
            ("<!DOCTYPE a PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'a.dtd' []>", Err(E::ExternalSubset)),
            ("<!DOCTYPE a [%b;]>", Err(E::ParameterEntities)),
            ("<!DOCTYPE a [<!ELEMENT a %b;>]>", Err(E::ParameterEntities)),
            ("<!DOCTYPE a [<!ATTLIST a %b;>]>", Err(E::ParameterEntities)),
            ("<!DOCTYPE a [<!ENTITY % b SYSTEM 'x'>%b;]>", Err(E::Entities)),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]>", Err(E::Entities)),
            ("<!doctype a>", Err(E::Doctype)),
            ("<!DOCTYPEa>", Err(E::Doctype)),
            ("<!DOCTYPE >", Err(E::Doctype)),
            ("<!DOCTYPE 1>", Err(E::Doctype)),
            ("<!DOCTYPE a b>", Err(E::Doctype)),
            ("<!DOCTYPE a system 'x'>", Err(E::Doctype)),
            ("<!DOCTYPE a [<!entity b 'c'>]>", Err(E::Doctype)),
            ("<!DOCTYPE a [<!attlist a b CDATA 'c'>]>", Err(E::Doctype)),
            ("<!DOCTYPE a [<![INCLUDE[<!ENTITY b 'c'>]]>]>", Err(E::Doctype)),
            ("<!DOCTYPE a [<b/>]>", Err(E::Doctype)),
            ("<!DOCTYPE a [<!ELEMENT a (b)]>", Err(E::Doctype)),
            ("<!DOCTYPE a [] <b/>>", Err(E::Doctype)),
            ("<!DOCTYPE a [<!-- ]>", Err(E::Doctype)),
        ];
        for (markup, expected) in cases {
            assert_eq!(check(markup), *expected, "{markup}");
        }
    }

    proptest! {
        #[test]
        fn whatever_passes_declares_nothing(pieces in prop::collection::vec(prop::sample::select(vec![
            "<!ENTITY a 'b'>", "<!ATTLIST a b CDATA 'c'>", "<!ELEMENT a ANY>", "<!--", "-->", "<?", "?>", "]", ">", " ",
            "'", "\"", "%a;", "<!ATTLIST a b CDATA #IMPLIED>", "SYSTEM", "é",
        ]), 0..10)) {
            let markup = format!("<!DOCTYPE a [{}]>", pieces.concat());
            if check(&markup).is_ok() {
                // What stands outside of comments, instructions and literals.
                let mut rest = markup.as_str();
                let mut outside = String::new();
                while let Some((at, (open, close))) = [("<!--", "-->"), ("<?", "?>")]
                    .into_iter()
                    .filter_map(|pair| rest.find(pair.0).map(|at| (at, pair)))
                    .min_by_key(|(at, _)| *at)
                {
                    outside.push_str(&rest[..at]);
                    let inner = &rest[at + open.len()..];
                    rest = inner.split_once(close).map_or("", |(_, behind)| behind);
                }
                outside.push_str(rest);
                prop_assert!(!outside.contains("<!ENTITY") && !outside.contains("'c'"), "{}", markup);
            }
        }
    }
}
