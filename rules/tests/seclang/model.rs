//! `tests/models/seclang/NAME.conf` is the model in `NAME.out`. `UPDATE_GOLDEN=1 cargo test -p
//! portcullis-rules --test seclang` writes them anew.

use std::fmt::Write;

use portcullis_rules::diagnostic::Sources;
use portcullis_rules::model::{
    Action, AllowScope, Change, Condition, Item, Part, Resolution, Rule, Selector, Settings, Target,
    TargetMode, Template,
};
use portcullis_rules::seclang::{Document, Options, Parsed, default_settings, parse};

use super::folder::{Folder, compare, names, tests};

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace(r"\'", "'").replace("\\\"", "\"").replace(r"\\", r"\")
}

fn template(template: &Template) -> String {
    template
        .parts()
        .iter()
        .map(|part| match part {
            Part::Literal(literal) => text(literal),
            Part::Macro { variable, key: None } => format!("{{{variable}}}"),
            Part::Macro { variable, key: Some(key) } => format!("{{{variable} {}}}", text(key)),
        })
        .collect()
}

fn target(target: &Target) -> String {
    let sign = match target.mode {
        TargetMode::Inspect => "",
        TargetMode::Count => "&",
        TargetMode::Exclude => "!",
    };
    let selector = match &target.selector {
        Selector::All => String::new(),
        Selector::Key(key) => format!(" key {}", text(key)),
        Selector::Regex(regex) => format!(" regex {}", text(regex)),
        Selector::XPath(path) => format!(" xpath {}", text(path)),
    };
    format!("{sign}{}{selector}", target.variable)
}

fn action(action: &Action) -> String {
    match action {
        Action::SetVar(set) => {
            let change = match &set.change {
                Change::Remove => "removed".to_owned(),
                Change::Set(value) => format!("= {}", template(value)),
                Change::Add(value) => format!("+= {}", template(value)),
                Change::Subtract(value) => format!("-= {}", template(value)),
            };
            format!("{:?} {} {change}", set.collection, template(&set.key))
        }
        Action::ExpireVar { collection, key, seconds } => {
            format!("{collection:?} {} expires in {}", template(key), template(seconds))
        }
        Action::InitCollection { collection, key } => format!("open {collection:?} {}", template(key)),
        Action::SetEnv { name, value } => format!("ENV {} = {}", template(name), template(value)),
        Action::Sanitise(secret) => format!("mask {secret:?}"),
        Action::Exec(script) => format!("exec {}", script.name()),
        Action::Ctl(ctl) => format!("ctl {ctl:?}"),
    }
}

fn condition(condition: &Condition) -> String {
    let targets: Vec<String> = condition.targets.iter().map(target).collect();
    let steps: Vec<&str> = condition.transformations.iter().map(|t| t.name()).collect();
    let not = if condition.negated { "not " } else { "" };
    let multi = if condition.multi_match { ", each stage" } else { "" };
    format!(
        "{} [{}{multi}] {not}{} {}",
        targets.join(" | "),
        steps.join(" "),
        condition.operator.name().name(),
        text(condition.operator.raw_argument())
    )
}

fn resolution(rule: &Rule) -> String {
    let status = rule.status.map(|status| format!(" {status}")).unwrap_or_default();
    let word = match &rule.resolution {
        Resolution::Pass => "pass".to_owned(),
        Resolution::Allow(AllowScope::Transaction) => "allow".to_owned(),
        Resolution::Allow(scope) => format!("allow {scope:?}"),
        Resolution::Deny => "deny".to_owned(),
        Resolution::Drop => "drop".to_owned(),
        Resolution::Redirect(url) => format!("redirect to {}", template(url)),
    };
    word + &status
}

fn rule(rule: &Rule) -> String {
    let mut out = format!(
        "rule {} at {}:{}, phase {}, {}",
        rule.id,
        rule.origin.file,
        rule.origin.line,
        rule.phase.number(),
        resolution(rule)
    );
    for (set, word) in [(rule.log, "log"), (rule.audit, "audit")] {
        write!(out, ", {}{word}", if set { "" } else { "no " }).unwrap();
    }
    if rule.skip > 0 {
        write!(out, ", skip {}", rule.skip).unwrap();
    }
    if let Some(name) = &rule.skip_after {
        write!(out, ", skip after {}", text(name)).unwrap();
    }
    out.push('\n');
    let meta = &rule.meta;
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            writeln!(out, "  {name}: {value}").unwrap();
        }
    };
    say("message", meta.message.as_ref().map(template));
    say("data", meta.data.as_ref().map(template));
    say("severity", meta.severity.map(|s| s.name().to_owned()));
    say("rev", meta.rev.clone());
    say("ver", meta.ver.clone());
    say("maturity", meta.maturity.map(|n| n.to_string()));
    say("accuracy", meta.accuracy.map(|n| n.to_string()));
    for tag in &meta.tags {
        say("tag", Some(template(tag)));
    }
    for link in &rule.links {
        let capture = if link.capture { ", captures" } else { "" };
        let test = link.condition.as_ref().map_or("always".to_owned(), condition);
        writeln!(out, "  if {test}{capture}").unwrap();
        for run in &link.actions {
            writeln!(out, "    {}", action(run)).unwrap();
        }
    }
    out
}

/// The settings that differ from SecLang's defaults, in the words of `Debug`.
fn settings(settings: &Settings) -> String {
    let lines = |settings: &Settings| -> Vec<String> {
        let mut settings = settings.clone();
        let relevant = settings.audit_relevant_status.take();
        let statuses = relevant.map(|set| (100..1000).filter(|s| set.contains(*s)).count());
        // A field begins after a comma and a blank with a name and a colon.
        let text = format!("{settings:?}");
        let fields = text.trim_start_matches("Settings { ").trim_end_matches(" }").split(", ");
        let mut lines: Vec<String> = Vec::new();
        for field in fields {
            match lines.last_mut() {
                Some(last) if !field.contains(": ") => last.push_str(&format!(", {field}")),
                _ => lines.push(field.to_owned()),
            }
        }
        lines.extend(statuses.map(|n| format!("{n} statuses are relevant")));
        lines
    };
    let default = lines(&default_settings());
    lines(settings).into_iter().filter(|line| !default.contains(line)).map(|line| line + "\n").collect()
}

fn render(parsed: &Parsed, sources: &Sources) -> String {
    let mut out = settings(&parsed.rule_set.settings);
    for item in &parsed.rule_set.items {
        out.push_str(&match item {
            Item::Rule(item) => rule(item),
            Item::Marker(name) => format!("marker {}\n", text(name)),
        });
    }
    for diagnostic in &parsed.diagnostics {
        writeln!(out, "{}", diagnostic.one_line(sources)).unwrap();
    }
    out
}

#[test]
fn golden_models() {
    let root = tests("models/seclang");
    let mut differing = Vec::new();
    for name in names(&root, ".conf") {
        let bytes = std::fs::read(root.join(&name)).unwrap();
        let mut sources = Sources::default();
        let documents = [Document { name: &name, text: &bytes }];
        let parsed = parse(&documents, &Folder::new(&root), &mut sources, Options::default());
        differing.extend(compare(&root, &name, &render(&parsed, &sources)));
    }
    assert!(differing.is_empty(), "{}", differing.join("\n\n"));
}

/// A second document follows the first: its rules come after, its settings win, and default actions of
/// the first hold in it until it sets its own.
#[test]
fn documents_follow_each_other() {
    let first = br#"SecRuleEngine Off
SecDefaultAction "deny,status:418,phase:2"
SecRule ARGS "a" "id:1"
"#;
    let second = br#"SecRule ARGS "b" "id:2"
SecRuleEngine DetectionOnly
SecDefaultAction "phase:2,drop"
SecRule ARGS "c" "id:3"
"#;
    let mut sources = Sources::default();
    let documents = [Document { name: "a.conf", text: first }, Document { name: "b.conf", text: second }];
    let folder = Folder::new(tests("models/seclang"));
    let parsed = parse(&documents, &folder, &mut sources, Options::default());
    assert_eq!(
        render(&parsed, &sources),
        "engine: DetectionOnly\n\
         rule 1 at a.conf:3, phase 2, deny 418, log, audit\n  if ARGS [] rx a\n\
         rule 2 at b.conf:1, phase 2, deny 418, log, audit\n  if ARGS [] rx b\n\
         rule 3 at b.conf:4, phase 2, drop, log, audit\n  if ARGS [] rx c\n"
    );
}
