//! `socket` rules.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::action::{self, Acts};
use super::app::{Reports, metadata};
use super::syntax::{Parameter, Statement, Value, ValueKind, Word};
use super::version::Feature;
use crate::diagnostic::{Code, Place, Span};
use crate::net::{Action, Address, Api, App, Binding, Operation, PathPattern, Ports, PortsProblem, Rule};

const KINDS: [&str; 3] = ["accept", "connect", "bind"];
const ACTIONS: [&str; 3] = ["detect", "protect", "allow"];
const STATEMENTS: [&str; 9] =
    ["accept", "connect", "bind", "api", "input", "detect", "protect", "allow", "metadata"];
const SYSTEMS: [&str; 5] = ["linux", "windows", "aix", "solaris", "any"];

/// The socket rules of an app, with the places of their names. Rules that mean nothing to a proxy are
/// left out with a warning.
pub(super) fn rules(body: &[Statement], app: &Arc<App>, reports: &mut Reports) -> Vec<(Rule, Span)> {
    let mut rules = Vec::new();
    let mut names: FxHashMap<String, Span> = FxHashMap::default();
    let mut known = 0;
    for statement in body {
        let Some(inner) = &statement.body else { continue };
        if statement.name.text != "socket" {
            // A rule of another kind; its name counts nevertheless.
            continue;
        }
        if !Feature::Socket.is_in(app.language) {
            continue;
        }
        known += 1;
        let Some((name, span, here)) = heading(statement, reports) else { continue };
        let first = *names.entry(name.clone()).or_insert(span);
        if first != span {
            reports.again(&Word { text: name.clone(), span }, first);
        }
        let rule = RuleReader { app, name: &name, span, statement, body: inner, reports }.read();
        match rule {
            Some(rule) if here => rules.push((rule, span)),
            Some(_) => {
                let message =
                    format!("rule \"{name}\" is left out: it is for other systems than this proxy's");
                reports.error(Code::W0603, span, message, "add `linux` or `any` to `os`");
            }
            None => {}
        }
    }
    if known == 0 {
        let span = body.first().map_or_else(Span::default, |first| first.name.span);
        let message = format!("the app has no socket rule that ARMR/{} knows", app.language);
        reports.error(Code::E0502, span, message, "write `socket(\"name\"):` … `endsocket`");
    }
    rules
}

/// The name of a rule with its place, and whether the rule is for this kind of system.
fn heading(statement: &Statement, reports: &mut Reports) -> Option<(String, Span, bool)> {
    let help = "write `socket(\"name\"):` or `socket(\"name\", os: [linux]):`";
    let mut parameters = statement.parameters.iter();
    let Some(Parameter { name: None, value: Value { kind: ValueKind::Text(name), span } }) =
        parameters.next()
    else {
        reports.error(Code::E0505, statement.name.span, "the rule has no name in double quotes", help);
        return None;
    };
    if name.trim().is_empty() {
        reports.error(Code::E0505, *span, "the rule's name is empty", help);
    }
    let mut here = true;
    let mut seen = false;
    for parameter in parameters {
        match &parameter.name {
            Some(key) if key.text == "os" && !seen => {
                seen = true;
                here = systems(&parameter.value, reports);
            }
            Some(key) if key.text == "os" => {
                reports.error(Code::E0504, key.span, "`os` stands here twice", "write one list");
            }
            Some(key) => reports.unknown(key, &["os"], "parameter"),
            None => reports.error(Code::E0505, parameter.value.span, "one parameter too many", help),
        }
    }
    Some((name.clone(), *span, here))
}

fn systems(value: &Value, reports: &mut Reports) -> bool {
    let items = match &value.kind {
        ValueKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(value),
    };
    if items.is_empty() {
        reports.error(Code::E0505, value.span, "`os` is empty", "name a system, or leave `os` out");
    }
    // What is wrong with a system is said; that the rule isn't for this one would only be a guess then.
    let mut here = false;
    let before = reports.found.len();
    for item in items {
        match &item.kind {
            ValueKind::Word(word) if SYSTEMS.contains(&word.as_str()) => {
                here |= word == "linux" || word == "any";
            }
            ValueKind::Word(word) => {
                reports.unknown(&Word { text: word.clone(), span: item.span }, &SYSTEMS, "system");
            }
            _ => reports.error(Code::E0505, item.span, "a system is a word", "write `os: [linux, windows]`"),
        }
    }
    here || reports.found.len() > before
}

struct RuleReader<'a> {
    app: &'a Arc<App>,
    name: &'a str,
    span: Span,
    statement: &'a Statement,
    body: &'a [Statement],
    reports: &'a mut Reports,
}

impl RuleReader<'_> {
    fn error(&mut self, code: Code, span: Span, message: impl AsRef<str>, help: &str) {
        let message = format!("rule \"{}\": {}", self.name, message.as_ref());
        self.reports.error(code, span, message, help);
    }

    /// The rule; `None` when it is wrong, which is reported, or without effect in a proxy.
    fn read(mut self) -> Option<Rule> {
        let before = self.reports.found.len();
        let (mut kind, mut action, mut api, mut input) = (None, None, None, None);
        let mut app = Arc::clone(self.app);
        let mut seen: Vec<&Word> = Vec::new();
        for statement in self.body {
            let name = &statement.name;
            if !STATEMENTS.contains(&name.text.as_str()) || statement.body.is_some() {
                self.reports.unknown(name, &STATEMENTS, "statement");
                continue;
            }
            if let Some(first) = seen.iter().find(|first| first.text == name.text) {
                self.reports.again(name, first.span);
                continue;
            }
            seen.push(name);
            match name.text.as_str() {
                "api" => {
                    self.reports.needs(Feature::ApiAndInput, self.app.language, name.span);
                    api = Some((name.span, self.api(statement)));
                }
                "input" => {
                    self.reports.needs(Feature::ApiAndInput, self.app.language, name.span);
                    input = Some((name.span, self.input(statement)));
                }
                "metadata" => {
                    let mut merged = (**self.app).clone();
                    for (key, value) in metadata(statement, Some(self.app.language), self.reports) {
                        merged.log.retain(|(known, _)| *known != key);
                        merged.log.push((key, value));
                    }
                    app = Arc::new(merged);
                }
                kind_name if KINDS.contains(&kind_name) => match &kind {
                    None => kind = Some(statement),
                    Some(first) => {
                        let message =
                            format!("`{kind_name}` stands here, but the rule has `{}`", first.name.text);
                        self.error(Code::E0506, name.span, message, "write one rule for each");
                    }
                },
                _ => match &action {
                    None => action = Some(statement),
                    Some(first) => {
                        let message =
                            format!("`{}` stands here, but the rule has `{}`", name.text, first.name.text);
                        self.error(Code::E0507, name.span, message, "a rule has one action");
                    }
                },
            }
        }
        if kind.is_none() {
            let help = "add `accept(\"address:port\")`, `connect(…)` or `bind(…)`";
            self.error(
                Code::E0506,
                self.statement.name.span,
                "none of `accept`, `connect`, `bind` is there",
                help,
            );
        }
        if action.is_none() {
            let help = format!("add one of {}", ACTIONS.map(|name| format!("`{name}(…)`")).join(", "));
            self.error(Code::E0507, self.statement.name.span, "the rule has no action", &help);
        }
        let bindings = kind.map(|kind| self.bindings(kind)).unwrap_or_default();
        let acts = action.map(|action| action::read(action, self.app.language, self.name, self.reports));
        self.check_restrictions(
            kind,
            acts.as_ref(),
            &bindings,
            api.as_ref().map(|a| a.0),
            input.as_ref().map(|i| i.0),
        );
        let failed =
            self.reports.found.iter().skip(before).any(|d| d.code.level() == crate::diagnostic::Level::Error);
        let acts = acts.filter(|_| !failed)?;
        if acts.connection.is_some() {
            let help = "let Envoy's listener do TLS";
            self.error(Code::W0603, self.span, "left out: a filter can't turn a connection into TLS", help);
            return None;
        }
        let mut api = api.map(|(_, api)| api);
        if let Some((span, http)) = input {
            if !http {
                let message = "left out: what comes from databases or deserialisation can't be told here";
                self.error(Code::W0603, span, message, "add `http`, or take `input` out");
                return None;
            }
            let message = "`input(http)` is taken as `api(any)`: it applies to requests only";
            self.error(Code::W0603, span, message, "use `api` to say so");
            api = api.or(Some(Api::Any));
        }
        Some(Rule {
            app,
            name: self.name.into(),
            bindings,
            action: acts.action,
            api,
            message: acts.message,
            severity: acts.severity,
            connection_detail: acts.stacktrace,
            risk: None,
            place: Place::new(self.reports.source(), self.span),
        })
    }

    fn check_restrictions(
        &mut self,
        kind: Option<&Statement>,
        acts: Option<&Acts>,
        bindings: &[Binding],
        api: Option<Span>,
        input: Option<Span>,
    ) {
        let kind_name = kind.map(|kind| kind.name.text.as_str());
        if let Some(span) = input
            && kind_name.is_some_and(|kind| kind != "connect")
        {
            self.error(Code::E0511, span, "`input` goes with `connect` only", "take it out");
        }
        let Some(acts) = acts else { return };
        for (span, what) in [(api, "api"), (input, "input")] {
            if let Some(span) = span
                && acts.action == Action::Allow
            {
                let message = format!("`allow` can't be restricted by `{what}`");
                self.error(
                    Code::E0510,
                    span,
                    message,
                    &format!("take `{what}` out, or use `detect` or `protect`"),
                );
            }
        }
        let Some(span) = acts.connection else { return };
        if kind_name.is_some_and(|kind| kind != "accept") || acts.action != Action::Protect {
            self.error(
                Code::E0507,
                span,
                "`connection` goes with `accept` and `protect` only",
                "take it out",
            );
        }
        let wildcard = |binding: &Binding| matches!(binding.address, Address::AnyV4 | Address::AnyV6);
        if !bindings.iter().all(wildcard) {
            self.error(
                Code::E0507,
                span,
                "`connection` needs the address `0.0.0.0`",
                "use the address 0.0.0.0",
            );
        }
        if acts.stacktrace || api.is_some() || input.is_some() {
            let message = "`connection` excludes `stacktrace`, `api` and `input`";
            self.error(Code::E0507, span, message, "take them out");
        }
    }

    fn bindings(&mut self, kind: &Statement) -> Vec<Binding> {
        let operation = match kind.name.text.as_str() {
            "bind" => return self.bind(kind),
            "accept" => Operation::Accept,
            _ => Operation::Connect,
        };
        match kind.parameters.as_slice() {
            [Parameter { name: None, value: Value { kind: ValueKind::Text(text), span } }] => {
                self.endpoint(operation, text, *span).into_iter().collect()
            }
            [Parameter { value, .. }] => {
                let message = format!("the parameter of `{}` must be a string", kind.name.text);
                self.error(Code::E0508, value.span, message, "write it as `\"address:port\"`");
                Vec::new()
            }
            _ => {
                let message = format!("`{}` has a single parameter", kind.name.text);
                self.error(Code::E0508, kind.name.span, message, "write one rule for each address");
                Vec::new()
            }
        }
    }

    fn bind(&mut self, kind: &Statement) -> Vec<Binding> {
        let help = "write `bind(client: \"address:port\", server: \"address:port\")`, or one of the two";
        if kind.parameters.is_empty() {
            self.error(Code::E0508, kind.name.span, "`bind` has neither `client` nor `server`", help);
        }
        let mut bindings: Vec<Binding> = Vec::new();
        let mut seen: Vec<&Word> = Vec::new();
        for parameter in &kind.parameters {
            let Some(side) = &parameter.name else {
                self.error(Code::E0508, parameter.value.span, "an address of `bind` has no side", help);
                continue;
            };
            let operation = match side.text.as_str() {
                "client" => Operation::BindClient,
                "server" => Operation::BindServer,
                _ => {
                    self.reports.unknown(side, &["client", "server"], "parameter");
                    continue;
                }
            };
            if let Some(first) = seen.iter().find(|first| first.text == side.text) {
                self.reports.again(side, first.span);
                continue;
            }
            seen.push(side);
            match &parameter.value.kind {
                ValueKind::Text(text) => {
                    bindings.extend(self.endpoint(operation, text, parameter.value.span));
                }
                _ => self.error(
                    Code::E0508,
                    parameter.value.span,
                    "the address of a side must be a string",
                    help,
                ),
            }
        }
        bindings
    }

    /// Reads `address:ports`.
    fn endpoint(&mut self, operation: Operation, text: &str, span: Span) -> Option<Binding> {
        let (host, ports) = match text.rsplit_once(':') {
            Some((host, ports)) if !host.is_empty() && !ports.is_empty() => (host, ports),
            _ => {
                let message = format!("invalid address `{text}`");
                self.error(
                    Code::E0508,
                    span,
                    message,
                    "write address and port, such as `10.0.0.1:80` or `0.0.0.0:0`",
                );
                return None;
            }
        };
        let ports = self.ports(ports, span);
        let address = match Address::parse(host) {
            Ok(address) => address,
            Err(problem) => {
                self.error(Code::E0508, span, problem.message, problem.help);
                return None;
            }
        };
        let language = self.app.language;
        if operation.is_local() && (host.contains('/') || matches!(address, Address::Host(_))) {
            let message = "the address of `bind` is an address of this machine, no network or name";
            self.error(Code::E0508, span, message, "write one address, or 0.0.0.0");
        } else if host.contains('/') {
            self.reports.needs(Feature::Networks, language, span);
        } else if matches!(address, Address::Host(_)) {
            self.reports.needs(Feature::HostNames, language, span);
        }
        if let (Operation::Accept, Address::Host(name)) = (operation, &address)
            && **name != *"localhost"
        {
            let message = "this matches no client: the names of clients are not looked up";
            self.error(Code::W0602, span, message, "name the client's address or network");
        }
        Some(Binding { operation, address, ports: ports? })
    }

    fn ports(&mut self, text: &str, span: Span) -> Option<Ports> {
        let number = |text: &str| {
            Some(text)
                .filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse::<u16>().ok())
        };
        let help = "a port is a number from 0 to 65535, a range is written `80-90`; 0 stands for any";
        let Some((start, end)) = text.split_once('-') else {
            let port = number(text);
            if port.is_none() {
                self.error(Code::E0509, span, format!("invalid start port `{text}`"), help);
            }
            return Ports::new(Some(port?), None).ok();
        };
        let (first, last) = (number(start), number(end));
        if first.is_none() {
            self.error(Code::E0509, span, format!("invalid start port `{start}`"), help);
        }
        if last.is_none() {
            self.error(Code::E0509, span, format!("invalid end port `{end}`"), help);
        }
        let (first, last) = (first?, last?);
        self.reports.needs(Feature::PortRanges, self.app.language, span);
        let ports = if first == 0 || last == 0 {
            Err(PortsProblem::HalfAny)
        } else {
            Ports::new(Some(first), Some(last))
        };
        ports
            .map_err(|problem| {
                let message = format!("invalid combination for port range `{text}`");
                self.error(Code::E0509, span, message, problem.help());
            })
            .ok()
    }

    fn api(&mut self, statement: &Statement) -> Api {
        let help = "write `api(any)`, or paths as `api(\"/v2/*\", \"*/login\")`";
        let mut patterns = Vec::new();
        let mut any = false;
        if statement.parameters.is_empty() {
            self.error(Code::E0510, statement.name.span, "`api` is empty", help);
        }
        for parameter in &statement.parameters {
            let value = &parameter.value;
            match (&parameter.name, &value.kind) {
                (None, ValueKind::Word(word)) if word == "any" => any = true,
                (None, ValueKind::Text(text)) => match PathPattern::parse(text) {
                    Ok(pattern) => {
                        if !pattern.can_fit() {
                            let message =
                                format!("the path `{text}` fits no request: it doesn't begin with `/`");
                            self.error(Code::W0602, value.span, message, "begin it with `/` or `*`");
                        }
                        patterns.push(pattern);
                    }
                    Err(reason) => self.error(Code::E0510, value.span, reason, help),
                },
                _ => self.error(Code::E0510, value.span, "an endpoint is a string", help),
            }
        }
        if any && statement.parameters.len() > 1 {
            self.error(Code::E0510, statement.name.span, "`any` stands together with other endpoints", help);
        }
        if any { Api::Any } else { Api::Paths(patterns) }
    }

    /// Whether the sources hold `http`.
    fn input(&mut self, statement: &Statement) -> bool {
        let help = "write `input(http)`; there are also `database` and `deserialization`";
        if statement.parameters.is_empty() {
            self.error(Code::E0511, statement.name.span, "`input` is empty", help);
        }
        let mut http = false;
        for parameter in &statement.parameters {
            match (&parameter.name, &parameter.value.kind) {
                (None, ValueKind::Word(word)) if word == "http" => http = true,
                (None, ValueKind::Word(word)) if word == "database" || word == "deserialization" => {}
                _ => self.error(Code::E0511, parameter.value.span, "no source of this name", help),
            }
        }
        http
    }
}
