//! The Core Rule Set, bundled by the command line, in the built filter.
//!
//! Without the Core Rule Set, the module or the command line nothing is tested, and it is said what is missing.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail, and says what it leaves out"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis_testhost::{
    Exchange, Host, Module, ModuleFile, Observed, Options, Verdict, portcullis_module,
};

/// `$PORTCULLIS_SHARED/crs`, else `shared/crs` beside the repository.
fn core_rule_set() -> Result<PathBuf, String> {
    let shared = std::env::var_os("PORTCULLIS_SHARED")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().join("shared"));
    let folder = shared.join("crs");
    if folder.join("rules").is_dir() {
        return Ok(folder);
    }
    Err("no Core Rule Set; set PORTCULLIS_SHARED to the folder that has crs/rules".to_owned())
}

/// The command line, which the tests of the whole workspace build first.
fn command_line() -> Result<PathBuf, String> {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("portcullis");
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("no {}: run `cargo build -p portcullis-cli`", path.display()))
}

fn module() -> Result<Module, String> {
    match portcullis_module() {
        ModuleFile::Found(path) => Ok(Module::from_file(&path).unwrap()),
        ModuleFile::Missing(help) => Err(help),
    }
}

/// The bundle of the Core Rule Set behind the recommended settings, of which there is nothing to say.
fn bundle(portcullis: &Path, rules: &Path, more: &[&str]) -> Vec<u8> {
    let setup = rules.join("crs-setup.conf.example");
    let files = rules.join("rules/*.conf");
    let output = Command::new(portcullis)
        .args(["bundle", "--enforcement", "strict", "--name", "crs", "--output", "-"])
        .args(["--seclang", "@recommended-conf"])
        .args(["--seclang", setup.to_str().unwrap(), "--seclang", files.to_str().unwrap()])
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// File, line and id of each rule that was logged.
fn origins(observed: &Observed) -> Vec<(String, usize, String)> {
    let field = |line: &str, name: &str| {
        let (_, after) = line.split_once(&format!("[{name} \""))?;
        after.split_once('"').map(|(value, _)| value.to_owned())
    };
    let lines = observed.log.iter().filter(|line| line.text.contains("ModSecurity: "));
    lines
        .map(|line| {
            let found = |name| field(&line.text, name).unwrap();
            (found("file"), found("line").parse().unwrap(), found("id"))
        })
        .collect()
}

#[test]
fn the_core_rule_set_judges_in_the_module() {
    let found = core_rule_set().and_then(|rules| Ok((rules, command_line()?, module()?)));
    let (rules, portcullis, module) = match found {
        Ok(found) => found,
        Err(missing) => {
            println!("SKIPPED 1 test: {missing}");
            return;
        }
    };
    let options = || Options { allow_on_headers_stop_iteration: true, ..Options::default() };
    let attack = Exchange::get("/?q=%27%20OR%201%3D1%20--%20&x=<script>alert(1)</script>")
        .header("user-agent", b"Mozilla/5.0")
        .header("accept", b"*/*");
    let benign = Exchange::get("/search?q=blue+shoes&page=2")
        .header("user-agent", b"Mozilla/5.0")
        .header("accept", b"*/*")
        .answered_by(200, &[b"found"]);
    let mut seen = Vec::new();
    for more in [&[][..], &["--minify"]] {
        let policy = bundle(&portcullis, &rules, more);
        let mut host = Host::start(&module, &policy, options()).unwrap();
        let alarms: Vec<_> = host.start_log().iter().filter(|line| line.level >= 3).collect();
        assert!(alarms.is_empty(), "{alarms:?}");
        println!(
            "{} bytes of policy, {} bytes of memory, {} units of fuel",
            policy.len(),
            host.memory_bytes(),
            host.start_fuel()
        );

        let observed = host.exchange(&attack);
        assert!(matches!(observed.verdict, Verdict::LocalReply { status: 403, .. }), "{observed:#?}");
        assert!(observed.upstream.headers.is_none(), "{observed:#?}");
        let origins = origins(&observed);
        assert!(origins.iter().any(|(_, _, id)| id == "942100"), "{origins:?}");
        for (file, line, id) in &origins {
            let text = std::fs::read_to_string(file).unwrap();
            let rule: Vec<&str> = text.lines().skip(line - 1).take_while(|line| !line.is_empty()).collect();
            assert!(rule[0].trim_start().starts_with("Sec"), "{file}:{line} {rule:?}");
            assert!(rule.iter().any(|line| line.contains(&format!("id:{id},"))), "{id} at {file}:{line}");
        }
        seen.push(origins);

        let observed = host.exchange(&benign);
        assert_eq!(observed.verdict, Verdict::Continued, "{observed:#?}");
        assert_eq!(observed.status(), Some(200));
        assert!(observed.log.is_empty(), "{observed:#?}");
    }
    assert_eq!(seen[0], seen[1]);
}
