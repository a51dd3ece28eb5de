//! The JSON Schema of policies, from the same declarations as the reader.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use super::forms::{ItemForm, MarkerForm, PolicyForm, RawForm, RuleForm, SecLangFile, SecLangForm};
use super::network::{
    ApiForm, ArmrFile, ArmrForm, NetworkRuleForm, NetworkRules, NetworkSeverity, PortNumber, Whole,
};
use super::read::{Choice, Named, OneOrMany};
use super::report::Spanned;
use super::values::{ByteLimit, Count, PhaseName, RuleId, SeverityName, StatusCode, Switch, Text};
use crate::limits;
use crate::model::Severity;

/// The JSON Schema (draft 2020-12) of policies. What it allows may still be refused by
/// [`load`](super::load), which also looks into texts and across rules. The keyword `x-unit` names the unit of
/// a number; validators pass it over.
#[must_use]
pub fn schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<PolicyForm>();
    schema.insert("title".to_owned(), "Portcullis policy".into());
    schema.to_value()
}

/// An object's schema in the making.
pub(super) struct ObjectSchema {
    description: String,
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl ObjectSchema {
    pub(super) fn new(doc: &[&str]) -> Self {
        Self { description: prose(doc), properties: Map::new(), required: Vec::new() }
    }

    pub(super) fn property(
        &mut self,
        key: &'static str,
        doc: &[&str],
        mut schema: Schema,
        default: Option<Value>,
        required: bool,
    ) {
        schema.insert("description".to_owned(), prose(doc).into());
        if let Some(default) = default {
            schema.insert("default".to_owned(), default);
        }
        if required {
            self.required.push(key);
        }
        self.properties.insert(key.to_owned(), schema.to_value());
    }

    pub(super) fn finish(self) -> Schema {
        let mut schema = json_schema!({
            "description": self.description,
            "type": "object",
            "properties": self.properties,
            "additionalProperties": false,
        });
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), json!(self.required));
        }
        schema
    }
}

/// The lines of a doc comment as one text.
fn prose(doc: &[&str]) -> String {
    doc.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Names with their meanings.
pub(super) fn choice<T: Choice>() -> Schema {
    let names = T::CHOICES.iter().map(|(name, _, doc)| json!({"const": name, "description": doc.trim()}));
    json_schema!({ "type": "string", "oneOf": names.collect::<Vec<_>>() })
}

/// A default as it is written in a policy.
pub(super) trait ToJson {
    fn to_json(&self) -> Value;
}

impl<T: Choice + PartialEq> ToJson for T {
    fn to_json(&self) -> Value {
        T::CHOICES.iter().find(|(_, value, _)| value == self).map_or(Value::Null, |(name, ..)| (*name).into())
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Value {
        (*self).into()
    }
}

impl ToJson for ByteLimit {
    fn to_json(&self) -> Value {
        self.0.into()
    }
}

impl ToJson for Count {
    fn to_json(&self) -> Value {
        self.0.into()
    }
}

impl ToJson for Switch {
    fn to_json(&self) -> Value {
        self.0.map_or_else(|| "".into(), Value::Bool)
    }
}

impl ToJson for Whole {
    fn to_json(&self) -> Value {
        self.0.into()
    }
}

impl ToJson for NetworkRules {
    fn to_json(&self) -> Value {
        json!([])
    }
}

impl ToJson for PhaseName {
    fn to_json(&self) -> Value {
        self.0.number().into()
    }
}

/// Types whose schema stands where they are used.
macro_rules! inline {
    ($( $ty:ty = $schema:tt, )+) => { $(
        impl JsonSchema for $ty {
            fn schema_name() -> Cow<'static, str> {
                stringify!($ty).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )+ };
}

inline! {
    ByteLimit = {
        "type": "integer", "minimum": 0, "maximum": (limits::BODY_LIMIT_BYTES), "x-unit": "bytes",
    },
    Count = { "type": "integer", "minimum": 0, "maximum": (u32::MAX), "x-unit": "rules" },
    RuleId = {
        "anyOf": [
            { "type": "integer", "minimum": 1, "maximum": (u64::MAX) },
            { "type": "string", "pattern": "^[0-9]+$" },
        ]
    },
    StatusCode = { "type": "integer", "minimum": 100, "maximum": 599 },
    PhaseName = {
        "enum": [1, 2, 3, 4, 5, "1", "2", "3", "4", "5", "request", "response", "logging"]
    },
    Switch = { "enum": [true, false, ""] },
    SeverityName = {
        "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": 7 },
            { "enum": (severities()) },
        ]
    },
    Text = { "type": ["string", "integer"] },
    PortNumber = { "type": "integer", "minimum": 0, "maximum": 65535 },
    Whole = { "type": "integer", "minimum": 0, "maximum": (u32::MAX) },
    NetworkSeverity = { "enum": ["low", "medium", "high", "critical", "unknown"] },
    ApiForm = {
        "anyOf": [
            { "enum": ["none", "any"] },
            { "type": "array", "items": { "type": "string" }, "minItems": 1 },
        ]
    },
}

/// The severities that can be written as strings.
fn severities() -> Vec<String> {
    let names = (0..8).filter_map(|n| Some(Severity::new(n)?.name().to_owned()));
    names.chain((0..8).map(|n: u8| n.to_string())).collect()
}

/// Types that are the schema of another one.
impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let item = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [item.clone(), { "type": "array", "items": item }] })
    }
}

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named{}", T::schema_name()).into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": generator.subschema_for::<T>() })
    }
}

impl JsonSchema for ItemForm {
    fn schema_name() -> Cow<'static, str> {
        "Item".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A rule, a marker for `skip_after`, or raw SecLang.",
            "anyOf": [
                generator.subschema_for::<RuleForm>(),
                generator.subschema_for::<MarkerForm>(),
                generator.subschema_for::<RawForm>(),
            ],
        })
    }
}

impl JsonSchema for SecLangForm {
    fn schema_name() -> Cow<'static, str> {
        "SecLang".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "SecLang as text, or with a name for reports.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<SecLangFile>()],
        })
    }
}

impl JsonSchema for NetworkRules {
    fn schema_name() -> Cow<'static, str> {
        "NetworkRules".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Vec<NetworkRuleForm>>()
    }
}

impl JsonSchema for ArmrForm {
    fn schema_name() -> Cow<'static, str> {
        "Armr".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "ARMR as text, or with a name for reports.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<ArmrFile>()],
        })
    }
}
