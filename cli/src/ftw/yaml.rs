//! Test files: their YAML, and the tests in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;

/// One test.
#[derive(Debug)]
pub(super) struct Test {
    /// The rule it is about and its number, such as `942100-3`.
    pub(super) id: String,
    /// What is sent, and what is expected of each.
    pub(super) stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
struct File {
    rule_id: Option<u64>,
    /// A file may have none yet.
    tests: Option<Vec<RawTest>>,
}

#[derive(Debug, Deserialize)]
struct RawTest {
    test_id: Option<u64>,
    /// The id in older files.
    test_title: Option<String>,
    stages: Vec<Stage>,
}

/// One request and what is expected of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    #[serde(default)]
    #[expect(dead_code, reason = "text for people")]
    description: Option<String>,
    #[serde(default)]
    pub(super) input: Input,
    #[serde(default)]
    pub(super) output: Output,
    /// Older files have the stage one level deeper.
    stage: Option<Box<Stage>>,
}

/// The request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Input {
    pub(super) dest_addr: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) protocol: Option<String>,
    pub(super) method: Option<String>,
    pub(super) uri: Option<String>,
    /// The same request with each of these instead of `uri`.
    pub(super) uris: Vec<String>,
    pub(super) version: Option<String>,
    /// In the order of their names, as go-ftw sends them.
    pub(super) headers: BTreeMap<String, String>,
    /// Instead of `headers`, in this order.
    pub(super) ordered_headers: Vec<Header>,
    /// A Go template.
    pub(super) data: Option<String>,
    /// Base64.
    pub(super) encoded_data: Option<String>,
    /// The whole request in base64.
    pub(super) encoded_request: Option<String>,
    pub(super) autocomplete_headers: Option<bool>,
    /// The older, inverse form of `autocomplete_headers`.
    pub(super) stop_magic: Option<bool>,
    /// Later stages send the cookies that the answer sets.
    pub(super) save_cookie: bool,
    /// The target is where the answer to the stage before it redirects to.
    pub(super) follow_redirect: bool,
    /// Markers are sent with the test's own `Host`.
    pub(super) virtual_host_mode: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

impl Input {
    /// Whether headers that a client usually sends are added.
    pub(super) fn completes_headers(&self) -> bool {
        self.autocomplete_headers.unwrap_or(!self.stop_magic.unwrap_or(false))
    }
}

/// What is expected.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Output {
    /// The answer's status is one of these, if there are any.
    #[serde(deserialize_with = "one_or_many")]
    pub(super) status: Vec<u16>,
    pub(super) response_contains: Option<String>,
    pub(super) log_contains: Option<String>,
    pub(super) no_log_contains: Option<String>,
    pub(super) log: Log,
    /// There is no answer at all.
    pub(super) expect_error: bool,
    /// A failure is given a second try.
    pub(super) retry_once: bool,
    /// The one expected rule is the only one that is logged.
    pub(super) isolated: bool,
}

/// What is expected of the log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) expect_ids: Vec<u64>,
    pub(super) no_expect_ids: Vec<u64>,
    pub(super) match_regex: Option<String>,
    pub(super) no_match_regex: Option<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u16>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        One(u16),
        Many(Vec<u16>),
    }
    Ok(match Form::deserialize(deserializer)? {
        // As with go-ftw, 0 stands for none.
        Form::One(0) => Vec::new(),
        Form::One(status) => vec![status],
        Form::Many(statuses) => statuses,
    })
}

/// The tests of all `.yaml` and `.yml` files in a folder and below, or of one file, in the order of file
/// names.
///
/// # Errors
/// When a file can't be read, isn't a test file, or a test contradicts itself.
pub(super) fn load(place: &Path) -> anyhow::Result<Vec<Test>> {
    let mut files = Vec::new();
    collect(place, &mut files).with_context(|| format!("can't read {}", place.display()))?;
    files.sort();
    anyhow::ensure!(!files.is_empty(), "no .yaml file in {}", place.display());
    let mut tests = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).with_context(|| format!("can't read {}", file.display()))?;
        tests.extend(parse(&text, file).with_context(|| format!("{} is no test file", file.display()))?);
    }
    Ok(tests)
}

fn collect(place: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !place.is_dir() {
        files.push(place.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(place)? {
        let path = entry?.path();
        let named = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if path.is_dir() || named {
            collect(&path, files)?;
        }
    }
    Ok(())
}

fn parse(text: &str, file: &Path) -> anyhow::Result<Vec<Test>> {
    let parsed: File = serde_saphyr::from_str(text)?;
    let rule = parsed.rule_id.or_else(|| number_in(file));
    let mut tests = Vec::new();
    for (position, raw) in (1..).zip(parsed.tests.unwrap_or_default()) {
        let number = raw.test_id.filter(|id| *id != 0).unwrap_or(position);
        let id = match (rule, raw.test_title) {
            (Some(rule), _) => format!("{rule}-{number}"),
            (None, Some(title)) => title,
            (None, None) => anyhow::bail!("it has no `rule_id`"),
        };
        let mut stages = Vec::new();
        for stage in raw.stages {
            let stage = stage.stage.map_or_else(|| Stage { stage: None, ..stage }, |inner| *inner);
            check(&stage).with_context(|| format!("test {id}"))?;
            stages.extend(one_per_uri(stage));
        }
        tests.push(Test { id, stages });
    }
    Ok(tests)
}

/// The first number in a file's name.
fn number_in(file: &Path) -> Option<u64> {
    let name = file.file_stem()?.to_str()?;
    let start = name.find(|c: char| c.is_ascii_digit())?;
    let digits = name.get(start..)?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    digits.get(..end)?.parse().ok()
}

fn check(stage: &Stage) -> anyhow::Result<()> {
    let input = &stage.input;
    let bodies = [&input.data, &input.encoded_data, &input.encoded_request];
    anyhow::ensure!(
        bodies.iter().filter(|body| body.is_some()).count() < 2,
        "only one of `data`, `encoded_data` and `encoded_request` can be sent"
    );
    anyhow::ensure!(
        !stage.output.isolated || stage.output.log.expect_ids.len() == 1,
        "`isolated` needs exactly one id in `expect_ids`"
    );
    Ok(())
}

fn one_per_uri(mut stage: Stage) -> Vec<Stage> {
    let uris = std::mem::take(&mut stage.input.uris);
    if uris.is_empty() {
        return vec![stage];
    }
    let with = |uri| {
        let input = Input { uri: Some(uri), ..stage.input.clone() };
        Stage { input, output: stage.output.clone(), ..Stage::default() }
    };
    uris.into_iter().map(with).collect()
}
