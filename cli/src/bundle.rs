//! `portcullis bundle`: one policy of SecLang files and all that they refer to.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_rules::diagnostic::Level;
use portcullis_rules::lint;
use portcullis_rules::model::{Item, Policy, RuleSet};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;
use portcullis_rules::seclang::without_comments;
use serde_json::{Map, Value, json};

use crate::output::{Output, say};
use crate::policy::Rules;
use crate::render::plural;
use crate::source::{Recorder, contents, expand, read_seclang};

/// Make one policy of SecLang files, data files and a policy
///
/// The module has no files: what `Include`, `@pmFromFile`, `@ipMatchFromFile`, `SecGeoLookupDb`, `exec` and the like
/// name becomes part of the policy, and so does what `--file` names. SecLang files are one rule set, behind those of the
/// policy that is given. Nothing is written unless the policy is valid and its rules are those of the files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  portcullis bundle --seclang @recommended-conf --seclang crs-setup.conf --seclang 'rules/*.conf' --name crs \
    -o policy.json
  portcullis bundle --policy base.json --seclang 'rules/*.conf' --enforcement strict -o policy.json
  portcullis bundle --minify --seclang main.conf -o - | jq '.files | keys'
  portcullis bundle --policy base.json --file countries.mmdb=GeoLite2-Country.mmdb -o policy.json

Exit status:
  0  the policy was written
  1  the files or the policy can't be used
  2  wrong usage, or a file can't be read or written")]
pub(crate) struct Arguments {
    #[command(flatten)]
    rules: Rules,

    /// Name of the rule set, for reports
    #[arg(long, default_value = "seclang")]
    name: String,

    /// Whether headers are held back until the body is judged; what the policy says, unless given
    #[arg(long, value_enum)]
    enforcement: Option<Enforcement>,

    /// Leave comments out. Line numbers stay those of the files
    #[arg(long)]
    minify: bool,

    /// Where the policy goes; `-` is the standard output
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Enforcement {
    /// Headers pass while the body is judged
    Streaming,
    /// Headers wait until the body is judged; Envoy needs `allow_on_headers_stop_iteration: true`
    Strict,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let nothing = arguments.rules.seclang.is_empty() && arguments.rules.file.is_empty();
    ensure!(!nothing, "there is nothing to bundle; give --seclang, or --policy with --file");
    let recorder = Recorder::default();
    let mut loaded = arguments.rules.load_from(&recorder, &arguments.name)?;
    loaded.diagnostics.extend(loaded.policy.as_ref().and_then(lint::scripts));
    crate::policy::report_from(Level::Note, &loaded.diagnostics, &loaded.sources);
    let Some(direct) = loaded.policy else { return Ok(ExitCode::FAILURE) };

    let documents = expand(&arguments.rules.seclang)?;
    let mut files = recorder.into_files();
    let texts = documents.iter().map(|name| Ok((name.clone(), read_seclang(name)?)));
    let mut texts: Vec<(String, Vec<u8>)> = texts.collect::<anyhow::Result<_>>()?;
    let included = included(&direct, &files);
    for (name, contents) in crate::policy::data_files(&arguments.rules.file)? {
        if files.get(&name).is_some_and(|other| *other != contents) {
            bail!("there are two files with the name {name}");
        }
        files.insert(name, contents);
    }
    if arguments.minify {
        let includes = files.iter_mut().filter(|(name, _)| included.contains(name)).map(|(_, text)| text);
        for text in texts.iter_mut().map(|(_, text)| text).chain(includes) {
            *text = without_comments(text);
        }
    }
    let (seclang, data) = (texts.len() + included.len(), files.len() - included.len());
    let bundle = bundle(arguments, texts, files)?;
    let mut text = serde_json::to_vec_pretty(&bundle)?;
    text.push(b'\n');

    let shown = if arguments.output == Path::new("-") {
        "the policy".to_owned()
    } else {
        arguments.output.display().to_string()
    };
    let Some(rules) = checked(&text, &shown, &direct)? else { return Ok(ExitCode::FAILURE) };
    if arguments.output == Path::new("-") {
        Output::new().write_all(&text)?;
    } else {
        std::fs::write(&arguments.output, &text).with_context(|| format!("can't write {shown}"))?;
    }
    say!(
        "{shown}: {} in {}; {}, {}; {} bytes",
        plural(rules, "rule"),
        plural(bundle.get("rule_sets").and_then(Value::as_array).map_or(0, Vec::len), "rule set"),
        plural(seclang, "SecLang file"),
        plural(data, "data file"),
        text.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// The policy: what is given, with one more rule set and its files.
fn bundle(
    arguments: &Arguments,
    texts: Vec<(String, Vec<u8>)>,
    mut files: BTreeMap<String, Vec<u8>>,
) -> anyhow::Result<Map<String, Value>> {
    let mut policy = match &arguments.rules.policy {
        Some(path) => {
            let text = contents(path)?;
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?
        }
        None => Map::new(),
    };
    if let Some(enforcement) = arguments.enforcement {
        let enforcement = match enforcement {
            Enforcement::Streaming => "streaming",
            Enforcement::Strict => "strict",
        };
        policy.insert("enforcement".to_owned(), enforcement.into());
    }
    let texts = texts.into_iter().map(|(name, text)| match String::from_utf8(text) {
        Ok(text) => json!({ "file": name, "text": text }),
        // A JSON string holds no other bytes, but a file does.
        Err(error) => {
            let text = format!("Include \"{name}\"\n");
            files.insert(name, error.into_bytes());
            json!({ "file": "", "text": text })
        }
    });
    let seclang: Vec<Value> = texts.collect();
    let rule_set = json!({
        "name": arguments.name,
        // What holds in SecLang until it says otherwise.
        "process_request_body": true,
        "request_body_limit_action": "reject",
        "process_response_body": false,
        "response_body_limit_action": "process_partial",
        "response_body_types": ["text/plain", "text/html"],
        "seclang": seclang,
    });
    match policy.entry("rule_sets").or_insert_with(|| json!([])) {
        Value::Array(sets) if !arguments.rules.seclang.is_empty() => sets.push(rule_set),
        Value::Array(_) => {}
        _ => bail!("`rule_sets` of the policy is no array"),
    }
    if files.is_empty() {
        return Ok(policy);
    }
    let Value::Object(all) = policy.entry("files").or_insert_with(|| json!({})) else {
        bail!("`files` of the policy is no object");
    };
    for (name, contents) in files {
        let file = match String::from_utf8(contents) {
            Ok(text) => json!({ "text": text }),
            Err(error) => json!({ "base64": STANDARD.encode(error.as_bytes()) }),
        };
        if all.get(&name).is_some_and(|other| *other != file) {
            bail!("the policy has another file with the name {name}");
        }
        all.insert(name, file);
    }
    Ok(policy)
}

/// The names of the files that are SecLang: rules came from them, or might have.
fn included(policy: &Policy, files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let origins = policy.rule_sets.last().into_iter().flat_map(rules).map(|rule| &*rule.origin.file);
    let origins: Vec<&str> = origins.collect();
    files.keys().filter(|name| name.ends_with(".conf") || origins.contains(&name.as_str())).cloned().collect()
}

fn rules(set: &RuleSet) -> impl Iterator<Item = &portcullis_rules::model::Rule> {
    set.items.iter().filter_map(|item| match item {
        Item::Rule(rule) => Some(&**rule),
        Item::Marker(_) => None,
    })
}

/// Loads the policy as the module will, and makes sure that its last rule set is that of the files. The
/// number of rules; `None` when the policy is refused, which is reported.
fn checked(text: &[u8], name: &str, direct: &Policy) -> anyhow::Result<Option<usize>> {
    let loaded = policy::load(text, name);
    let Some(bundled) = &loaded.policy else {
        crate::policy::report(&loaded.diagnostics, &loaded.sources);
        return Ok(None);
    };
    if let Err(problems) = Plan::new(bundled) {
        crate::policy::report(&problems, &loaded.sources);
        return Ok(None);
    }
    if let (Some(bundled), Some(direct)) = (bundled.rule_sets.last(), direct.rule_sets.last()) {
        ensure!(bundled.settings == direct.settings, "the settings of the bundle are not those of the files");
        let (mut left, mut right) = (rules(bundled), rules(direct));
        loop {
            match (left.next(), right.next()) {
                (None, None) => break,
                (Some(a), Some(b)) if (a.id, &a.origin) == (b.id, &b.origin) => {}
                (a, b) => {
                    let rule = a.or(b);
                    let (file, line) = rule.map_or(("", 0), |rule| (&*rule.origin.file, rule.origin.line));
                    bail!("the rules of the bundle are not those of the files, from {file} line {line} on");
                }
            }
        }
    }
    Ok(Some(bundled.rule_sets.iter().map(|set| rules(set).count()).sum()))
}
