//! `portcullis bundle`: what it writes is what the files say.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail, and says what it leaves out"
)]

#[path = "../../rules/tests/support/mmdb.rs"]
mod mmdb;

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_rules::diagnostic::has_errors;
use portcullis_rules::model::{Item, Policy, Rule, RuleSet};
use portcullis_rules::policy;
use serde_json::{Value, json};

/// An empty folder of this name in the tests' own folder.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn write(folder: &Path, name: &str, text: &[u8]) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Exit status, standard output, standard error.
fn portcullis(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(folder)
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// Loads a written policy; it has no errors.
fn load(path: &Path) -> (Policy, Value) {
    let text = std::fs::read(path).unwrap();
    let loaded = policy::load(&text, "policy.json");
    assert!(!has_errors(&loaded.diagnostics), "{:#?}", loaded.diagnostics);
    (loaded.policy.unwrap(), serde_json::from_slice(&text).unwrap())
}

fn rules(set: &RuleSet) -> Vec<&Rule> {
    let rules = set.items.iter().filter_map(|item| match item {
        Item::Rule(rule) => Some(&**rule),
        Item::Marker(_) => None,
    });
    rules.collect()
}

/// Id, file and line of each rule.
fn origins(set: &RuleSet) -> Vec<(u64, String, u32)> {
    rules(set).iter().map(|rule| (rule.id, rule.origin.file.to_string(), rule.origin.line)).collect()
}

/// SecLang in several folders, with data files, and bytes that are no UTF-8.
fn tree(name: &str) -> PathBuf {
    let folder = folder(name);
    let main = "# The main file\n\
        # with comments\n\
        SecRuleEngine On\n\
        SecRequestBodyAccess On\n\
        Include parts/*.conf\n\
        IncludeOptional none/*.conf\n\
        # SecRule ARGS \"x\" \\\n\
        #   \"id:1\"\n\
        SecRule ARGS \"@pm a b\" \\\n\
        # in between\n\
        \x20   \"id:2,phase:2,deny\"\n";
    write(&folder, "conf/main.conf", main.as_bytes());
    let part = "SecRule ARGS \"@pmFromFile words.data\" \"id:10,phase:2,deny\"\n\
        # a comment\n\
        SecRule REMOTE_ADDR \"@ipMatchFromFile ../ips.data\" \"id:11,phase:1,deny\"\n\
        Include deeper.inc\n";
    write(&folder, "conf/parts/one.conf", part.as_bytes());
    write(&folder, "conf/parts/deeper.inc", b"\nSecAction \"id:12,phase:1,pass\"\n");
    write(
        &folder,
        "conf/parts/two.conf",
        b"# caf\xe9\nSecRule ARGS \"@contains caf\xe9\" \"id:20,phase:2,deny\"\n",
    );
    write(&folder, "conf/parts/words.data", b"# attack words\nattack\nb\xe9\n");
    write(&folder, "conf/ips.data", b"192.0.2.0/24\n");
    write(&folder, "last.conf", b"# a comment\n\nSecAction \"id:30,phase:5,pass,msg:'caf\xe9'\"\n");
    folder
}

const TREE: &[(u64, &str, u32)] = &[
    (10, "conf/parts/one.conf", 1),
    (11, "conf/parts/one.conf", 3),
    (12, "conf/parts/deeper.inc", 2),
    (20, "conf/parts/two.conf", 2),
    (2, "conf/main.conf", 9),
    (30, "last.conf", 3),
];

#[test]
fn includes_and_data_files_become_part_of_the_policy() {
    let folder = tree("bundle-tree");
    let expected: Vec<_> = TREE.iter().map(|(id, file, line)| (*id, (*file).to_owned(), *line)).collect();
    for more in [&[][..], &["--minify"]] {
        let arguments =
            ["bundle", "--seclang", "conf/main.conf", "--seclang", "last.conf", "-o", "policy.json"];
        let (code, out, err) = portcullis(&folder, &[&arguments, more].concat());
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
        let bytes = std::fs::metadata(folder.join("policy.json")).unwrap().len();
        assert_eq!(
            err,
            format!("policy.json: 6 rules in 1 rule set; 5 SecLang files, 2 data files; {bytes} bytes\n")
        );
        let (policy, json) = load(&folder.join("policy.json"));
        assert_eq!(policy.rule_sets.len(), 1);
        let set = &policy.rule_sets[0];
        assert_eq!(set.name, "seclang");
        assert_eq!(origins(set), expected);
        // What no text holds is in base64, and comes back as it was.
        assert_eq!(
            json["files"].as_object().unwrap().keys().collect::<Vec<_>>(),
            [
                "conf/parts/../ips.data",
                "conf/parts/deeper.inc",
                "conf/parts/one.conf",
                "conf/parts/two.conf",
                "conf/parts/words.data",
                "last.conf"
            ]
        );
        let argument = |set: &RuleSet| {
            let rule = rules(set)[3].links[0].condition.clone().unwrap();
            rule.operator.argument().source().to_vec()
        };
        assert_eq!(argument(set), b"caf\xe9");
        let comments = json.to_string().contains("comment");
        assert_eq!(comments, more.is_empty(), "{json}");
        // The words of the data file are not SecLang; what looks like a comment stays.
        assert!(
            json["files"]["conf/parts/words.data"]["base64"].as_str().unwrap().starts_with("IyBhdHRhY2s")
        );
    }
}

#[test]
fn the_policy_that_is_given_stays() {
    let folder = tree("bundle-base");
    let base = json!({
        "client_address": {"header": "x-forwarded-for", "trusted_hops": ["10.0.0.0/8"]},
        "files": {"other.data": {"text": "x"}},
        "rule_sets": [{"name": "own", "rules": [{"rule_id": 1000}]}],
    });
    write(&folder, "base.json", base.to_string().as_bytes());
    let arguments = [
        "bundle",
        "--policy",
        "base.json",
        "--seclang",
        "last.conf",
        "--name",
        "more",
        "--enforcement",
        "strict",
    ];
    let (code, out, err) = portcullis(&folder, &[&arguments[..], &["-o", "-"]].concat());
    assert_eq!(code, 0, "{err}");
    assert!(err.starts_with("the policy: 2 rules in 2 rule sets; 1 SecLang file, 0 data files; "), "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["enforcement"], "strict");
    assert_eq!(found["client_address"], base["client_address"]);
    assert_eq!(found["files"]["other.data"], base["files"]["other.data"]);
    assert_eq!(found["rule_sets"][0], base["rule_sets"][0]);
    assert_eq!(found["rule_sets"][1]["name"], "more");
}

/// What `check` says of the files `bundle` says, too.
#[test]
fn notes_and_warnings_are_shown() {
    let folder = folder("bundle-notes");
    write(
        &folder,
        "main.conf",
        b"SecDebugLog /tmp/x\nSecAction \"id:1,phase:1,pass\"\nSecDefaultAction \"pass\"\n",
    );
    let (code, checked, _) = portcullis(&folder, &["check", "main.conf"]);
    assert_eq!(code, 0, "{checked}");
    let (code, _, err) = portcullis(&folder, &["bundle", "--seclang", "main.conf", "-o", "policy.json"]);
    assert_eq!(code, 0, "{err}");
    let titles = |text: &str| -> Vec<String> {
        let titles = text.lines().filter(|line| line.starts_with("note[") || line.starts_with("warning["));
        titles.map(str::to_owned).collect()
    };
    assert!(titles(&err).iter().any(|title| title.starts_with("note[N0501]")), "{err}");
    assert!(titles(&err).iter().any(|title| title.starts_with("warning[W0410]")), "{err}");
    assert_eq!(titles(&err), titles(&checked));
}

/// What goes by the name of a file without being one: in front, included, and in the policy itself.
#[test]
fn the_recommended_settings_come_with_it() {
    let folder = folder("bundle-recommended");
    write(&folder, "main.conf", b"SecAction \"id:1,phase:1,pass\"\n");
    write(&folder, "includes.conf", b"Include @recommended-conf\nInclude main.conf\n");
    let ids = |arguments: &[&str]| {
        let (code, _, err) = portcullis(&folder, &[&["bundle", "-o", "policy.json"], arguments].concat());
        assert_eq!(code, 0, "{err}");
        let (policy, _) = load(&folder.join("policy.json"));
        assert!(policy.rule_sets[0].settings.request_body_access);
        origins(&policy.rule_sets[0])
    };
    let in_front = ids(&["--seclang", "@recommended-conf", "--seclang", "main.conf"]);
    let numbers: Vec<u64> = in_front.iter().map(|(id, ..)| *id).collect();
    assert_eq!(numbers, [200_002, 200_003, 200_004, 1]);
    assert_eq!(in_front[0].1, "@recommended-conf");
    assert_eq!(ids(&["--minify", "--seclang", "@recommended-conf", "--seclang", "main.conf"]), in_front);
    assert_eq!(ids(&["--seclang", "includes.conf"]), in_front);

    let inline = json!({ "rule_sets": [{ "name": "a", "seclang": "Include @recommended-conf" }] });
    let loaded = policy::load(inline.to_string().as_bytes(), "inline");
    assert!(loaded.diagnostics.is_empty(), "{:#?}", loaded.diagnostics);
    assert_eq!(rules(&loaded.policy.unwrap().rule_sets[0]).len(), 3);
    let (code, out, _) =
        portcullis(&folder, &["check", "--seclang", "@recommended-conf", "--seclang", "main.conf"]);
    assert_eq!((code, out.as_str()), (0, "2 SecLang files: valid, 1 rule set with 4 rules\n"));
}

#[test]
fn nothing_is_written_when_something_is_wrong() {
    let folder = tree("bundle-errors");
    write(&folder, "missing.conf", b"\nSecRule ARGS \"@pmFromFile nowhere.data\" \"id:1,phase:2,deny\"\n");
    write(&folder, "twice.conf", b"SecAction \"id:1000,phase:1,pass\"\n");
    let base = json!({ "rule_sets": [{"name": "own", "rules": [{"rule_id": 1000}]}] });
    write(&folder, "base.json", base.to_string().as_bytes());
    let other = json!({ "files": {"conf/parts/words.data": {"text": "198.51.100.1"}} });
    write(&folder, "other.json", other.to_string().as_bytes());
    for (arguments, code, expected) in [
        (&["--seclang", "missing.conf"][..], 1, "--> missing.conf:2:27"),
        (&["--seclang", "twice.conf", "--policy", "base.json"], 1, "rule id 1000 is used twice"),
        (&["--seclang", "last.conf", "--policy", "base.json", "--name", "own"], 1, "own"),
        (
            &["--seclang", "conf/main.conf", "--policy", "other.json"],
            2,
            "another file with the name conf/parts/words.data",
        ),
        (&["--seclang", "nowhere/*.conf"], 2, "nowhere"),
        (&["--policy", "base.json"], 2, "give --seclang"),
    ] {
        let (found, out, err) = portcullis(&folder, &[&["bundle", "-o", "policy.json"], arguments].concat());
        assert_eq!((found, out.as_str()), (code, ""), "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
        assert!(!folder.join("policy.json").exists(), "{arguments:?}");
    }
}

#[test]
fn seclang_is_checked() {
    let folder = tree("check-seclang");
    write(&folder, "bad.conf", b"SecRule ARGS \"@pm a\" \"id:1,phase:2,denyy\"\n");
    let (code, out, err) = portcullis(&folder, &["check", "conf/main.conf", "last.conf"]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (0, "2 SecLang files: valid, 1 rule set with 6 rules\n", "")
    );
    write(&folder, "rules.txt", b"SecAction \"id:1,phase:1,pass\"\n");
    let (code, out, _) = portcullis(&folder, &["check", "--seclang", "rules.txt"]);
    assert_eq!((code, out.as_str()), (0, "rules.txt: valid, 1 rule set with 1 rule\n"));
    let (code, out, _) = portcullis(&folder, &["check", "bad.conf", "conf/main.conf"]);
    assert_eq!(code, 1);
    for expected in
        ["error[E0306]: unknown action `denyy`", "--> bad.conf:1:36", "2 SecLang files: refused, 1 error"]
    {
        assert!(out.contains(expected), "{expected}\n{out}");
    }
}

/// `$PORTCULLIS_SHARED/crs`, else `shared/crs` beside the repository.
fn core_rule_set() -> Option<PathBuf> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("shared"));
    Some(shared.join("crs")).filter(|path| path.join("rules").is_dir())
}

#[test]
fn the_core_rule_set_is_the_same_bundled() {
    let Some(root) = core_rule_set() else {
        println!("SKIPPED 1 test: no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules");
        return;
    };
    let folder = folder("bundle-crs");
    let (setup, files) = (root.join("crs-setup.conf.example"), root.join("rules/*.conf"));
    let arguments =
        ["--seclang", setup.to_str().unwrap(), "--seclang", files.to_str().unwrap(), "--name", "crs"];
    let whole = describe(&root);
    let mut sizes = Vec::new();
    for more in [&[][..], &["--minify"]] {
        let (code, _, err) =
            portcullis(&folder, &[&["bundle", "-o", "crs.json"], &arguments[..], more].concat());
        assert_eq!(code, 0, "{err}");
        let (policy, _) = load(&folder.join("crs.json"));
        let set = &policy.rule_sets[0];
        assert_eq!(set.settings, whole.settings);
        assert_eq!(origins(set), origins(&whole));
        assert!(rules(set).len() > 500, "that is no Core Rule Set");
        // Rules alike in all that the model shows, their operators among them.
        for (bundled, direct) in rules(set).iter().zip(rules(&whole)) {
            assert_eq!(format!("{:?}", bundled.meta), format!("{:?}", direct.meta), "{}", direct.id);
            for (a, b) in bundled.links.iter().zip(&direct.links) {
                assert_eq!(format!("{:?}", a.actions), format!("{:?}", b.actions), "{}", direct.id);
                let shown = |link: &portcullis_rules::model::Link| {
                    let condition = link.condition.as_ref()?;
                    let argument = condition.operator.argument().source().to_vec();
                    Some((condition.targets.clone(), condition.transformations.clone(), argument))
                };
                assert_eq!(shown(a), shown(b), "{}", direct.id);
            }
        }
        sizes.push(std::fs::metadata(folder.join("crs.json")).unwrap().len());
    }
    assert!(sizes[1] < sizes[0], "{sizes:?}");
}

/// The Core Rule Set as read from its files.
fn describe(root: &Path) -> RuleSet {
    use portcullis_rules::diagnostic::Sources;
    use portcullis_rules::host::{Source, SourceError, resolve};
    use portcullis_rules::seclang::{self, Document};

    struct Disk;
    impl Source for Disk {
        fn read(&self, name: &str, relative_to: &str) -> Result<Vec<u8>, SourceError> {
            std::fs::read(resolve(name, relative_to))
                .map_err(|error| SourceError { name: name.to_owned(), reason: error.to_string() })
        }
    }

    let mut names: Vec<String> = std::fs::read_dir(root.join("rules"))
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .filter(|name| name.ends_with(".conf"))
        .collect();
    names.sort();
    names.insert(0, root.join("crs-setup.conf.example").to_str().unwrap().to_owned());
    let texts: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(name).unwrap()).collect();
    let documents: Vec<Document<'_>> =
        names.iter().zip(&texts).map(|(name, text)| Document { name, text }).collect();
    let options = seclang::Options { name: "crs".to_owned(), ..seclang::Options::default() };
    let parsed = seclang::parse(&documents, &Disk, &mut Sources::default(), options);
    assert!(!has_errors(&parsed.diagnostics));
    parsed.rule_set
}

/// A database of countries comes with the policy, by its file or by what SecLang names.
#[test]
fn databases_of_countries_are_part_of_the_policy() {
    let folder = folder("bundle-countries");
    write(&folder, "data/countries.mmdb", &mmdb::database(28, &mmdb::places()));
    let risk = json!({
        "country": { "database": "geo.mmdb" },
        "rules": [{ "id": 1, "condition": { "attribute": "countries", "value": "DE" } }],
    });
    write(&folder, "base.json", json!({ "risk": risk }).to_string().as_bytes());
    write(
        &folder,
        "main.conf",
        b"SecGeoLookupDb data/countries.mmdb\nSecRule REMOTE_ADDR \"@geoLookup\" \"id:2,phase:1,pass,chain\"\n\
            SecRule GEO:COUNTRY_CODE \"@streq DE\" \"t:none\"\n",
    );
    let given = "geo.mmdb=data/countries.mmdb";
    let (status, out, _) = portcullis(&folder, &["check", "base.json"]);
    assert_eq!(status, 1);
    assert!(out.contains("error[E0709]") && out.contains("`geo.mmdb`"), "{out}");
    let (status, out, error) = portcullis(&folder, &["check", "base.json", "--file", given]);
    assert_eq!(status, 0, "{out}{error}");

    let (status, _, error) =
        portcullis(&folder, &["bundle", "--policy", "base.json", "--file", given, "-o", "one.json"]);
    assert_eq!(status, 0, "{error}");
    assert!(error.contains("1 data file"), "{error}");
    let (policy, text) = load(&folder.join("one.json"));
    assert_eq!(policy.rule_sets.len(), 1, "the rules about clients");
    assert!(text["files"]["geo.mmdb"]["base64"].is_string());

    let both =
        ["bundle", "--policy", "base.json", "--file", given, "--seclang", "main.conf", "-o", "two.json"];
    let (status, _, error) = portcullis(&folder, &both);
    assert_eq!(status, 0, "{error}");
    let (_, text) = load(&folder.join("two.json"));
    let names: Vec<&String> = text["files"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["data/countries.mmdb", "geo.mmdb"]);

    // What is no database is refused by each command, and nothing is written.
    write(&folder, "data/countries.mmdb", b"country,code");
    for arguments in [&both[..], &["check", "main.conf"]] {
        let (status, out, error) = portcullis(&folder, arguments);
        assert_eq!(status, 1, "{out}{error}");
        assert!((out + &error).contains("not a MaxMind database"));
    }
    let (status, _, error) = portcullis(&folder, &["bundle", "-o", "three.json"]);
    assert_eq!(status, 2, "{error}");
    assert!(!folder.join("three.json").exists());
}
