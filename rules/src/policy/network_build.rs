//! The network part of a policy: from its forms to the model.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::network::{
    ApiForm, ArmrForm, BindSideForm, InvalidApps, KindName, NetworkForm, NetworkRuleForm, NetworkRules,
    PortNumber, Whole,
};
use super::network_risk;
use super::report::{Reporter, Spanned, opening};
use crate::diagnostic::{Code, Diagnostic, Level, SourceId, Sources, Span};
use crate::limits;
use crate::net::{
    Action, Address, Api, App, Binding, EventFlow, LanguageVersion, Message, NetworkPolicy, Operation,
    PathPattern, Ports, PortsProblem, RESERVED_KEYS, Rule, armr,
};
use crate::risk::RiskSettings;

/// The app of rules that name none.
const DEFAULT_APP: &str = "portcullis";

/// The network part in the model. What is wrong with any part of it is reported.
pub(super) fn network(
    form: &mut NetworkForm,
    risk: Option<&RiskSettings>,
    sources: &mut Sources,
    reporter: &mut Reporter<'_>,
) -> NetworkPolicy {
    let NetworkRules { mut rules, names, first_risk } = std::mem::take(&mut form.rules.value);
    for (index, text) in form.armr.iter().flat_map(|texts| &texts.value.0).enumerate() {
        let name = text.name.clone().unwrap_or_else(|| format!("network.armr[{index}]"));
        add_armr(text, &name, form.invalid_apps.value, &names, &mut rules, sources, reporter);
    }
    let addresses: usize = rules.iter().map(|rule| rule.bindings.len()).sum();
    if addresses > limits::NETWORK_ADDRESSES {
        let message =
            format!("network rules hold {addresses} addresses, more than {}", limits::NETWORK_ADDRESSES);
        reporter.push(Diagnostic::new(Code::E0516, message).help("join addresses to networks"));
    }
    warn_of_ipv6(&rules, reporter);
    network_risk::check(form, first_risk, risk, reporter);
    NetworkPolicy {
        direction: form.direction.as_ref().map(|direction| direction.value),
        http_requests: form.http_requests.value,
        event_format: form.event_format.value,
        event_flow: form.event_flow.as_ref().and_then(|flow| {
            let most = at_least_one(flow.value.max_events_per_rule.as_ref(), reporter);
            let pause_seconds = at_least_one(flow.value.pause_seconds.as_ref(), reporter);
            Some(EventFlow { most: most?, pause_seconds: pause_seconds? })
        }),
        refuse_blocked_clients: form.refuse_blocked_clients.as_ref().is_none_or(|refuse| refuse.value),
        rules,
    }
}

fn at_least_one(number: Option<&Spanned<Whole>>, reporter: &mut Reporter<'_>) -> Option<u32> {
    let number = number?;
    if number.value.0 == 0 {
        reporter.push(
            reporter.at(Code::E0105, number.span, "0 is not allowed here").help("write a number from 1"),
        );
    }
    Some(number.value.0)
}

/// Builds rules one by one.
pub(super) struct RulesBuilder {
    built: NetworkRules,
    apps: Apps,
}

impl RulesBuilder {
    pub(super) fn with_capacity(rules: usize) -> Self {
        let rules = Vec::with_capacity(rules.min(limits::NETWORK_ADDRESSES));
        Self { built: NetworkRules { rules, ..NetworkRules::default() }, apps: Apps::default() }
    }

    pub(super) fn add(&mut self, form: &Spanned<NetworkRuleForm>, reporter: &mut Reporter<'_>) {
        if let Some(name) = &form.value.name {
            let app = form.value.app.as_ref().map_or(DEFAULT_APP, |app| &app.value);
            if let Some(first) = self.built.names.first(app, &name.value, name.span) {
                let message = format!("two network rules of `{app}` are named `{}`", name.value);
                let diagnostic = reporter.at(Code::E0514, name.span, message);
                let diagnostic = diagnostic.help("give each rule its own name");
                reporter.push(reporter.also(diagnostic, first, "first here"));
            }
        }
        self.built.first_risk = self.built.first_risk.or_else(|| network_risk::place(&form.value));
        self.built.rules.extend(network_rule(form, &mut self.apps, reporter));
    }

    pub(super) fn finish(self) -> NetworkRules {
        self.built
    }
}

/// The names of the rules in JSON, per app, with their places.
#[derive(Debug, Default)]
pub(super) struct Names(FxHashMap<String, FxHashMap<String, Span>>);

impl Names {
    /// The place where the name was seen first, if it was seen before.
    fn first(&mut self, app: &str, name: &str, span: Span) -> Option<Span> {
        if !self.0.contains_key(app) {
            self.0.insert(app.to_owned(), FxHashMap::default());
        }
        let names = self.0.get_mut(app)?;
        match names.get(name) {
            Some(first) => Some(*first),
            None => {
                names.insert(name.to_owned(), span);
                None
            }
        }
    }
}

/// Apps that are shared by their rules: those of neighbouring rules are mostly the same.
#[derive(Default)]
struct Apps(Option<Arc<App>>);

impl Apps {
    fn get(&mut self, app: App) -> Arc<App> {
        if let Some(last) = self.0.as_ref().filter(|last| ***last == app) {
            return Arc::clone(last);
        }
        let app = Arc::new(app);
        self.0 = Some(Arc::clone(&app));
        app
    }
}

fn network_rule(
    rule: &Spanned<NetworkRuleForm>,
    apps: &mut Apps,
    reporter: &mut Reporter<'_>,
) -> Option<Rule> {
    let form = &rule.value;
    if let Some(name) = form.name.as_ref().filter(|name| name.value.trim().is_empty()) {
        reporter
            .push(reporter.at(Code::E0105, name.span, "the rule has no name").help("name it for its events"));
    }
    if let Some(app) = form.app.as_ref().filter(|app| app.value.trim().is_empty()) {
        reporter
            .push(reporter.at(Code::E0105, app.span, "the app has no name").help("name it, or leave it out"));
    }
    let kind = form.kind.as_ref().map(|kind| kind.value);
    let bindings = match kind {
        Some(KindName::Bind) => bind(rule, reporter),
        Some(KindName::Accept) => endpoints(Operation::Accept, rule, reporter),
        Some(KindName::Connect) => endpoints(Operation::Connect, rule, reporter),
        None => Vec::new(),
    };
    let action = form.action.as_ref().map(|action| action.value);
    let api = form.api.as_ref().and_then(|api| api_restriction(api, reporter));
    if let Some(written) = form.api.as_ref().filter(|_| api.is_some() && action == Some(Action::Allow)) {
        let diagnostic =
            reporter.at(Code::E0510, written.span, "`allow` can't be restricted to API endpoints");
        reporter.push(diagnostic.help("leave `api` out, or use `detect` or `protect`"));
    }
    let message = message(form, action, reporter);
    let risk = network_risk::rule_risk(form, reporter);
    let app = apps.get(App {
        name: form.app.as_ref().map_or_else(|| DEFAULT_APP.to_owned(), |app| app.value.clone()),
        version: form.app_version.value.0.into(),
        language: LanguageVersion::LATEST,
        log: log_keys(form, reporter),
    });
    Some(Rule {
        app,
        name: form.name.as_ref()?.value.as_str().into(),
        bindings,
        action: action?,
        api,
        message,
        severity: form.severity.as_ref()?.value.0,
        connection_detail: form.connection_detail.value,
        risk,
        place: reporter.place(form.name.as_ref()?.span),
    })
}

fn message(form: &NetworkRuleForm, action: Option<Action>, reporter: &mut Reporter<'_>) -> Message {
    let text = form.message.as_ref().filter(|message| !message.value.is_empty());
    if !form.disable_logging.value {
        return text.map_or(Message::Default, |text| Message::Text(text.value.as_str().into()));
    }
    if action == Some(Action::Detect) {
        let message = "a rule that detects can't be silent: its log is all it does";
        let diagnostic = reporter.at(Code::E0513, form.disable_logging.span, message);
        reporter.push(diagnostic.help("leave `disable_logging` out"));
    }
    if let Some(text) = text {
        let message = "the message has no effect: logging is disabled";
        reporter.push(reporter.at(Code::W0108, text.span, message).help("leave one of the two out"));
    }
    Message::Silent
}

fn log_keys(form: &NetworkRuleForm, reporter: &mut Reporter<'_>) -> Vec<(String, String)> {
    let mut keys = Vec::new();
    for (key, value) in form.log.iter().flat_map(|log| &log.value.0) {
        if RESERVED_KEYS.contains(&key.value.as_str()) {
            let message = format!("the key `{}` is the event's own", key.value);
            reporter.push(reporter.at(Code::E0517, key.span, message).help("use another key"));
        } else if !armr::is_key(&key.value) {
            let message = format!("`{}` can't be a key of events", key.value);
            let diagnostic = reporter.at(Code::E0517, key.span, message);
            reporter.push(diagnostic.help("use letters, digits, `_`, `-` and `.`"));
        }
        keys.push((key.value.clone(), value.value.clone()));
    }
    keys
}

fn misplaced<T>(field: Option<&Spanned<T>>, message: &str, help: &str, reporter: &mut Reporter<'_>) {
    if let Some(field) = field {
        reporter.push(reporter.at(Code::E0107, field.span, message).help(help));
    }
}

fn endpoints(
    operation: Operation,
    rule: &Spanned<NetworkRuleForm>,
    reporter: &mut Reporter<'_>,
) -> Vec<Binding> {
    let form = &rule.value;
    let help = "give `address` and ports";
    for side in [&form.client, &form.server] {
        misplaced(side.as_ref(), "only rules of kind `bind` have sides", help, reporter);
    }
    let ports = ports(form.start_port.as_ref(), form.end_port.as_ref(), rule, reporter);
    let Some(addresses) = &form.address else {
        // One that is there and can't be read has been reported.
        if !reporter.reported_within(rule.span) {
            let diagnostic = reporter.at(Code::E0104, opening(rule), "the field `address` is missing");
            reporter.push(diagnostic.help(help));
        }
        return Vec::new();
    };
    if addresses.value.0.is_empty() && !reporter.reported_within(addresses.span) {
        reporter.push(
            reporter.at(Code::E0508, addresses.span, "the rule has no address").help("name one, or `any`"),
        );
    }
    let mut bindings = Vec::with_capacity(addresses.value.0.len());
    for written in &addresses.value.0 {
        let Some(address) = address(written, reporter) else { continue };
        if let (Operation::Accept, Address::Host(name)) = (operation, &address)
            && **name != *"localhost"
        {
            let message = "this matches no client: the names of clients are not looked up";
            let help = "name the client's address or network; of names only `localhost` is known here";
            reporter.push(reporter.at(Code::W0602, written.span, message).help(help));
        }
        if let Some(ports) = ports {
            bindings.push(Binding { operation, address, ports });
        }
    }
    bindings
}

fn bind(rule: &Spanned<NetworkRuleForm>, reporter: &mut Reporter<'_>) -> Vec<Binding> {
    let form = &rule.value;
    let help = "give `client`, `server` or both, each with `address` and ports";
    let message = "a rule of kind `bind` has its addresses at its sides";
    misplaced(form.address.as_ref(), message, help, reporter);
    misplaced(form.start_port.as_ref().or(form.end_port.as_ref()), message, help, reporter);
    if form.client.is_none() && form.server.is_none() && !reporter.reported_within(rule.span) {
        let message = "the rule has neither a client nor a server side";
        reporter.push(reporter.at(Code::E0508, opening(rule), message).help(help));
    }
    let mut bindings = Vec::new();
    for (operation, side) in [(Operation::BindClient, &form.client), (Operation::BindServer, &form.server)] {
        if let Some(side) = side {
            bindings.extend(bind_side(operation, side, reporter));
        }
    }
    bindings
}

fn bind_side(
    operation: Operation,
    side: &Spanned<BindSideForm>,
    reporter: &mut Reporter<'_>,
) -> Option<Binding> {
    let form = &side.value;
    let ports = ports(form.start_port.as_ref(), form.end_port.as_ref(), side, reporter);
    let written = &form.address.as_ref()?.value;
    let address = address(written, reporter)?;
    if written.value.contains('/') || matches!(address, Address::Host(_)) {
        let message = "the address of a side is an address of this machine, no network or name";
        let diagnostic = reporter.at(Code::E0508, written.span, message);
        reporter.push(diagnostic.help("write one address, `0.0.0.0`, `::` or `any`"));
        return None;
    }
    Some(Binding { operation, address, ports: ports? })
}

/// The ports between two ends of `object`.
fn ports<T>(
    start: Option<&Spanned<PortNumber>>,
    end: Option<&Spanned<PortNumber>>,
    object: &Spanned<T>,
    reporter: &mut Reporter<'_>,
) -> Option<Ports> {
    let problem = match Ports::new(start.map(|port| port.value.0), end.map(|port| port.value.0)) {
        Ok(ports) => return Some(ports),
        Err(problem) => problem,
    };
    if problem != PortsProblem::Blank || !reporter.reported_within(object.span) {
        let span = start.or(end).map_or_else(|| opening(object), |port| port.span);
        reporter.push(reporter.at(Code::E0509, span, problem.message()).help(problem.help()));
    }
    None
}

fn address(written: &Spanned<String>, reporter: &mut Reporter<'_>) -> Option<Address> {
    if written.value == "any" {
        return Some(Address::Any);
    }
    Address::parse(&written.value)
        .map_err(|problem| {
            reporter.push(reporter.at(Code::E0508, written.span, problem.message).help(problem.help));
        })
        .ok()
}

fn api_restriction(form: &Spanned<ApiForm>, reporter: &mut Reporter<'_>) -> Option<Api> {
    let paths = match &form.value {
        ApiForm::None => return None,
        ApiForm::Any => return Some(Api::Any),
        ApiForm::Paths(paths) => paths,
    };
    if let Some(any) = paths.iter().find(|path| path.value == "any") {
        let message = "`any` in a list is read as every request";
        reporter.push(reporter.at(Code::W0606, any.span, message).help("write `\"api\": \"any\"`"));
        return Some(Api::Any);
    }
    let help = "write paths such as `/v2/*` or `*/login`, or \"any\" for every request";
    if paths.is_empty() && !reporter.reported_within(form.span) {
        reporter.push(reporter.at(Code::E0510, form.span, "the restriction names no endpoint").help(help));
    }
    let mut patterns = Vec::new();
    for path in paths {
        match PathPattern::parse(&path.value) {
            Ok(pattern) => {
                if !pattern.can_fit() {
                    let message =
                        format!("the path `{}` fits no request: it doesn't begin with `/`", path.value);
                    let diagnostic = reporter.at(Code::W0602, path.span, message);
                    reporter.push(diagnostic.help("begin it with `/` or `*`"));
                }
                patterns.push(pattern);
            }
            Err(reason) => reporter.push(reporter.at(Code::E0510, path.span, reason).help(help)),
        }
    }
    Some(Api::Paths(patterns))
}

/// Adds the rules of an ARMR text.
fn add_armr(
    text: &ArmrForm,
    name: &str,
    invalid: InvalidApps,
    names: &Names,
    rules: &mut Vec<Rule>,
    sources: &mut Sources,
    reporter: &mut Reporter<'_>,
) {
    let source = sources.add(name, text.text.as_bytes());
    if text.text.len() > limits::ARMR_BYTES {
        let message = format!("the text is longer than {} bytes", limits::ARMR_BYTES);
        reporter.push(Diagnostic::new(Code::E0516, message).at(source, Span::default(), ""));
        return;
    }
    let document = armr::parse(&text.text, source);
    let skip = invalid == InvalidApps::Skip && !document.apps.is_empty();
    for diagnostic in document.diagnostics {
        let left_out = skip && diagnostic.code.level() == Level::Error;
        reporter.push(if left_out { as_warning(diagnostic) } else { diagnostic });
    }
    if document.apps.is_empty() && document.invalid > 0 {
        let message = "no app of the text is valid";
        let diagnostic = Diagnostic::new(Code::E0515, message).at(source, Span::default(), "");
        reporter.push(diagnostic.help("see the errors in its apps"));
    }
    for app in document.apps {
        for (rule, span) in app.rules {
            if names.0.get(&*app.name).is_some_and(|names| names.contains_key(&*rule.name)) {
                reporter.push(twice(&app.name, &rule.name, source, span));
            }
            rules.push(rule);
        }
    }
}

fn twice(app: &str, rule: &str, source: SourceId, span: Span) -> Diagnostic {
    let message = format!("a network rule of `{app}` in the JSON is named `{rule}` too");
    Diagnostic::new(Code::E0514, message).at(source, span, "").help("give each rule its own name")
}

fn as_warning(diagnostic: Diagnostic) -> Diagnostic {
    let message = format!("{} ({}); the app is left out", diagnostic.message, diagnostic.code);
    Diagnostic { code: Code::W0601, message, ..diagnostic }
}

/// Warns when everything of IPv4 is refused, and nothing is said about IPv6.
fn warn_of_ipv6(rules: &[Rule], reporter: &mut Reporter<'_>) {
    for operation in Operation::ALL {
        let with = |address: fn(&Address) -> bool| {
            rules.iter().find(|rule| {
                rule.bindings
                    .iter()
                    .any(|binding| binding.operation == operation && address(&binding.address))
            })
        };
        let covered = with(|address| matches!(address, Address::Any | Address::AnyV6)).is_some();
        let refusing = rules.iter().find(|rule| {
            let all = |binding: &Binding| binding.operation == operation && binding.address == Address::AnyV4;
            rule.action == Action::Protect && rule.bindings.iter().any(all)
        });
        if let Some(rule) = refusing.filter(|_| !covered) {
            let message = format!(
                "rule `{}` ({}) refuses every IPv4 address; IPv6 addresses are not covered",
                rule.name,
                operation.name()
            );
            let help = "write a rule for `::` as well, or `any` in place of `0.0.0.0`";
            reporter.push(Diagnostic::new(Code::W0605, message).help(help));
        }
    }
}
