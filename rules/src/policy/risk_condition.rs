//! Conditions of risk rules: from their forms to trees over the engine's conditions.

use super::condition;
use super::criteria;
use super::files::Files;
use super::report::{Reporter, Spanned};
use super::risk_forms::{ConditionForm, CriterionForm};
use super::risk_values::{Attribute, Comparison, Direction};
use super::text;
use crate::diagnostic::{Code, Place};
use crate::limits;
use crate::model::{Condition, Link, PATH_MEANT, Phase, Selector, Target, TargetMode, Tree, Variable};
use crate::operators::{Operator, OperatorError, OperatorName};
use crate::transforms::Transformation;

/// What conditions are read with.
pub(super) struct Reading<'a> {
    pub(super) files: &'a Files,
    /// Whether clients have countries.
    pub(super) countries: bool,
    /// The earliest phase in which all is known that was looked at.
    pub(super) phase: Phase,
    /// Whether what is read stands within an odd number of groups `not`.
    pub(super) denied: bool,
}

impl Reading<'_> {
    pub(super) fn tree(
        &mut self,
        form: &ConditionForm,
        depth: usize,
        reporter: &mut Reporter<'_>,
    ) -> Option<Tree> {
        match form {
            ConditionForm::And(parts) => self.group(parts, depth, reporter).map(Tree::And),
            ConditionForm::Or(parts) => self.group(parts, depth, reporter).map(Tree::Or),
            ConditionForm::Not(parts) => {
                self.denied = !self.denied;
                let parts = self.group(parts, depth, reporter);
                self.denied = !self.denied;
                parts.map(Tree::Not)
            }
            ConditionForm::Match(form) => {
                let link = condition::link(form, self.files, reporter)?;
                self.see(&link);
                Some(Tree::Leaf(Box::new(link)))
            }
            ConditionForm::Criterion(form) => self.criterion(form, reporter),
            ConditionForm::Unread => None,
        }
    }

    fn group(
        &mut self,
        parts: &Spanned<Vec<ConditionForm>>,
        depth: usize,
        reporter: &mut Reporter<'_>,
    ) -> Option<Vec<Tree>> {
        if parts.value.is_empty() && !reporter.reported_within(parts.span) {
            let diagnostic = reporter.at(Code::E0705, parts.span, "the group has no conditions");
            reporter.push(diagnostic.help("add one, or take the group out"));
            return None;
        }
        if depth >= limits::GROUP_DEPTH {
            let message = format!("groups are nested more than {} deep", limits::GROUP_DEPTH);
            reporter.push(reporter.at(Code::E0707, parts.span, message).help("split the rule"));
            return None;
        }
        let trees: Vec<Option<Tree>> =
            parts.value.iter().map(|part| self.tree(part, depth + 1, reporter)).collect();
        trees.into_iter().collect()
    }

    /// Remembers when what a condition looks at is known.
    fn see(&mut self, link: &Link) {
        let targets = link.condition.iter().flat_map(|condition| &condition.targets);
        for target in targets {
            self.phase = self.phase.max(target.variable.known_from());
        }
    }

    fn criterion(&mut self, form: &Spanned<CriterionForm>, reporter: &mut Reporter<'_>) -> Option<Tree> {
        let attribute = form.value.attribute?.value;
        let targets = self.targets(attribute, form, reporter)?;
        let values = &form.value.value.as_ref()?.value.0;
        if values.is_empty() {
            let diagnostic = reporter.at(Code::E0704, form.span, "the criterion has no value");
            reporter.push(diagnostic.help("give it one, or take the criterion out"));
            return None;
        }
        if matches!(attribute, Attribute::SourceIp | Attribute::Countries)
            && form.value.operator.value != Comparison::Equals
        {
            let message = "this attribute is looked up in a list and has no operator";
            let diagnostic = reporter.at(Code::E0704, form.value.operator.span, message);
            reporter.push(diagnostic.help("leave `operator` out"));
            return None;
        }
        let leaves: Vec<Option<Tree>> = values
            .iter()
            .map(|value| {
                let value = Spanned { value: value.value.0.clone(), span: value.span };
                let mut link = leaf(attribute, &form.value, targets.clone(), &value, self.files, reporter)?;
                self.see(&link);
                if attribute != Attribute::Uri || !self.denied {
                    return Some(Tree::Leaf(Box::new(link)));
                }
                // A path has several readings, and a rule has to hold for each: what spares a path from it has to
                // be true of all of them.
                link.condition.iter_mut().for_each(|condition| condition.negated = true);
                Some(Tree::Not(vec![Tree::Leaf(Box::new(link))]))
            })
            .collect();
        criteria::check_name(&form.value, reporter);
        let mut leaves: Vec<Tree> = leaves.into_iter().collect::<Option<_>>()?;
        if leaves.len() == 1 { leaves.pop() } else { Some(Tree::Or(leaves)) }
    }

    fn targets(
        &self,
        attribute: Attribute,
        form: &Spanned<CriterionForm>,
        reporter: &mut Reporter<'_>,
    ) -> Option<Vec<Target>> {
        let criterion = &form.value;
        let mut misplaced = |field: Option<&Spanned<String>>, belongs: bool, name: &str| {
            if let Some(field) = field.filter(|_| !belongs) {
                let message = format!("`{name}` has no effect with this attribute");
                reporter.push(reporter.at(Code::W0108, field.span, message).help("leave it out"));
            }
        };
        misplaced(criterion.name.as_ref(), attribute == Attribute::NamedArgument, "name");
        misplaced(criterion.field.as_ref(), attribute == Attribute::Header, "field");
        let keyed = |variable, key: &[u8]| {
            let selector = Selector::Key(key.to_vec());
            vec![Target { variable, selector, mode: TargetMode::Inspect }]
        };
        let missing = |name: &str, reporter: &mut Reporter<'_>| {
            let message = format!("the field `{name}` is missing");
            reporter.push(reporter.at(Code::E0704, form.span, message).help(format!("name it in `{name}`")));
        };
        Some(match attribute {
            Attribute::SourceIp => vec![Target::all(Variable::RemoteAddr)],
            Attribute::Countries => {
                if !self.countries {
                    let message = "no client has a country: the policy does not say where it comes from";
                    let help = "name a header or a database in `risk.country`";
                    reporter.push(reporter.at(Code::E0709, form.span, message).help(help));
                    return None;
                }
                keyed(Variable::Geo, b"COUNTRY_CODE")
            }
            Attribute::Hostname => vec![Target::all(Variable::ServerName)],
            Attribute::Uri if self.denied => keyed(Variable::RequestPaths, PATH_MEANT),
            Attribute::Uri => vec![Target::all(Variable::RequestPaths)],
            Attribute::Arguments => {
                vec![Target::all(Variable::QueryString), Target::all(Variable::RequestBody)]
            }
            Attribute::NamedArgument => {
                let Some(name) = &criterion.name else {
                    missing("name", reporter);
                    return None;
                };
                keyed(Variable::Args, name.value.as_bytes())
            }
            Attribute::Method => vec![Target::all(Variable::RequestMethod)],
            Attribute::Header => {
                let Some(field) = &criterion.field else {
                    missing("field", reporter);
                    return None;
                };
                let name = text::header_name(field, reporter)?;
                match criterion.direction.value {
                    Direction::Request => keyed(Variable::RequestHeaders, name.as_bytes()),
                    Direction::Response => keyed(Variable::ResponseHeaders, name.as_bytes()),
                }
            }
            Attribute::ResponseCode => vec![Target::all(Variable::ResponseStatus)],
        })
    }
}

fn leaf(
    attribute: Attribute,
    form: &CriterionForm,
    targets: Vec<Target>,
    value: &Spanned<String>,
    files: &Files,
    reporter: &mut Reporter<'_>,
) -> Option<Link> {
    let ignore_case = form.ignore_case.value || matches!(attribute, Attribute::Hostname | Attribute::Method);
    let (name, argument) = match (attribute, form.operator.value) {
        (Attribute::SourceIp, _) => (OperatorName::IpMatch, value.value.clone()),
        (Attribute::Countries, _) => {
            let codes: Vec<&str> = value.value.split(',').map(str::trim).filter(|c| !c.is_empty()).collect();
            let bad =
                codes.iter().find(|code| code.len() != 2 || !code.bytes().all(|b| b.is_ascii_alphabetic()));
            if bad.is_some() || codes.is_empty() {
                let message = format!("`{}` is no list of countries", value.value);
                let help = "write two letters each (ISO 3166), such as `US,DE`";
                reporter.push(reporter.at(Code::E0709, value.span, message).help(help));
                return None;
            }
            (OperatorName::Rx, format!("^(?i:{})$", codes.join("|")))
        }
        (Attribute::Method | Attribute::ResponseCode, Comparison::Equals) => {
            criteria::list(attribute, value, reporter)
        }
        (_, Comparison::Regex) if ignore_case => (OperatorName::Rx, format!("(?i){}", value.value)),
        (_, Comparison::Regex) => (OperatorName::Rx, value.value.clone()),
        (_, other) => {
            let name = match other {
                Comparison::Contains => OperatorName::Contains,
                Comparison::StartsWith => OperatorName::BeginsWith,
                _ => OperatorName::StrEq,
            };
            let text = if ignore_case { value.value.to_ascii_lowercase() } else { value.value.clone() };
            (name, text)
        }
    };
    let folded = ignore_case && name != OperatorName::Rx;
    let operator = match Operator::new(name, argument.as_bytes(), files, "") {
        Ok(operator) => operator,
        Err(error) => {
            let (message, help) = match error {
                OperatorError::Script(error) => (error.to_string(), error.help().map(str::to_owned)),
                OperatorError::Argument { message, help, .. } => (message, help),
                OperatorError::Macro(error) => (error.to_string(), None),
                OperatorError::File(error) => (error.to_string(), None),
            };
            let mut diagnostic = reporter.at(Code::E0704, value.span, message);
            diagnostic.help = help;
            reporter.push(diagnostic);
            return None;
        }
    };
    criteria::check(attribute, form.operator.value, value, &operator, reporter);
    let condition = Condition {
        targets,
        transformations: if folded { vec![Transformation::Lowercase] } else { Vec::new() },
        multi_match: false,
        operator,
        negated: false,
        namespaces: Vec::new(),
    };
    Some(Link {
        condition: Some(condition),
        script: None,
        capture: false,
        actions: Vec::new(),
        place: Place::default(),
    })
}
