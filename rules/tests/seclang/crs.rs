//! The OWASP Core Rule Set loads without errors and loses nothing.

use std::path::{Path, PathBuf};
use std::time::Instant;

use portcullis_rules::diagnostic::{Code, Level, Sources};
use portcullis_rules::lint;
use portcullis_rules::model::{Item, Policy, TargetMode};
use portcullis_rules::seclang::{Document, Options, parse};

use super::folder::{Folder, names};

/// `$PORTCULLIS_SHARED/crs`, else `shared/crs` beside the repository.
fn crs() -> Option<PathBuf> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("shared"));
    Some(shared.join("crs")).filter(|path| path.join("rules").is_dir())
}

/// Lines whose first word is `name`, and the files' `chain` actions under the name `chain`.
fn count(texts: &[(String, Vec<u8>)], name: &str) -> usize {
    let text = texts.iter().flat_map(|(_, text)| text.split(|b| *b == b'\n'));
    let lines = text.map(|line| String::from_utf8_lossy(line).trim().to_owned());
    lines
        .filter(|line| match name {
            "chain" => !line.starts_with('#') && line.trim_end_matches(['"', '\\', ',']).ends_with("chain"),
            _ => line.split_ascii_whitespace().next() == Some(name),
        })
        .count()
}

#[test]
fn the_core_rule_set_loads() {
    let Some(root) = crs() else {
        println!("SKIPPED 1 test: no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules");
        return;
    };
    let mut files = vec!["crs-setup.conf.example".to_owned()];
    files.extend(names(&root.join("rules"), ".conf").iter().map(|name| format!("rules/{name}")));
    let texts: Vec<(String, Vec<u8>)> =
        files.into_iter().map(|name| (name.clone(), std::fs::read(root.join(&name)).unwrap())).collect();
    let documents: Vec<Document<'_>> = texts.iter().map(|(name, text)| Document { name, text }).collect();

    let mut sources = Sources::default();
    let start = Instant::now();
    // The files count on a configuration that says whether bodies are inspected.
    let options = Options { assumes_body_access: false, ..Options::default() };
    let parsed = parse(&documents, &Folder::new(&root), &mut sources, options);
    let elapsed = start.elapsed();

    let reports: Vec<String> = parsed
        .diagnostics
        .iter()
        .filter(|d| d.code.level() != Level::Note)
        .map(|d| d.one_line(&sources))
        .collect();
    assert!(reports.is_empty(), "{reports:#?}");
    assert!(parsed.diagnostics.iter().all(|d| d.code == Code::N0501), "{:#?}", parsed.diagnostics);

    let rules: Vec<_> = parsed
        .rule_set
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Rule(rule) => Some(rule),
            Item::Marker(_) => None,
        })
        .collect();
    let links = rules.iter().flat_map(|rule| &rule.links);
    let tests = links.clone().filter(|link| link.condition.is_some()).count();
    let markers = parsed.rule_set.items.len() - rules.len();
    let always = links.filter(|link| link.condition.is_none()).count();
    let further: usize = rules.iter().map(|rule| rule.links.len() - 1).sum();
    println!(
        "{tests} SecRule, {always} SecAction, {markers} SecMarker, {further} chain: read in {elapsed:?}"
    );
    assert_eq!(tests, count(&texts, "SecRule"));
    assert_eq!(always, count(&texts, "SecAction"));
    assert_eq!(markers, count(&texts, "SecMarker"));
    assert_eq!(further, count(&texts, "chain"));
    assert!(tests > 500, "that is no Core Rule Set");
    let signatures = count(&texts, "SecComponentSignature");
    assert_eq!(parsed.rule_set.settings.component_signatures.len(), signatures);

    // Each update adds one exclusion.
    let conditions = rules.iter().flat_map(|rule| &rule.links).filter_map(|link| link.condition.as_ref());
    let excluded = conditions.flat_map(|c| &c.targets).filter(|t| t.mode == TargetMode::Exclude).count();
    assert!(excluded >= count(&texts, "SecRuleUpdateTargetById"));
    assert!(rules.iter().all(|rule| rule.meta.ver.is_some()), "every rule of it names its version");
}

/// Reading takes time in proportion to the text: eight times the rules, about eight times as long.
#[test]
fn reading_is_linear() {
    let text = |rules: usize| -> Vec<u8> {
        let mut text = String::new();
        for id in 1..=rules {
            text.push_str(&format!(
                "SecRule ARGS|!ARGS:a{id} \"@rx x\" \\\n  \"id:{id},phase:2,tag:'t{id}',skipAfter:END,setvar:tx.a=+1\"\n\
                 SecRuleUpdateTargetById {id} \"!ARGS:b\"\nSecRuleUpdateTargetByTag t{id} \"!ARGS:c\"\nSecRuleRemoveById {id}0000000\n"
            ));
        }
        (text + "SecMarker END\n").into_bytes()
    };
    let time = |rules: usize| {
        let text = text(rules);
        let documents = [Document { name: "x.conf", text: &text }];
        let start = Instant::now();
        let mut sources = Sources::default();
        let parsed = parse(&documents, &Folder::new("."), &mut sources, Options::default());
        assert_eq!(parsed.rule_set.items.len(), rules + 1);
        start.elapsed()
    };
    // Quadratic work takes 64 times as long. A machine that is busy with other things gets more tries.
    let ratios: Vec<u128> = (0..10).map(|_| time(4_000).as_micros() / time(500).as_micros().max(1)).collect();
    assert!(ratios.iter().any(|ratio| *ratio < 24), "{ratios:?} times as long");
}

/// Behind the recommended settings there is nothing to warn of.
#[test]
fn nothing_to_warn_of() {
    let Some(root) = crs() else {
        println!("SKIPPED 1 test: no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules");
        return;
    };
    let settings = "SecRuleEngine On\nSecRequestBodyAccess On\nSecRequestBodyLimit 786432\n\
        SecRequestBodyLimitAction Reject\nSecResponseBodyAccess On\n\
        SecRule REQUEST_HEADERS:Content-Type \"@rx (?i)^(?:text|application)/(?:[a-z0-9.-]+\\+)?xml\" \
        \"id:200000,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
        SecRule REQUEST_HEADERS:Content-Type \"@rx (?i)^application/(?:[a-z0-9.-]+\\+)?json\" \
        \"id:200001,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON\"\n\
        SecRule REQBODY_ERROR \"!@eq 0\" \"id:200002,phase:2,log,deny,status:400\"\n";
    let mut texts = vec![("recommended.conf".to_owned(), settings.as_bytes().to_vec())];
    let mut files = vec!["crs-setup.conf.example".to_owned()];
    files.extend(names(&root.join("rules"), ".conf").iter().map(|name| format!("rules/{name}")));
    texts.extend(files.into_iter().map(|name| (name.clone(), std::fs::read(root.join(&name)).unwrap())));
    let documents: Vec<Document<'_>> = texts.iter().map(|(name, text)| Document { name, text }).collect();
    let mut sources = Sources::default();
    let parsed = parse(&documents, &Folder::new(&root), &mut sources, Options::default());
    let policy = Policy { rule_sets: vec![parsed.rule_set], ..Policy::default() };
    let reports = parsed.diagnostics.into_iter().chain(lint::check(&policy, 0));
    let warnings: Vec<String> =
        reports.filter(|one| one.code.level() != Level::Note).map(|one| one.one_line(&sources)).collect();
    assert!(warnings.is_empty(), "{warnings:#?}");
}
