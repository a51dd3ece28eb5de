//! Schemas of the risk part's own types.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::forms::MatchForm;
use super::risk_forms::{ConditionForm, CriterionForm};
use super::risk_values::*;
use super::schema::ToJson;
use crate::risk::{Classification, KillChain};

macro_rules! numbers {
    ($( $name:ident ),+) => { $(
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "integer",
                    "minimum": ($name::LEAST),
                    "maximum": ($name::MOST),
                    "x-unit": ($name::UNIT),
                })
            }
        }

        impl ToJson for $name {
            fn to_json(&self) -> Value {
                self.0.into()
            }
        }
    )+ };
}

with_numbers! { numbers }

impl JsonSchema for Factor {
    fn schema_name() -> Cow<'static, str> {
        "Factor".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 10 })
    }
}

impl ToJson for Factor {
    fn to_json(&self) -> Value {
        // As it is written, not as its nearest f64.
        self.0.to_string().parse::<f64>().unwrap_or_default().into()
    }
}

impl JsonSchema for ClassificationName {
    fn schema_name() -> Cow<'static, str> {
        "Classification".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Classification::ALL
            .iter()
            .map(|one| json!({ "const": one.name(), "description": one.meaning().trim() }));
        json_schema!({ "type": "string", "oneOf": names.collect::<Vec<_>>() })
    }
}

impl JsonSchema for StateName {
    fn schema_name() -> Cow<'static, str> {
        "State".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut names: Vec<Value> = Vec::new();
        for one in KillChain::ALL {
            names.push(json!({ "const": one.name(), "description": one.meaning().trim() }));
            if one.spaced() != one.name() {
                names.push(json!({ "const": one.spaced(), "description": one.meaning().trim() }));
            }
        }
        names.push(json!({ "const": "Recon", "description": "Short for Reconnaissance." }));
        names.push(json!({ "const": "BruteForce", "description": "Short for BruteForceAttack." }));
        json_schema!({ "type": "string", "oneOf": names })
    }
}

impl JsonSchema for ConditionForm {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A condition of a risk rule: a group of conditions, a criterion, or variables and an operator of the engine.",
            "anyOf": [
                generator.subschema_for::<Group>(),
                generator.subschema_for::<CriterionForm>(),
                generator.subschema_for::<MatchForm>(),
            ],
        })
    }
}

/// What the groups among conditions look like.
struct Group;

impl JsonSchema for Group {
    fn schema_name() -> Cow<'static, str> {
        "Group".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let condition = generator.subschema_for::<ConditionForm>();
        let parts = |description: &str| json!({ "description": description, "type": "array", "items": condition, "minItems": 1 });
        json_schema!({
            "description": "A group of conditions. It has exactly one of the fields.",
            "type": "object",
            "properties": {
                "and": parts("All of these are true."),
                "or": parts("Any of these is true."),
                "not": parts("None of these is true."),
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}
