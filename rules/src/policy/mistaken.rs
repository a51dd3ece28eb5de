//! What is given in place of a policy: said by its name, with where the policy is.

use super::json::{Kind, Value};
use super::report::Reporter;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::format::{Format, recognise};

const SECLANG: &str = "give files of SecLang to the command line with `--seclang`, or make a policy of them: `portcullis \
                       bundle --seclang FILE -o policy.json`; within a policy the text stands in `seclang` of a rule set";
const ARMR: &str = "give it to the command line as a file whose name ends in `.armr`; within a policy the text stands in \
                    `network.armr`";
const MANIFEST: &str = "give the policy that is in it: of a WasmPlugin `yq -o json .spec.pluginConfig FILE`, of an \
                        EnvoyFilter or Envoy's own configuration the text in `configuration.value`";
const YAML: &str = "a policy is JSON: `yq -o json FILE` turns YAML into it";
const STRUCT: &str = "Envoy hands over a `google.protobuf.Struct` in a form without text: write `configuration: { \"@type\": \
                      type.googleapis.com/google.protobuf.StringValue, value: '{…}' }`, with the policy's JSON as a string";

/// What to say of a text that is no JSON, if it is plain what it is.
pub(super) fn text(text: &[u8], reporter: &Reporter<'_>) -> Option<Diagnostic> {
    let (format, span) = recognise(text)?;
    let (what, help) = match format {
        Format::Json => return None,
        Format::SecLang => ("SecLang, not a policy in JSON", SECLANG),
        Format::Armr => ("ARMR, not a policy in JSON", ARMR),
        Format::Manifest => ("a manifest of Kubernetes in YAML, not a policy in JSON", MANIFEST),
        Format::Envoy => ("a configuration of Envoy in YAML, not a policy in JSON", MANIFEST),
        Format::PolicyYaml => ("a policy in YAML, not in JSON", YAML),
        Format::Yaml => ("YAML, not a policy in JSON", YAML),
        Format::Struct => ("a `google.protobuf.Struct`, not a policy in JSON", STRUCT),
    };
    Some(reporter.at(Code::E0101, span, format!("this is {what}")).help(help))
}

/// What to say of JSON that is something else than a policy, if it is plain what it is.
pub(super) fn json(root: &Value<'_>, reporter: &Reporter<'_>) -> Option<Diagnostic> {
    let Kind::Object(members) = &root.kind else { return None };
    let place = |name: &str| members.iter().find(|member| member.key == name).map(|member| member.key_span);
    let any = |names: &[&str]| -> Option<Span> { names.iter().find_map(|name| place(name)) };
    let (span, what, help) = if let Some(span) = place("@type") {
        let help = "give the policy alone: the text in its `value`";
        (span, "a message for Envoy's configuration", help)
    } else if let Some(span) = place("apiVersion").filter(|_| place("kind").is_some()) {
        (span, "a manifest of Kubernetes", MANIFEST)
    } else {
        (any(&["static_resources", "dynamic_resources"])?, "a configuration of Envoy", MANIFEST)
    };
    Some(reporter.at(Code::E0103, span, format!("this is {what}, not a policy")).help(help))
}
