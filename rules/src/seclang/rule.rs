//! Rules and chains: `SecRule` and `SecAction` lines become model rules.

use std::sync::Arc;

use super::actions::{self, Actions, Disruptive, parse, redirects};
use super::lexer::Line;
use super::operator::Operators;
use super::parser::{Entry, File, Parser};
use super::text::Text;
use super::values;
use super::words::Words;
use crate::diagnostic::{Code, Diagnostic, Label, Level, Place, has_errors};
use crate::limits;
use crate::lua::Script;
use crate::model::{Condition, Link, Origin, Phase, Resolution, Rule};

/// A finished rule with what updates need to know.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) rule: Box<Rule>,
    /// What `block` means for it.
    pub(super) default: Resolution,
    /// Where its `skipAfter` stands.
    pub(super) skip_after: Option<Label>,
    /// Where the rule itself stands.
    pub(super) at: Option<Label>,
}

/// A rule that says `chain`, and what followed so far.
#[derive(Debug)]
pub(super) struct Chain {
    id: Option<u64>,
    starter: Actions,
    phase: Phase,
    links: Vec<Link>,
    origin: Origin,
    /// Its first directive.
    at: Label,
    /// The last `chain` action.
    open: Label,
    /// Whether a part of it has errors, so that all of it is left out.
    failed: bool,
}

/// What kind of line a rule, or a part of a chain, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `SecRule`: tests variables.
    Rule,
    /// `SecAction`: tests nothing.
    Action,
    /// `SecRuleScript`: asks a script.
    Script,
}

/// A line's own part of a rule.
struct Piece {
    /// Where its variables stand, else its name.
    place: Place,
    condition: Option<Condition>,
    script: Option<Script>,
    /// `None` when the list could not be read.
    actions: Option<Actions>,
}

impl Parser<'_> {
    /// A line that is a rule or a part of one.
    pub(super) fn rule(&mut self, file: &File, line: &Line, name: &Text, arguments: &Text, form: Form) {
        let start = self.out.len();
        let place = match &self.chain {
            Some(chain) => actions::Place::Continuation(Some(chain.phase)),
            None => actions::Place::Rule,
        };
        let piece = self.piece(file, name, arguments, form, place);
        let next = match self.chain.take() {
            Some(chain) => Some(self.continued(chain, piece)),
            None => self.started(file, line, name, piece, form),
        };
        let Some((mut chain, open)) = next else {
            return self.close_reports(start, None);
        };
        chain.failed |= has_errors(self.out.get(start..).unwrap_or_default());
        let id = chain.id;
        if let Some(open) = open {
            chain.open = open;
            self.chain = Some(chain);
        } else if !chain.failed {
            self.complete(chain);
        }
        self.close_reports(start, id);
    }

    /// Puts the reports from `start` on into the order of the text, names the rule in them, and turns
    /// errors into warnings where the configuration asks for it.
    fn close_reports(&mut self, start: usize, id: Option<u64>) {
        if let Some(reports) = self.out.get_mut(start..) {
            reports.sort_by_key(|report| report.labels.first().map(|label| label.span.start));
        }
        for report in self.out.iter_mut().skip(start) {
            report.rule = report.rule.or(id);
            if self.ignore_errors && report.code.level() == Level::Error {
                report.message = format!("the rule is left out: {} [{}]", report.message, report.code);
                report.code = Code::W0401;
            }
        }
    }

    /// Reads the parts of a line.
    fn piece(
        &mut self,
        file: &File,
        name: &Text,
        arguments: &Text,
        form: Form,
        place: actions::Place,
    ) -> Piece {
        let tests = form == Form::Rule;
        let mut words = Words::new(arguments);
        let (variables, test) = if tests { (words.next_variables(), words.next()) } else { (None, None) };
        let script = if form == Form::Script { words.next() } else { None };
        let list = words.next();
        let missing = match (form, &variables, &test, &list) {
            (Form::Rule, None, _, _) => Some("`SecRule` needs variables, an operator and actions"),
            (Form::Rule, Some(Ok(_)), None, _) => Some("`SecRule` needs an operator after its variables"),
            (Form::Action, _, _, None) => Some("`SecAction` needs a list of actions"),
            (Form::Script, _, _, None) => Some("`SecRuleScript` needs a script and a list of actions"),
            _ => None,
        };
        let mut unreadable = missing.is_some();
        if let Some(message) = missing {
            let form = match form {
                Form::Rule => r#"`SecRule VARIABLES "@operator argument" "id:NUMBER,…"`"#,
                Form::Action => r#"`SecAction "id:NUMBER,…"`"#,
                Form::Script => r#"`SecRuleScript NAME.lua "id:NUMBER,…"`"#,
            };
            self.out.push(name.report(Code::E0302, message).help(format!("write {form}")));
        }
        let mut take = |word: Option<Result<Text, Diagnostic>>| match word? {
            Ok(word) => Some(word),
            Err(error) => {
                self.out.push(error);
                unreadable = true;
                None
            }
        };
        let (variables, test, list) = (take(variables), take(test), take(list));
        let script = take(script);
        if let Some(rest) = words.rest() {
            let error = rest.report(Code::E0302, "there is text after the actions");
            self.out.push(
                error.help(
                    "is a quote missing, or a backslash too many? Comments stand on lines of their own",
                ),
            );
        }

        let targets = variables.as_ref().and_then(|text| values::targets(text, &mut self.out));
        let mut operators = Operators {
            datasets: &self.datasets,
            host: self.host,
            file: &file.name,
            cache: &mut self.operators,
        };
        let test = test.and_then(|text| operators.read(&text).map_err(|error| self.out.push(error)).ok());
        let condition = targets.zip(test).map(|(targets, (operator, negated))| Condition {
            targets,
            transformations: Vec::new(),
            multi_match: false,
            operator,
            negated,
            namespaces: Vec::new(),
        });
        let actions = match list {
            Some(list) => parse(&list, place, &mut self.out).map(|list| self.with_scripts(file, list)),
            None => (!unreadable).then(Actions::default),
        };
        let script = script.and_then(|name| self.script(file, &name));
        if let (Some(text), Some(condition)) = (&variables, &condition) {
            self.client_checks.check_targets(text, &condition.targets, &mut self.out);
        }
        if let Some(actions) = &actions {
            self.client_checks.check(&actions.client, &mut self.out);
        }
        if let (Some(text), Some(condition), Some(actions)) = (&variables, &condition, &actions) {
            values::check_prefixes(text, &condition.targets, &actions.namespaces, &mut self.out);
        }
        if let Some(actions) = actions.as_ref().filter(|_| !tests)
            && (actions.multi_match || !actions.steps.list.is_empty())
        {
            let message = format!("`{}` tests nothing: its transformations do nothing", name.text());
            self.out.push(name.report(Code::W0402, message));
        }
        let place = variables.as_ref().unwrap_or(name).place();
        Piece { place, condition, script, actions }
    }

    /// The first line of a rule, with its `chain` action if it has one; `None` when it is not known where
    /// the rule ends.
    fn started(
        &mut self,
        file: &File,
        line: &Line,
        name: &Text,
        piece: Piece,
        form: Form,
    ) -> Option<(Chain, Option<Label>)> {
        let lost = std::mem::take(&mut self.lost);
        let Some(mut actions) = piece.actions else {
            self.lost = true;
            return None;
        };
        let id = actions.id.take();
        if lost && !actions.has_id {
            // It goes on with a rule whose actions could not be read.
            self.lost = actions.chain.is_some();
            return None;
        }
        match &id {
            Some((id, label)) => self.register(*id, label),
            None if form != Form::Action && !actions.has_id => {
                let error = name.report(Code::E0212, "the rule has no id");
                self.out.push(error.help("add `id:NUMBER` to its actions"));
            }
            None => {}
        }
        let open = actions.chain.take();
        let phase = actions.phase.unwrap_or(self.default_phase);
        let link = self.link(phase, piece.place, piece.condition, piece.script, &mut actions);
        let chain = Chain {
            id: id.map(|(id, _)| id),
            starter: actions,
            phase,
            links: vec![link],
            origin: Origin { file: Arc::clone(&file.name), line: line.number, place: name.place() },
            at: name.label(""),
            open: name.label(""),
            failed: false,
        };
        Some((chain, open))
    }

    /// A later line of a chain.
    fn continued(&mut self, mut chain: Chain, piece: Piece) -> (Chain, Option<Label>) {
        let Some(mut actions) = piece.actions else {
            self.lost = true;
            chain.failed = true;
            return (chain, None);
        };
        let open = actions.chain.take();
        chain.links.push(self.link(chain.phase, piece.place, piece.condition, piece.script, &mut actions));
        chain.starter.complete_with(&actions);
        (chain, open)
    }

    /// Remembers an id; one that is taken is an error.
    pub(super) fn register(&mut self, id: u64, label: &Label) {
        let Some(earlier) = self.ids.get(&id) else {
            self.ids.insert(id, label.clone());
            return;
        };
        let mut error = Diagnostic::new(Code::E0201, format!("rule id {id} is duplicated"));
        error.labels = vec![label.clone(), Label { text: "first used here".to_owned(), ..earlier.clone() }];
        self.out.push(error.rule(Some(id)));
    }

    /// A line as a link of a rule. Default transformations stand in front of its own, in every link.
    fn link(
        &self,
        phase: Phase,
        place: Place,
        condition: Option<Condition>,
        script: Option<Script>,
        actions: &mut Actions,
    ) -> Link {
        let condition = condition.map(|condition| Condition {
            transformations: actions.steps.after(&self.default_of(phase).steps.list),
            multi_match: actions.multi_match,
            namespaces: std::mem::take(&mut actions.namespaces),
            ..condition
        });
        Link { condition, script, capture: actions.capture, actions: std::mem::take(&mut actions.run), place }
    }

    /// Merges a whole rule with the default action of its phase. What the default action runs, it runs
    /// in the first link, before the link's own actions.
    fn complete(&mut self, chain: Chain) {
        let Chain { id, starter, phase, mut links, origin, at, .. } = chain;
        report_late(&starter.timed, phase, &mut self.out);
        let base = self.default_of(phase);
        let default = match &base.disruptive {
            Some(Disruptive::Is(resolution)) => resolution.clone(),
            _ => Resolution::Pass,
        };
        let merged = starter.over(base);
        if let Some(first) = links.first_mut() {
            first.capture |= base.capture;
            if let Some(condition) = &mut first.condition {
                condition.multi_match |= base.multi_match;
            }
            first.actions = [merged.run, std::mem::take(&mut first.actions)].concat();
        }
        let resolution = match merged.disruptive {
            Some(Disruptive::Is(resolution)) => resolution,
            _ => default.clone(),
        };
        let (skip_after, skip_label) = merged.skip_after.unzip();
        let mut rule = Rule {
            id: id.unwrap_or(0),
            origin,
            phase,
            links,
            resolution,
            status: merged.status,
            skip: merged.skip.unwrap_or(0),
            skip_after,
            log: merged.log.unwrap_or(true),
            audit: merged.audit.unwrap_or(true),
            meta: merged.meta,
            risk: merged.client.mark(),
        };
        fit_status(&mut rule);
        if self.entries.len() >= limits::RULES {
            let message = format!("there are more than {} rules and markers", limits::RULES);
            let mut error = Diagnostic::new(Code::E0109, message).rule(id);
            error.labels = vec![at];
            self.out.push(error.help("join rules that do the same"));
            return;
        }
        self.entries.push(Entry::Rule(Draft {
            rule: Box::new(rule),
            default,
            skip_after: skip_label,
            at: Some(at),
        }));
    }

    /// Ends a chain that waits for its next rule: `end` stands where that should be.
    pub(super) fn break_chain(&mut self, end: Option<Label>) {
        self.lost = false;
        if let Some(chain) = self.chain.take() {
            let start = self.out.len();
            let mut error = Diagnostic::new(Code::E0310, "the chain is not completed: no rule follows");
            error.labels = std::iter::once(chain.open).chain(end).collect();
            self.out.push(error.help("add the rule, or take `chain` away"));
            self.close_reports(start, chain.id);
        }
    }
}

/// A redirect keeps a status that redirects; any other comes from a default action and is dropped.
pub(super) fn fit_status(rule: &mut Rule) {
    if matches!(rule.resolution, Resolution::Redirect(_)) {
        rule.status = rule.status.filter(|status| redirects(*status));
    }
}

/// Reports actions that come after the phase in which they do something.
pub(super) fn report_late(timed: &[(Phase, Label)], phase: Phase, out: &mut Vec<Diagnostic>) {
    for (last, label) in timed.iter().filter(|(last, _)| phase > *last) {
        let message = format!(
            "this has no effect in phase {}: it has to come in phase {} or before",
            phase.number(),
            last.number()
        );
        let mut warning = Diagnostic::new(Code::W0408, message);
        warning.labels = vec![label.clone()];
        out.push(warning);
    }
}
