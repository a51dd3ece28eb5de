//! Policies that are valid: what becomes of them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail")]

use portcullis_rules::diagnostic::{Code, Diagnostic};
use portcullis_rules::host::Source as _;
use portcullis_rules::limits;
use portcullis_rules::model::{
    AllowScope, AuditEngine, Enforcement, EngineMode, Item, LimitAction, Phase, Policy, Resolution,
    ResponseLimitAction, Rule, Selector, Settings, Target, TargetMode, Template, UnparsableAction, Variable,
};
use portcullis_rules::operators::{AddressSet, OperatorName};
use portcullis_rules::plan::Plan;
use portcullis_rules::policy::{self, Loaded};
use portcullis_rules::transforms::Transformation;

fn load(text: &str) -> Loaded {
    policy::load(text.as_bytes(), "policy.json")
}

/// Loads a policy about which there is nothing to say.
fn good(text: &str) -> Policy {
    let loaded = load(text);
    assert_eq!(loaded.diagnostics, [], "{text}");
    loaded.policy.unwrap()
}

/// A set with these fields and rules.
fn set(fields: &str, rules: &str) -> String {
    format!(r#"{{"rule_sets": [{{"name": "test", {fields} "rules": [{rules}]}}]}}"#)
}

fn rules(policy: &Policy) -> Vec<&Rule> {
    let items = policy.rule_sets.iter().flat_map(|set| &set.items);
    items
        .filter_map(|item| -> Option<&Rule> {
            if let Item::Rule(rule) = item { Some(rule) } else { None }
        })
        .collect()
}

/// The only rule of a set that has `default_fields`.
fn rule_in(default_fields: &str, fields: &str) -> Rule {
    rules(&good(&set(default_fields, &format!(r#"{{"rule_id": 1 {fields}}}"#))))[0].clone()
}

fn rule(fields: &str) -> Rule {
    rule_in("", fields)
}

fn template(text: &str) -> Template {
    Template::parse(text.as_bytes()).unwrap()
}

fn messages(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|d| d.message.as_str()).collect()
}

#[test]
fn least_policy() {
    for text in ["{}", " {\"rule_sets\": []}\r\n", r#"{"$schema": "policy.schema.json"}"#] {
        let policy = good(text);
        assert_eq!(policy.enforcement, Enforcement::Streaming);
        assert_eq!(policy.client_address.header, None);
        assert!(policy.rule_sets.is_empty());
    }
}

#[test]
fn top_level() {
    let policy = good(
        r#"{
            "enforcement": "strict",
            "client_address": {"header": "X-Forwarded-For", "trusted_hops": ["10.0.0.0/8", "2001:db8::1"]}
        }"#,
    );
    assert_eq!(policy.enforcement, Enforcement::Strict);
    assert_eq!(policy.client_address.header.as_deref(), Some("x-forwarded-for"));
    assert_eq!(policy.client_address.trusted, AddressSet::parse(b"10.0.0.0/8,2001:db8::1").unwrap());
}

#[test]
fn settings_by_default() {
    let policy = good(&set("", ""));
    assert_eq!(policy.rule_sets[0].name, "test");
    let found = &policy.rule_sets[0].settings;
    let expected = Settings {
        engine: EngineMode::On,
        request_body_access: true,
        request_body_limit: limits::REQUEST_BODY_BYTES,
        request_body_no_files_limit: None,
        request_body_limit_action: LimitAction::ProcessPartial,
        on_unparsable_body: UnparsableAction::Reject,
        response_body_access: false,
        response_body_limit: 524_288,
        response_body_limit_action: ResponseLimitAction::PassUninspected,
        response_body_types: None,
        audit_engine: AuditEngine::Off,
        ..found.clone()
    };
    assert_eq!(found, &expected);
    let zero = good(&set(r#""request_body_limit": 0, "response_body_limit": 0,"#, ""));
    let whole = usize::try_from(limits::BODY_LIMIT_BYTES).unwrap();
    let expected = Settings { request_body_limit: whole, response_body_limit: whole, ..expected };
    assert_eq!(zero.rule_sets[0].settings, expected);
}

#[test]
fn bodies_that_cannot_be_parsed() {
    let rule = r#"{"rule_id": 1}"#;
    let text = r#""seclang": "SecRule ARGS x id:2","#;
    for (fields, rules, expected) in [
        ("", "", UnparsableAction::Reject),
        ("", rule, UnparsableAction::Reject),
        (text, "", UnparsableAction::Pass),
        (text, rule, UnparsableAction::Reject),
        (r#""on_unparsable_body": "pass","#, rule, UnparsableAction::Pass),
        (r#""on_unparsable_body": "reject", "seclang": "","#, "", UnparsableAction::Reject),
    ] {
        let policy = good(&set(fields, rules));
        assert_eq!(policy.rule_sets[0].settings.on_unparsable_body, expected, "{fields} {rules}");
    }
}

#[test]
fn settings_as_written() {
    let policy = good(&set(
        r#""process_request_body": false, "request_body_limit": 1000, "request_body_limit_action": "reject",
           "process_response_body": true, "response_body_limit": 2000, "response_body_limit_action": "process_partial",
           "response_body_types": ["text/html", "Application/JSON"], "only_logging": true, "audit": true,"#,
        "",
    ));
    let expected = Settings {
        engine: EngineMode::DetectionOnly,
        request_body_access: false,
        request_body_limit: 1000,
        request_body_limit_action: LimitAction::Reject,
        response_body_access: true,
        response_body_limit: 2000,
        response_body_limit_action: ResponseLimitAction::ProcessPartial,
        response_body_types: Some(vec!["text/html".to_owned(), "application/json".to_owned()]),
        audit_engine: AuditEngine::On,
        ..policy.rule_sets[0].settings.clone()
    };
    assert_eq!(policy.rule_sets[0].settings, expected);
    let reject = good(&set(r#""response_body_limit_action": "reject","#, ""));
    assert_eq!(reject.rule_sets[0].settings.response_body_limit_action, ResponseLimitAction::Reject);
    let none = good(&set(r#""response_body_types": [],"#, ""));
    assert_eq!(none.rule_sets[0].settings.response_body_types, Some(Vec::new()));
}

#[test]
fn rule_by_default() {
    let rule = rule("");
    assert_eq!((rule.id, rule.phase, rule.resolution), (1, Phase::RequestBody, Resolution::Pass));
    assert_eq!((rule.status, rule.skip, rule.skip_after), (None, 0, None));
    assert!(rule.log && rule.audit);
    assert_eq!(rule.meta, portcullis_rules::model::Metadata::default());
    assert_eq!(rule.links.len(), 1);
    assert!(rule.links[0].condition.is_none() && !rule.links[0].capture && rule.links[0].actions.is_empty());
}

#[test]
fn rule_as_written() {
    let rule = rule(
        r#", "description": "bad %{MATCHED_VAR}", "phase": "response", "resolution": "deny", "status": 451, "skip": 2,
           "log": false, "audit": false, "tag": ["a", "b/%{tx.x}"], "severity": "critical", "data": "%{TX.0}""#,
    );
    assert_eq!(
        (rule.phase, rule.resolution, rule.status),
        (Phase::ResponseBody, Resolution::Deny, Some(451))
    );
    assert_eq!((rule.skip, rule.log, rule.audit), (2, false, false));
    assert_eq!(rule.meta.message, Some(template("bad %{MATCHED_VAR}")));
    assert_eq!(rule.meta.data, Some(template("%{TX.0}")));
    assert_eq!(rule.meta.tags, [template("a"), template("b/%{tx.x}")]);
    assert_eq!(rule.meta.severity.unwrap().number(), 2);
}

#[test]
fn values_with_several_spellings() {
    for (fields, id) in [("\"rule_id\": 18446744073709551615", u64::MAX), ("\"rule_id\": \"007\"", 7)] {
        assert_eq!(rules(&good(&set("", &format!("{{{fields}}}"))))[0].id, id);
    }
    for (phase, expected) in [
        ("1", Phase::RequestHeaders),
        ("\"1\"", Phase::RequestHeaders),
        ("2", Phase::RequestBody),
        ("\"request\"", Phase::RequestBody),
        ("\"3\"", Phase::ResponseHeaders),
        ("\"Response\"", Phase::ResponseBody),
        ("\"logging\"", Phase::Logging),
        ("5", Phase::Logging),
    ] {
        assert_eq!(rule(&format!(r#", "phase": {phase}"#)).phase, expected);
        assert_eq!(rule_in(&format!(r#""default_phase": {phase},"#), "").phase, expected);
    }
    for (severity, expected) in [("0", 0), ("7", 7), ("\"3\"", 3), ("\"EMERGENCY\"", 0), ("\"debug\"", 7)] {
        let rule = rule(&format!(r#", "severity": {severity}"#));
        assert_eq!(rule.meta.severity.unwrap().number(), expected);
    }
    assert_eq!(rule(r#", "tag": "one""#).meta.tags, [template("one")]);
}

#[test]
fn logging() {
    for (default_log, log, expected) in [
        ("true", "\"\"", true),
        ("false", "\"\"", false),
        ("\"\"", "\"\"", true),
        ("\"\"", "false", false),
        ("false", "true", true),
        ("true", "false", false),
    ] {
        let rule = rule_in(&format!(r#""default_log": {default_log},"#), &format!(r#", "log": {log}"#));
        assert_eq!(rule.log, expected, "{default_log} {log}");
    }
    assert!(!rule_in(r#""default_log": false,"#, "").log);
    assert!(rule(r#", "audit": """#).audit);
}

#[test]
fn resolutions() {
    let allow = Resolution::Allow(AllowScope::Transaction);
    for (name, expected) in
        [("pass", Resolution::Pass), ("allow", allow), ("deny", Resolution::Deny), ("drop", Resolution::Drop)]
    {
        assert_eq!(rule(&format!(r#", "resolution": "{name}""#)).resolution, expected);
        assert_eq!(rule_in(&format!(r#""default_action": "{name}","#), "").resolution, expected);
        let by_name =
            rule_in(&format!(r#""default_action": "{name}","#), r#", "resolution": "default_action""#);
        assert_eq!(by_name.resolution, expected);
    }
    assert_eq!(
        rule_in(r#""default_action": "deny","#, r#", "resolution": "pass""#).resolution,
        Resolution::Pass
    );
    assert_eq!(rule_in(r#""default_action": "deny","#, r#", "status": 500"#).status, Some(500));
}

#[test]
fn redirects() {
    let redirect = |url: &str| Resolution::Redirect(template(url));
    for url in [
        "https://example.com/%{REQUEST_URI}",
        "HTTP://example.com",
        "/",
        "/blocked?id=%{UNIQUE_ID}",
        "%{tx.url}",
        "/é",
    ] {
        let own = rule(&format!(r#", "resolution": "redirect", "redirect_url": "{url}""#));
        assert_eq!(own.resolution, redirect(url));
        let by_set = format!(r#""default_action": "redirect", "redirect_url": "{url}","#);
        assert_eq!(rule_in(&by_set, "").resolution, redirect(url));
    }
    let both = r#""default_action": "redirect", "redirect_url": "/set","#;
    assert_eq!(rule_in(both, r#", "redirect_url": "/rule", "status": 307"#).resolution, redirect("/rule"));
    let fallback = rule_in(r#""redirect_url": "/set","#, r#", "resolution": "redirect", "status": 301"#);
    assert_eq!((fallback.resolution, fallback.status), (redirect("/set"), Some(301)));
}

#[test]
fn conditions() {
    let rule = rule(
        r#", "matches": [
            {
                "variables": ["ARGS|!ARGS:token", "&REQUEST_HEADERS:host", "ARGS_JSON:user.name"],
                "transformations": ["lowercase", "none", "urlDecode", "TOLOWERCASE"],
                "multi_match": true, "operator": "strEq", "operating": "%{tx.a}", "not_match": true, "capture": true
            },
            {"variables": "&ARGS", "operator": "@intGT", "operating": 5},
            {"variables": "TX:/^a|b/"}
        ]"#,
    );
    let [first, second, third] = rule.links.as_slice() else { panic!("{rule:?}") };
    let condition = first.condition.as_ref().unwrap();
    let key = |variable, key: &str, mode| Target { variable, selector: Selector::Key(key.into()), mode };
    assert_eq!(
        condition.targets,
        [
            Target::all(Variable::Args),
            key(Variable::Args, "token", TargetMode::Exclude),
            key(Variable::RequestHeaders, "host", TargetMode::Count),
            key(Variable::Args, "json.user.name", TargetMode::Inspect),
        ]
    );
    assert_eq!(condition.transformations, [Transformation::UrlDecode, Transformation::Lowercase]);
    assert!(condition.multi_match && condition.negated && first.capture);
    assert_eq!(condition.operator.name(), OperatorName::StrEq);
    assert_eq!(condition.operator.argument(), &template("%{tx.a}"));

    let condition = second.condition.as_ref().unwrap();
    assert_eq!(condition.operator.name(), OperatorName::Gt);
    assert_eq!(condition.operator.argument().as_literal(), Some(&b"5"[..]));
    assert!(
        !condition.multi_match
            && !condition.negated
            && !second.capture
            && condition.transformations.is_empty()
    );

    let condition = third.condition.as_ref().unwrap();
    assert_eq!(condition.operator.name(), OperatorName::Rx);
    assert_eq!(condition.targets[0].selector, Selector::Regex(b"^a|b".to_vec()));
}

#[test]
fn every_name_of_an_operator() {
    for operator in OperatorName::ALL {
        // These need a file or database, or an argument of their own.
        let operand = match operator {
            OperatorName::GeoLookup
            | OperatorName::InspectFile
            | OperatorName::PmFromFile
            | OperatorName::IpMatchFromFile => continue,
            OperatorName::IpMatch => "10.0.0.0/8",
            OperatorName::ValidateNid => "cl [0-9]+",
            OperatorName::RestPath => "/a/{b}",
            OperatorName::DetectSqli
            | OperatorName::DetectXss
            | OperatorName::NoMatch
            | OperatorName::UnconditionalMatch
            | OperatorName::ValidateUrlEncoding
            | OperatorName::ValidateUtf8Encoding => "",
            _ => "1",
        };
        for name in operator.aliases().iter().copied().chain([operator.name()]) {
            let text = set(
                "",
                &format!(
                    r#"{{"rule_id": 1, "matches": [{{"variables": "ARGS", "operator": "@{name}", "operating": "{operand}"}}]}}"#
                ),
            );
            let policy = good(&text);
            let condition = rules(&policy)[0].links[0].condition.clone().unwrap();
            assert_eq!(condition.operator.name(), *operator);
        }
    }
}

#[test]
fn operators_find_the_policys_files() {
    let policy = good(
        r#"{
            "files": {"words": {"text": "alpha\nbeta\n"}},
            "rule_sets": [{"name": "test", "rules": [{"rule_id": 1, "matches": [
                {"variables": "ARGS", "operator": "strPhrasesFromFile", "operating": "words"}
            ]}]}]
        }"#,
    );
    let condition = rules(&policy)[0].links[0].condition.clone().unwrap();
    assert!(condition.operator.matches(b"alphabet", b"", None));
    assert!(!condition.operator.matches(b"gamma", b"", None));
}

#[test]
fn skips_and_markers() {
    let policy = good(&set(
        "",
        r#"{"rule_id": 1, "skip_after": "END"}, {"rule_id": 2, "skip_after": 4}, {"rule_id": 3, "phase": 1},
           {"rule_id": 4, "skip_after": "9"}, {"mark": "END"}, {"mark": "9"}"#,
    ));
    let targets: Vec<_> = rules(&policy).iter().map(|rule| rule.skip_after.clone()).collect();
    assert_eq!(targets, [Some(b"END".to_vec()), Some(b"4".to_vec()), None, Some(b"9".to_vec())]);
    let markers: Vec<_> = policy.rule_sets[0]
        .items
        .iter()
        .filter_map(|i| if let Item::Marker(m) = i { Some(m.clone()) } else { None })
        .collect();
    assert_eq!(markers, [b"END".to_vec(), b"9".to_vec()]);
}

#[test]
fn disabled_rules_stay_and_never_match() {
    let policy = good(&set(
        r#""disable_rules": [2, "3"],"#,
        r#"{"rule_id": 1}, {"rule_id": 2}, {"rule_id": 3, "matches": [{"variables": "ARGS"}, {"variables": "TX"}]}"#,
    ));
    let rules = rules(&policy);
    assert_eq!(rules.iter().map(|rule| rule.id).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(rules[0].links[0].condition.is_none());
    for rule in &rules[1..] {
        let [link] = rule.links.as_slice() else { panic!("{rule:?}") };
        let condition = link.condition.as_ref().unwrap();
        assert_eq!((condition.operator.name(), condition.targets.len()), (OperatorName::NoMatch, 0));
    }
}

#[test]
fn origins() {
    let policy = good(
        "{\"rule_sets\": [\n {\"name\": \"a\", \"rules\": [\n  {\"rule_id\": 1}, {\"mark\": \"x\"},\n\n  {\"rule_id\": 2}]},\n {\"name\": \"b\", \"rules\": [{\n \"rule_id\": 3}]}]}",
    );
    let origins: Vec<_> =
        rules(&policy).iter().map(|rule| format!("{}:{}", rule.origin.file, rule.origin.line)).collect();
    assert_eq!(origins, ["rule_sets[0].rules[0]:3", "rule_sets[0].rules[2]:5", "rule_sets[1].rules[0]:6"]);
}

#[test]
fn files() {
    let loaded = load(r#"{"files": {"a.data": {"text": "é\n"}, "b/c.data": {"base64": "AP8A\n/w=="}}}"#);
    assert_eq!(loaded.diagnostics, []);
    assert_eq!(loaded.files.names().collect::<Vec<_>>(), ["a.data", "b/c.data"]);
    assert_eq!(loaded.files.read("a.data", "").unwrap(), "é\n".as_bytes());
    assert_eq!(loaded.files.read("c.data", "b/rules.conf").unwrap(), [0, 0xff, 0, 0xff]);
    assert!(loaded.files.read("c.data", "rules.conf").is_err());
}

#[test]
fn warnings_do_not_refuse() {
    let loaded = load(&set(r#""disable_rules": [9],"#, r#"{"rule_id": 1, "status": 403}"#));
    assert_eq!(
        messages(&loaded.diagnostics),
        ["this rule set has no rule 9", "the status has no effect: the rule sends no answer",]
    );
    assert!(loaded.policy.is_some());
}

/// A large policy is read in time linear in its size: ten times the rules take far less than a hundred
/// times as long.
#[test]
fn many_rules() {
    let text = |count: usize| {
        let rules: Vec<String> = (1..=count)
            .map(|id| format!(r#"{{"rule_id": {id}, "skip_after": "END", "matches": [{{"variables": "ARGS", "operator": "streq", "operating": "{id}"}}]}}"#))
            .collect();
        set("", &format!("{},\n{{\"mark\": \"END\"}}", rules.join(",\n")))
    };
    // The best of three, because other work disturbs the clock.
    let time = |count: usize| {
        let text = text(count);
        let runs = (0..3).map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(rules(&good(&text)).len(), count);
            start.elapsed()
        });
        runs.min().unwrap()
    };
    let (small, large) = (time(1_000), time(10_000));
    assert!(large < small * 50, "{small:?} {large:?}");
}

/// Rule sets share the arguments of the query, so they can't split it at different characters.
#[test]
fn argument_separators_have_to_agree() {
    let sets = |first: &str, second: &str| {
        format!(
            r#"{{"rule_sets": [{{"name": "a", "seclang": "SecArgumentSeparator {first}"}},
                {{"name": "b", "seclang": "SecArgumentSeparator {second}"}}]}}"#
        )
    };
    assert!(Plan::new(&load(&sets(";", ";")).policy.unwrap()).is_ok());
    let problems = Plan::new(&load(&sets("&", ";")).policy.unwrap()).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!(problem.code, Code::E0318);
}
