//! Files and directives: reads the logical lines of all documents and gathers what they say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::actions::{Actions, Disruptive, Place, parse};
use super::client::ClientChecks;
use super::directive::{By, Check, DIRECTIVES, Role, find};
use super::lexer::{Lexer, Line};
use super::operator::Datasets;
use super::rule::{Chain, Draft, Form};
use super::settings;
use super::text::Text;
use super::update::{Change, Update, apply};
use super::values::{ON_OFF, bad_script, ids, one_of, targets};
use super::words::Words;
use super::{ForeignItem, Options, RECOMMENDED, RECOMMENDED_NAME};
use crate::diagnostic::{Cap, Code, Diagnostic, Label, SourceId, Sources, has_errors, suggest};
use crate::format::{Format, recognise};
use crate::geo::Database;
use crate::host::{Source, has_wildcards};
use crate::limits;
use crate::lua::Script;
use crate::model::{Action, Item, Phase, Resolution, RuleSelector, Settings, Variable};
use crate::operators::OperatorCache;

/// A rule or marker in order.
#[derive(Debug)]
pub(super) enum Entry {
    Rule(Draft),
    Marker(Vec<u8>),
}

/// The file being read.
pub(super) struct File {
    pub(super) name: Arc<str>,
    /// Tells this reading of the file from all others.
    context: usize,
}

/// The default action of a phase that holds from here on.
struct DefaultAction {
    actions: Actions,
    context: usize,
    at: Label,
}

/// What has been read so far.
pub(super) struct Parser<'a> {
    pub(super) host: &'a dyn Source,
    sources: &'a mut Sources,
    pub(super) out: Vec<Diagnostic>,
    cap: Cap,
    /// How many of the reports were counted.
    reported: usize,
    pub(super) settings: Settings,
    pub(super) entries: Vec<Entry>,
    pub(super) datasets: Datasets,
    /// What operators share.
    pub(super) operators: OperatorCache,
    /// The chain that waits for its next rule.
    pub(super) chain: Option<Chain>,
    /// Whether the rule before could not be read to its end, so that its chain may go on.
    pub(super) lost: bool,
    pub(super) ids: FxHashMap<u64, Label>,
    pub(super) ignore_errors: bool,
    pub(super) client_checks: ClientChecks,
    updates: Vec<Update>,
    defaults: BTreeMap<Phase, DefaultAction>,
    /// What holds where there is none of these.
    set_default: Actions,
    /// The phase of rules that name none.
    pub(super) default_phase: Phase,
    /// Whether request bodies are inspected without anybody having said so.
    assumes_body_access: bool,
    /// Ids of rules that are no SecLang.
    foreign: BTreeSet<u64>,
    mime_types_given: bool,
    noted: BTreeSet<&'static str>,
    /// Names of the files being read, outermost first.
    open: Vec<Arc<str>>,
    files: usize,
    bytes: usize,
}

/// What stops a directive from being carried out; reported where it is caught.
type Outcome = Result<(), Diagnostic>;

impl<'a> Parser<'a> {
    pub(super) fn new(host: &'a dyn Source, sources: &'a mut Sources, options: &Options) -> Self {
        let defaults = &options.defaults;
        Self {
            host,
            sources,
            out: Vec::new(),
            cap: Cap::default(),
            reported: 0,
            settings: options.settings.clone(),
            entries: Vec::new(),
            datasets: Datasets::new(),
            operators: OperatorCache::default(),
            chain: None,
            lost: false,
            ids: FxHashMap::default(),
            ignore_errors: false,
            client_checks: ClientChecks::new(options.clients),
            updates: Vec::new(),
            defaults: BTreeMap::new(),
            set_default: Actions {
                disruptive: Some(Disruptive::Is(defaults.resolution.clone())),
                log: Some(defaults.log),
                ..Actions::default()
            },
            default_phase: defaults.phase,
            assumes_body_access: options.assumes_body_access,
            foreign: BTreeSet::new(),
            mime_types_given: false,
            noted: BTreeSet::new(),
            open: Vec::new(),
            files: 0,
            bytes: 0,
        }
    }

    /// Reads a file to its end. A UTF-8 byte order mark is no part of its text.
    pub(super) fn file(&mut self, name: &str, text: &[u8]) {
        let text: Arc<[u8]> = Arc::from(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text));
        let source = self.sources.add(name, Arc::clone(&text));
        self.files += 1;
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > limits::SECLANG_BYTES {
            let message = format!("there are more than {} bytes of SecLang", limits::SECLANG_BYTES);
            self.out.push(Text::new(source, b"", 0).report(Code::E0316, message));
            return;
        }
        if let Some(error) = mistaken(source, &text) {
            self.out.push(error);
            return;
        }
        let file = File { name: Arc::from(name), context: self.files };
        self.open.push(Arc::clone(&file.name));
        let mut lexer = Lexer::new(source, &text);
        while let Some(line) = lexer.next(&mut self.out) {
            self.line(&file, &line);
            self.trim();
        }
        self.break_chain(None);
        self.trim();
        self.open.pop();
    }

    /// Takes a rule or marker over that is no SecLang.
    pub(super) fn item(&mut self, foreign: ForeignItem) {
        let ForeignItem { item, id, skip_after } = foreign;
        let rule = match item {
            Item::Marker(name) => return self.entries.push(Entry::Marker(name)),
            Item::Rule(rule) => rule,
        };
        if let Some(label) = id {
            // Two of them with one id are reported where they come from.
            if self.foreign.insert(rule.id) {
                self.register(rule.id, &label);
            }
        }
        let default = self.default_resolution();
        self.entries.push(Entry::Rule(Draft { rule, default, skip_after, at: None }));
    }

    /// Keeps the first reports of each kind. Called between lines: within one, reports are still worked on.
    fn trim(&mut self) {
        self.cap.trim(&mut self.out, self.reported);
        self.reported = self.out.len();
    }

    fn line(&mut self, file: &File, line: &Line) {
        let text = &line.text;
        let end = text.bytes().iter().position(|b| b.is_ascii_whitespace() || *b == b'"');
        let end = end.unwrap_or(text.len());
        let name = text.slice(0..end);
        let arguments = text.slice(end..text.len()).trimmed();
        let Some(directive) = find(name.bytes()) else {
            // It may be a misspelt rule, of a chain even: what follows is not blamed for that.
            self.chain = None;
            self.lost = true;
            self.out.push(unknown(&name));
            return;
        };
        if !matches!(directive.role, Role::Rule | Role::Action | Role::Script) {
            self.break_chain(Some(name.label("stands where the next rule of the chain should")));
        }
        let outcome = match directive.role {
            Role::Rule => {
                self.rule(file, line, &name, &arguments, Form::Rule);
                Ok(())
            }
            Role::Action => {
                self.rule(file, line, &name, &arguments, Form::Action);
                Ok(())
            }
            Role::Script => {
                self.rule(file, line, &name, &arguments, Form::Script);
                Ok(())
            }
            Role::Marker => one(&name, &arguments).map(|marker| {
                self.entries.push(Entry::Marker(marker.bytes().to_vec()));
            }),
            Role::DefaultAction => self.default_action(file, &name, &arguments),
            Role::Include { optional } => self.include(file, &name, &arguments, optional),
            Role::Remove(by) => self.remove(by, &name, &arguments),
            Role::UpdateTarget(by) => self.update_target(by, &name, &arguments),
            Role::UpdateAction => self.update_action(file, &name, &arguments),
            Role::Dataset => self.dataset(line, &name, &arguments),
            Role::GeoDatabase => self.geo_database(file, &name, &arguments),
            Role::IgnoreErrors => one(&name, &arguments).and_then(|value| {
                self.ignore_errors = one_of(&value, Code::E0304, directive.name, ON_OFF)?;
                Ok(())
            }),
            Role::MimeTypes => self.mime_types(&name, &arguments),
            Role::MimeTypesClear => none(&arguments).map(|()| {
                self.mime_types_given = true;
                self.settings.response_body_types = Some(Vec::new());
            }),
            Role::Set(set) => {
                self.assumes_body_access &= directive.name != settings::BODY_ACCESS;
                one(&name, &arguments)
                    .and_then(|value| set(&mut self.settings, &value, directive.name, &mut self.out))
            }
            Role::Inert(check, reason) => {
                let checked = match check {
                    Check::Any => Ok(()),
                    _ => one(&name, &arguments)
                        .and_then(|value| settings::check(&value, directive.name, check)),
                };
                checked.map(|()| self.note(directive.name, &name, reason))
            }
            Role::OffOnly(reason) => one(&name, &arguments).and_then(|value| {
                if one_of(&value, Code::E0304, directive.name, ON_OFF)? {
                    let message = format!("`{} On` is not available: {reason}", directive.name);
                    return Err(value.report(Code::E0305, message));
                }
                Ok(())
            }),
            Role::Refused(reason) => {
                let message = format!("`{}` is not available: {reason}", directive.name);
                Err(name.report(Code::E0305, message))
            }
        };
        if let Err(error) = outcome {
            self.out.push(error);
        }
    }

    /// Loads the scripts that a list names.
    pub(super) fn with_scripts(&mut self, file: &File, mut actions: Actions) -> Actions {
        for name in std::mem::take(&mut actions.scripts) {
            actions.run.extend(self.script(file, &name).map(Action::Exec));
        }
        actions
    }

    /// Loads a script.
    pub(super) fn script(&mut self, file: &File, name: &Text) -> Option<Script> {
        let loaded = Script::load(&name.text(), self.host, &file.name);
        loaded.map_err(|error| self.out.push(bad_script(name, &error))).ok()
    }

    /// Says once that a directive has no effect.
    fn note(&mut self, spelling: &'static str, name: &Text, reason: &str) {
        if self.noted.insert(spelling) {
            self.out.push(name.report(Code::N0501, format!("`{spelling}` has no effect: {reason}")));
        }
    }

    /// The default action that holds here for rules of a phase.
    pub(super) fn default_of(&self, phase: Phase) -> &Actions {
        self.defaults.get(&phase).map_or(&self.set_default, |default| &default.actions)
    }

    /// What rules do that don't say, where no default action holds.
    fn default_resolution(&self) -> Resolution {
        match &self.set_default.disruptive {
            Some(Disruptive::Is(resolution)) => resolution.clone(),
            _ => Resolution::Pass,
        }
    }

    fn default_action(&mut self, file: &File, name: &Text, arguments: &Text) -> Outcome {
        let list = one(name, arguments)?;
        let start = self.out.len();
        let actions = parse(&list, Place::Default, &mut self.out).map(|list| self.with_scripts(file, list));
        let failed = has_errors(self.out.get(start..).unwrap_or_default());
        let Some(mut actions) = actions.filter(|_| !failed) else { return Ok(()) };
        self.client_checks.check(&actions.client, &mut self.out);
        if !matches!(actions.disruptive, Some(Disruptive::Is(_))) {
            let error = list.report(Code::E0313, "SecDefaultAction must specify a disruptive action");
            return Err(error.help("add `pass`, `deny`, `drop`, `allow` or `redirect:URL`"));
        }
        let phase = actions.phase.take().unwrap_or_else(|| {
            let phase = self.default_phase;
            let message =
                format!("the default action has no phase: it is taken for phase {}", phase.number());
            let help = format!("add `phase:{}`; ModSecurity v3 takes it for phase 1", phase.number());
            self.out.push(list.report(Code::W0410, message).help(help));
            phase
        });
        super::rule::report_late(&actions.timed, phase, &mut self.out);
        let at = name.label("");
        if let Some(earlier) = self.defaults.get(&phase).filter(|d| d.context == file.context) {
            let message = format!("the default action of phase {} is set twice in this file", phase.number());
            let mut error = Diagnostic::new(Code::E0312, message);
            error.labels = vec![at, Label { text: "first set here".to_owned(), ..earlier.at.clone() }];
            return Err(error.help("keep one of them"));
        }
        self.defaults.insert(phase, DefaultAction { actions, context: file.context, at });
        Ok(())
    }

    fn include(&mut self, file: &File, name: &Text, arguments: &Text, optional: bool) -> Outcome {
        let pattern = one(name, arguments)?;
        let written = pattern.text();
        if written == RECOMMENDED_NAME {
            self.file(RECOMMENDED_NAME, RECOMMENDED.as_bytes());
            return Ok(());
        }
        let names = match self.host.list(&written, &file.name) {
            Ok(names) => names,
            Err(_) if optional => return Ok(()),
            Err(error) => return Err(pattern.report(Code::E0210, error.to_string())),
        };
        if names.is_empty() && !optional {
            let message = format!("no file matches `{written}`");
            self.out.push(pattern.report(Code::W0405, message));
        }
        for name in names {
            if self.open.iter().any(|open| **open == *name) {
                let message = format!("`{name}` includes itself");
                return Err(pattern.report(Code::E0316, message));
            }
            if self.open.len() > limits::INCLUDE_DEPTH {
                let message = format!("includes are nested more than {} deep", limits::INCLUDE_DEPTH);
                return Err(pattern.report(Code::E0316, message));
            }
            if self.files >= limits::INCLUDE_FILES {
                let message = format!("there are more than {} files", limits::INCLUDE_FILES);
                return Err(pattern.report(Code::E0316, message));
            }
            match self.host.read(&name, "") {
                Ok(text) => self.file(&name, &text),
                Err(_) if optional && !has_wildcards(&written) => {}
                Err(error) => self.out.push(pattern.report(Code::E0210, error.to_string())),
            }
        }
        Ok(())
    }

    /// The database that rules look places up in.
    fn geo_database(&mut self, file: &File, name: &Text, arguments: &Text) -> Outcome {
        let written = one(name, arguments)?;
        let bytes = self
            .host
            .read_shared(&written.text(), &file.name)
            .map_err(|error| written.report(Code::E0210, error.to_string()))?;
        let database = Database::new(bytes).map_err(|message| {
            let help = "name a MaxMind database (`.mmdb`); legacy `.dat` files are not read";
            written.report(Code::E0221, message).help(help)
        })?;
        self.settings.geo_database = Some(database);
        Ok(())
    }

    fn update(&mut self, rules: RuleSelector, change: Change, at: Text) {
        self.updates.push(Update { rules, change, at });
    }

    fn remove(&mut self, by: By, name: &Text, arguments: &Text) -> Outcome {
        if by != By::Id {
            let text = one(name, arguments)?;
            self.update(named(by, &text), Change::Remove, text);
            return Ok(());
        }
        let mut words = Words::new(arguments);
        let mut any = false;
        while let Some(word) = words.next() {
            let word = word?;
            self.update(RuleSelector::Ids(ids(&word, Code::E0304)?), Change::Remove, word);
            any = true;
        }
        if any { Ok(()) } else { Err(needs_one(name)) }
    }

    /// The words that choose rules, and the last word.
    fn selection(by: By, name: &Text, arguments: &Text) -> Result<(RuleSelector, Text, Text), Diagnostic> {
        let mut words = Words::new(arguments);
        let mut all = Vec::new();
        while let Some(word) = words.next_variables() {
            all.push(word?);
        }
        let (last, rules) = match all.as_slice() {
            [rules @ .., last] if !rules.is_empty() => (last, rules),
            _ => {
                let message = format!("`{}` needs rules and what changes in them", name.text());
                return Err(name.report(Code::E0302, message));
            }
        };
        let at = rules.first().unwrap_or(last).clone();
        if by != By::Id {
            return match rules {
                [rule] => Ok((named(by, rule), at, last.clone())),
                _ => Err(last.report(Code::E0302, "there is text after the variables")),
            };
        }
        let mut ranges = Vec::new();
        for rule in rules {
            let found = ids(rule, Code::E0304).map_err(|error| match ranges.is_empty() {
                true => error,
                false => error.help("nothing can be replaced; exclude one variable and add another"),
            });
            ranges.extend(found?);
        }
        Ok((RuleSelector::Ids(ranges), at, last.clone()))
    }

    fn update_target(&mut self, by: By, name: &Text, arguments: &Text) -> Outcome {
        let (rules, at, list) = Self::selection(by, name, arguments)?;
        if let Some(targets) = targets(&list, &mut self.out) {
            self.update(rules, Change::Targets(targets), at);
        }
        Ok(())
    }

    fn update_action(&mut self, file: &File, name: &Text, arguments: &Text) -> Outcome {
        let (rules, at, list) = Self::selection(By::Id, name, arguments)?;
        let start = self.out.len();
        let actions = parse(&list, Place::Update, &mut self.out).map(|list| self.with_scripts(file, list));
        let failed = has_errors(self.out.get(start..).unwrap_or_default());
        if let Some(actions) = actions.filter(|_| !failed) {
            self.client_checks.check(&actions.client, &mut self.out);
            self.update(rules, Change::Actions(Box::new(actions)), at);
        }
        Ok(())
    }

    fn dataset(&mut self, line: &Line, name: &Text, arguments: &Text) -> Outcome {
        let dataset = one(name, arguments)?;
        let Some(block) = &line.block else {
            let error = dataset.report(Code::E0302, "the dataset has no lines");
            return Err(error.help("end the line in a backtick, and the dataset in a line with a backtick"));
        };
        self.datasets.insert(dataset.bytes().to_vec(), block.bytes().to_vec());
        Ok(())
    }

    /// The first list replaces the default, later ones add to it.
    fn mime_types(&mut self, name: &Text, arguments: &Text) -> Outcome {
        let mut words = Words::new(arguments);
        let mut types = Vec::new();
        while let Some(word) = words.next() {
            let word = word?.text().to_ascii_lowercase();
            types.extend(word.split_ascii_whitespace().map(str::to_owned));
        }
        if types.is_empty() {
            return Err(needs_one(name));
        }
        let given = std::mem::replace(&mut self.mime_types_given, true);
        let list = self.settings.response_body_types.get_or_insert_default();
        if !given {
            list.clear();
        }
        for media_type in types {
            if !list.contains(&media_type) {
                list.push(media_type);
            }
        }
        Ok(())
    }

    /// Applies updates and checks what can be checked only at the end.
    pub(super) fn finish(mut self) -> (Settings, Vec<Item>, Vec<Diagnostic>) {
        apply(&mut self.entries, std::mem::take(&mut self.updates), &mut self.out);
        self.check_skips();
        self.check_body_access();
        self.trim();
        self.out.extend(self.cap.left_out());
        let items = self.entries.into_iter().map(|entry| match entry {
            Entry::Rule(draft) => Item::Rule(draft.rule),
            Entry::Marker(name) => Item::Marker(name),
        });
        (self.settings, items.collect(), self.out)
    }

    /// Warns once where rules look at request bodies, and nobody has said that these are inspected.
    fn check_body_access(&mut self) {
        if !self.assumes_body_access || !self.settings.request_body_access {
            return;
        }
        let counts_on_it = |entry: &&Entry| match entry {
            Entry::Rule(draft) if !self.foreign.contains(&draft.rule.id) => {
                let conditions = draft.rule.links.iter().filter_map(|link| link.condition.as_ref());
                conditions.flat_map(|condition| &condition.targets).any(|target| is_of_body(target.variable))
            }
            _ => false,
        };
        let Some(Entry::Rule(draft)) = self.entries.iter().find(counts_on_it) else { return };
        let message = "this rule looks at request bodies and `SecRequestBodyAccess` is not set: they are inspected \
                       here, and not in ModSecurity";
        let help = "add `SecRequestBodyAccess On`, or `Off` if bodies are to pass uninspected";
        let mut warning =
            Diagnostic::new(Code::W0420, message).rule(Some(draft.rule.id).filter(|id| *id > 0)).help(help);
        warning.labels.extend(draft.at.clone());
        self.out.push(warning);
    }

    /// Warns of skips to what does not come later: SecLang engines then skip the rest of the phase.
    fn check_skips(&mut self) {
        let mut markers: FxHashMap<&[u8], usize> = FxHashMap::default();
        let mut rules: FxHashMap<u64, (usize, Phase)> = FxHashMap::default();
        for (place, entry) in self.entries.iter().enumerate() {
            match entry {
                Entry::Marker(name) => _ = markers.insert(name, place),
                Entry::Rule(draft) => _ = rules.insert(draft.rule.id, (place, draft.rule.phase)),
            }
        }
        for (place, entry) in self.entries.iter().enumerate() {
            let Entry::Rule(draft) = entry else { continue };
            let (Some(target), Some(label)) = (&draft.rule.skip_after, &draft.skip_after) else { continue };
            let id = super::values::number(target);
            let found = match (markers.get(target.as_slice()), id.and_then(|id| rules.get(&id))) {
                (Some(marker), _) if *marker > place => continue,
                (_, Some((rule, phase))) if *rule > place && *phase == draft.rule.phase => continue,
                (marker, rule) => marker.is_some() || rule.is_some(),
            };
            let text = String::from_utf8_lossy(target);
            let message = if found {
                format!("`{text}` does not come later in the phase: all that is left of it is skipped")
            } else {
                format!("there is no marker or rule `{text}`: all that is left of the phase is skipped")
            };
            let mut warning = Diagnostic::new(Code::W0403, message).rule(Some(draft.rule.id));
            warning.labels = vec![label.clone()];
            self.out.push(warning);
        }
    }
}

/// Whether a variable is about the request body alone.
fn is_of_body(variable: Variable) -> bool {
    matches!(
        variable,
        Variable::ArgsPost
            | Variable::ArgsPostNames
            | Variable::Files
            | Variable::FilesNames
            | Variable::FilesSizes
            | Variable::FilesCombinedSize
            | Variable::FilesTmpContent
            | Variable::MultipartFilename
            | Variable::MultipartName
            | Variable::MultipartPartHeaders
            | Variable::ReqbodyError
            | Variable::RequestBody
            | Variable::Xml
    )
}

fn named(by: By, text: &Text) -> RuleSelector {
    let bytes = text.bytes().to_vec();
    if by == By::Tag { RuleSelector::Tag(bytes) } else { RuleSelector::Message(bytes) }
}

/// The single argument of a directive.
fn one(name: &Text, arguments: &Text) -> Result<Text, Diagnostic> {
    let mut words = Words::new(arguments);
    let word = words.next().ok_or_else(|| needs_one(name))??;
    match words.rest() {
        None => Ok(word),
        Some(rest) => {
            let error = rest.report(Code::E0302, format!("`{}` takes a single argument", name.text()));
            Err(error.help("put text with blanks into double quotes; comments stand on lines of their own"))
        }
    }
}

fn none(arguments: &Text) -> Result<(), Diagnostic> {
    match Words::new(arguments).rest() {
        None => Ok(()),
        Some(rest) => Err(rest.report(Code::E0302, "there is text after the directive")),
    }
}

fn needs_one(name: &Text) -> Diagnostic {
    name.report(Code::E0302, format!("`{}` needs an argument", name.text()))
}

/// What to say of a text that is something else than SecLang, if it is plain what it is.
fn mistaken(source: SourceId, text: &[u8]) -> Option<Diagnostic> {
    let (format, span) = recognise(text)?;
    let (what, help) = match format {
        Format::SecLang => return None,
        Format::Json => ("JSON", "a policy is given to the command line with `--policy`"),
        Format::Armr => ("ARMR", "a policy has it in `network.armr`"),
        Format::Struct => ("no text", "give the rules as text"),
        Format::Manifest | Format::Envoy | Format::PolicyYaml | Format::Yaml => {
            ("YAML", "give the rules that are in it in a file of their own")
        }
    };
    let error = Diagnostic::new(Code::E0302, format!("this is {what}, not SecLang"));
    Some(error.at(source, span, "").help(help))
}

fn unknown(name: &Text) -> Diagnostic {
    let text = name.text();
    let error = name.report(Code::E0301, format!("unknown directive `{text}`"));
    if text.starts_with('<') {
        return error.help("sections such as <IfModule> are Apache's; take their lines out");
    }
    match suggest(&text, DIRECTIVES.iter().map(|d| d.name)) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help("does the line before lack its closing quote or its backslash?"),
    }
}
