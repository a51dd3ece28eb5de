//! Vectors through the module: a policy with one rule for each vector, and a form with one argument for each.
//!
//! The value of vector 17 is the argument `v17`, percent-encoded, so that any bytes arrive as they are. Its rule
//! has the number 18. For an operator the rule is that operator on the argument, and its log line is the match.
//! A transformation is followed by `hexEncode` and `streq` with the hexadecimal digits of what is expected.
//!
//! An operator's argument stands in the rule. What a policy can't hold there (bytes that are not UTF-8, words
//! where the forms want an integer) is sent along as the argument `p17` and named by a macro, which only
//! operators that compare with their argument expand. For any other operator such a vector fails, and has to be
//! listed as a deviation.
//!
//! The vectors of a file go into as few requests as the limit of arguments allows. Each request proves by a
//! rule of its own that all its arguments arrived: without that a vector that expects no match would pass
//! whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Trial;
use portcullis_rules::host::NoFiles;
use portcullis_rules::limits;
use portcullis_rules::operators::{Operator, OperatorName};
use portcullis_testhost::{Exchange, Host, Module, Options, Verdict};
use serde_json::{Value, json};

use crate::folder::{self, Given};
use crate::vectors::{DATA_FILES, Files, Question};

/// A vector sends one argument, or two.
const VECTORS_PER_REQUEST: usize = 500;

/// The number of the rule that sees whether all arguments arrived.
const ALL_THERE: usize = 1_000_000;

/// Vectors that are judged together.
struct Batch {
    questions: Vec<Result<Question, String>>,
    /// Made when the first of them is asked for.
    answers: OnceLock<Result<Answers, String>>,
}

/// What the module said to a batch. Numbers are those of rules.
#[derive(Default)]
struct Answers {
    matched: BTreeSet<usize>,
    /// Rules that the module refused, with what it said.
    refused: BTreeMap<usize, String>,
}

/// A test for each vector.
pub(crate) fn trials(module: &Module) -> Vec<Trial> {
    let Given { folder, vectors, .. } = match folder::load() {
        Ok(given) => given,
        Err(stand_in) => return vec![stand_in],
    };
    let data_files = match data_files(&folder) {
        Ok(files) => Arc::new(files),
        Err(error) => return vec![Trial::test("module/data_files", move || Err(error.into()))],
    };
    let mut trials = Vec::new();
    for of_file in vectors.chunk_by(|a, b| file(&a.id()) == file(&b.id())) {
        for vectors in of_file.chunks(VECTORS_PER_REQUEST) {
            let questions = vectors.iter().map(|vector| vector.question().and_then(expressible)).collect();
            let batch = Arc::new(Batch { questions, answers: OnceLock::new() });
            for (index, vector) in vectors.iter().enumerate() {
                let (module, files) = (module.clone(), Arc::clone(&data_files));
                let (batch, vector) = (Arc::clone(&batch), vector.clone());
                trials.push(Trial::test(format!("module/{}", vector.id()), move || {
                    vector.judge(batch.check(index, &module, &files)).map_err(Into::into)
                }));
            }
        }
    }
    trials
}

/// Folder and file in the name of a vector.
fn file(id: &str) -> &str {
    id.rsplit_once('/').map_or(id, |(file, _)| file)
}

/// The data files of operators, as they stand in a policy.
fn data_files(folder: &dyn Files) -> Result<Value, String> {
    let names = folder.list(DATA_FILES)?;
    let file = |name: String| {
        let bytes = folder.read(&format!("{DATA_FILES}/{name}"))?;
        Ok((name, json!({ "base64": STANDARD.encode(bytes) })))
    };
    names.into_iter().map(file).collect::<Result<serde_json::Map<_, _>, _>>().map(Value::Object)
}

impl Batch {
    fn check(&self, index: usize, module: &Module, data_files: &Value) -> Result<(), String> {
        let question = match self.questions.get(index) {
            Some(Ok(question)) => question,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err("no such vector".to_owned()),
        };
        let answers =
            self.answers.get_or_init(|| self.ask(module, data_files)).as_ref().map_err(Clone::clone)?;
        let number = index + 1;
        let matched = answers.matched.contains(&number);
        match (question, answers.refused.get(&number)) {
            // An argument that is refused when the policy is read counts as no match.
            (Question::Operator { matches: false, .. }, Some(line)) if line.starts_with("error[E0205]") => {
                Ok(())
            }
            (_, Some(line)) => Err(line.clone()),
            (Question::Operator { matches, .. }, None) if matched == *matches => Ok(()),
            (Question::Operator { .. }, None) => Err(format!("the module says {matched}")),
            (Question::Transformation { .. }, None) if matched => Ok(()),
            (Question::Transformation { expected, .. }, None) => {
                Err(format!("the module makes something else of it than `{}`", expected.escape_ascii()))
            }
        }
    }

    /// Puts the batch to the module. Rules that it refuses are left out then.
    fn ask(&self, module: &Module, data_files: &Value) -> Result<Answers, String> {
        let mut refused = BTreeMap::new();
        let options = Options { buffer_limit: usize::MAX, ..Options::default() };
        let mut host = match Host::start(module, &self.policy(data_files, &refused), options.clone()) {
            Ok(host) => host,
            Err(error) => {
                let errors =
                    error.log.iter().filter(|line| line.text.starts_with("error[")).map(|line| &line.text);
                refused
                    .extend(errors.filter_map(|line| Some((number_after(line, ", rule ")?, line.clone()))));
                Host::start(module, &self.policy(data_files, &refused), options)
                    .map_err(|again| again.to_string())?
            }
        };
        let (body, count) = self.form();
        let observed = host.exchange(&Exchange::post("/", "application/x-www-form-urlencoded", &body));
        if observed.verdict != Verdict::Continued {
            return Err(format!("the request ended otherwise: {:?}", observed.verdict));
        }
        let mut matched: BTreeSet<usize> =
            observed.log.iter().filter_map(|line| number_after(&line.text, "[id \"")).collect();
        if !matched.remove(&ALL_THERE) {
            return Err(format!("not all of the {count} arguments reached the rules"));
        }
        Ok(Answers { matched, refused })
    }

    fn questions(&self) -> impl Iterator<Item = (usize, &Question)> {
        let questions = self.questions.iter().enumerate();
        questions.filter_map(|(index, question)| Some((index, question.as_ref().ok()?)))
    }

    /// The policy: rules that only log.
    fn policy(&self, data_files: &Value, refused: &BTreeMap<usize, String>) -> Vec<u8> {
        let (_, count) = self.form();
        let mut rules = vec![json!({
            "rule_id": ALL_THERE,
            "matches": [{ "variables": "&ARGS_POST", "operator": "eq", "operating": count }],
        })];
        for (index, question) in self.questions().filter(|(index, _)| !refused.contains_key(&(index + 1))) {
            let mut test = match question {
                Question::Operator { operator, argument, .. } => {
                    let macro_name = || format!("%{{ARGS_POST.p{index}}}");
                    let written = in_policy(*operator, argument).map_or_else(macro_name, ToOwned::to_owned);
                    json!({ "operator": operator.name(), "operating": written })
                }
                Question::Transformation { transformation, expected, .. } => {
                    let digits: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
                    json!({
                        "transformations": [transformation.name(), "hexEncode"],
                        "operator": "streq",
                        "operating": digits,
                    })
                }
            };
            test["variables"] = format!("ARGS_POST:v{index}").into();
            rules.push(json!({ "rule_id": index + 1, "matches": [test] }));
        }
        let set =
            json!({ "name": "vectors", "request_body_limit": limits::BODY_LIMIT_BYTES, "rules": rules });
        json!({ "files": data_files, "rule_sets": [set] }).to_string().into_bytes()
    }

    /// The form, and how many arguments it has.
    fn form(&self) -> (Vec<u8>, usize) {
        let mut arguments = Vec::new();
        for (index, question) in self.questions() {
            match question {
                Question::Operator { operator, argument, value, .. } => {
                    arguments.push(encode('v', index, value));
                    if in_policy(*operator, argument).is_none() {
                        arguments.push(encode('p', index, argument));
                    }
                }
                Question::Transformation { value, .. } => arguments.push(encode('v', index, value)),
            }
        }
        (arguments.join("&").into_bytes(), arguments.len())
    }
}

/// Refuses what can be put to an operator in no way.
fn expressible(question: Question) -> Result<Question, String> {
    if let Question::Operator { operator, argument, .. } = &question
        && in_policy(*operator, argument).is_none()
    {
        let with_macro = Operator::new(*operator, b"%{ARGS_POST.p}", &NoFiles, "");
        if !with_macro.is_ok_and(|operator| operator.argument().as_literal().is_none()) {
            let name = operator.name();
            return Err(format!("`{name}` expands no macros, and a policy can't hold the argument"));
        }
    }
    Ok(question)
}

/// An operator's argument as a policy can hold it; `None` when it can't.
fn in_policy(operator: OperatorName, argument: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(argument).ok()?;
    let number = matches!(
        operator,
        OperatorName::Eq | OperatorName::Ge | OperatorName::Gt | OperatorName::Le | OperatorName::Lt
    );
    (!number || text.trim().parse::<i64>().is_ok()).then_some(text)
}

/// An argument of a form, each byte of its value percent-encoded.
fn encode(letter: char, index: usize, value: &[u8]) -> String {
    let bytes: String = value.iter().map(|byte| format!("%{byte:02X}")).collect();
    format!("{letter}{index}={bytes}")
}

/// The number that follows a text.
fn number_after(line: &str, text: &str) -> Option<usize> {
    let (_, rest) = line.split_once(text)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}
