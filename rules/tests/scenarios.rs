//! Runs the scenarios in the engine, one named test for each case; see `support/scenarios.rs` for their form.

#![allow(clippy::expect_used, clippy::panic, reason = "a scenario that can't be read is a failed test")]

#[path = "support/scenarios.rs"]
mod scenarios;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use portcullis_rules::audit::MatchRecord;
use portcullis_rules::diagnostic::Level;
use portcullis_rules::eval::Transaction;
use portcullis_rules::plan::Plan;
use portcullis_rules::policy;

use scenarios::{Case, Check, Differences, Found, NOW, Scenario};

fn main() {
    let arguments = Arguments::from_args();
    let (run, left_out): (Vec<_>, Vec<_>) =
        scenarios::load().into_iter().partition(|scenario| cfg!(feature = "lua") || !scenario.lua);
    let left_out: Vec<Trial> = left_out.into_iter().map(ignored).collect();
    let trials = run.into_iter().flat_map(trials).chain(left_out).collect();
    libtest_mimic::run(&arguments, trials).exit();
}

/// Stands for a scenario with scripts in a build without Lua.
#[expect(clippy::print_stderr, reason = "what is not run is to be seen")]
fn ignored(scenario: Scenario) -> Trial {
    let (name, cases) = (scenario.name, scenario.cases.len());
    eprintln!("\n{name}: {cases} cases are not run: add `--features lua`\n");
    Trial::test(format!("{name}/NOT_RUN_without_the_feature_lua"), || Ok(())).with_ignored_flag(true)
}

fn trials(Scenario { name, policy, cases, environment, check: said, .. }: Scenario) -> Vec<Trial> {
    let policy = serde_json::to_vec_pretty(&policy).expect("JSON again");
    let loaded = policy::load(&policy, &name);
    let lines: Vec<String> = loaded.diagnostics.iter().map(|d| d.one_line(&loaded.sources)).collect();
    let Some(policy) = loaded.policy else {
        panic!("{name}: the policy is refused:\n{}", lines.join("\n"));
    };
    let mut plan = Plan::new(&policy).expect("a plan");
    assert_eq!(plan.set_environment(scenarios::environment(&environment)), 0, "{name}");
    let plan = Arc::new(plan);
    let warned = said.map(|Check { warnings }| {
        let found = loaded.diagnostics.iter().filter(|said| said.code.level() == Level::Warning).count();
        Trial::test(format!("{name}/check"), move || {
            let enough = found >= warnings;
            enough
                .then_some(())
                .ok_or(format!("{warnings} warnings are expected:\n{}", lines.join("\n")).into())
        })
    });
    let judged = cases.into_iter().map(|case| {
        let plan = Arc::clone(&plan);
        Trial::test(format!("{name}/{}", case.name), move || check(plan, &case).map_err(Into::into))
    });
    judged.chain(warned).collect()
}

fn check(plan: Arc<Plan>, case: &Case) -> Result<(), String> {
    let exchange = case.exchange()?;
    let mut transaction = Transaction::new(plan, &exchange.connection(), case.name.as_bytes(), NOW);
    transaction.record_all();
    let outcome = exchange.run(&mut transaction, NOW);
    let matches = transaction.take_matches();
    let line = |record: &MatchRecord| {
        let line = record.log_line.as_deref()?;
        Some((record.rule_id, String::from_utf8_lossy(line).into_owned()))
    };
    let (logged, lines) = matches.iter().filter_map(line).unzip();
    let events = transaction.take_script_events();
    let scripts = events.iter().map(|event| String::from_utf8_lossy(&event.line()).into_owned()).collect();
    let said = transaction.take_gaps().into_iter();
    let said =
        said.map(|event| (event.gap.name().to_owned(), String::from_utf8_lossy(&event.line).into_owned()));
    let (gaps, gap_lines) = said.unzip();
    let mut differences = Differences::default();
    let audit = transaction.take_audit_record().map(|record| record.one_line());
    let audit = audit.map(|record| String::from_utf8_lossy(&record).into_owned());
    let found = Found { logged, lines, audit, scripts, gaps, gap_lines, ..Found::of_outcome(&outcome) };
    differences.check(&case.expect, &found);
    let matched: Vec<u64> = matches.iter().map(|record| record.rule_id).collect();
    differences.compare("matched", case.expect.matched.as_ref(), Some(&matched));
    if let Some(id) = case.expect.head_as_sent.iter().find(|id| !matched.contains(id)) {
        differences.say(format!("head_as_sent names {id}, which does not match"));
    }
    let tx = transaction.tx();
    // What the next case sees of the memory is nothing.
    transaction.recycle();
    for (key, value) in case.expect.tx.iter().flatten() {
        let found = tx.iter().find(|(name, _)| name.eq_ignore_ascii_case(key.as_bytes()));
        let found = found.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
        differences.compare(&format!("tx.{key}"), Some(value), Some(&found));
    }
    differences.finish()
}
