//! The reference of policies in Markdown: fields from the JSON Schema, names from the engine.

use portcullis_rules::model::Variable;
use portcullis_rules::operators::OperatorName;
use portcullis_rules::transforms::Transformation;
use serde_json::{Map, Value};

/// The fields of all objects: the policy first, then the others in the order in which fields name them. Then
/// what can stand in a match.
pub(crate) fn markdown(schema: &Value) -> String {
    let reference = Reference { definitions: schema.get("$defs").and_then(Value::as_object) };
    let mut out = String::new();
    let mut objects: Vec<(&str, &Value)> = vec![("Policy", schema)];
    let mut next = 0;
    while let Some(&(name, object)) = objects.get(next) {
        reference.object(name, object, &mut out);
        for (name, object) in reference.mentions(object) {
            if !objects.iter().any(|(known, _)| *known == name) {
                objects.push((name, object));
            }
        }
        next += 1;
    }
    let operators = OperatorName::ALL.iter().map(|operator| {
        let names: Vec<String> =
            [operator.name()].iter().chain(operator.aliases()).map(|name| format!("`{name}`")).collect();
        names.join(" = ")
    });
    let transformations = Transformation::ALL.iter().map(|one| format!("`{}`", one.name()));
    let variables = Variable::ALL.iter().map(|variable| format!("`{}`", variable.name()));
    let about = "Their meanings are SecLang's. Where a name follows `=`, both mean the same.";
    names("Operators", about, operators.collect(), &mut out);
    let about = "Their meanings are SecLang's. `none` takes away what stands before it.";
    names("Transformations", about, transformations.collect(), &mut out);
    let about = "Their meanings are SecLang's. Collections can be narrowed, as in `ARGS:q` or `ARGS:/^q/`.";
    names("Variables", about, variables.collect(), &mut out);
    out
}

/// A list of names, in alphabetical order.
fn names(title: &str, about: &str, mut names: Vec<String>, out: &mut String) {
    names.sort_by_key(|name| name.replace('`', "").to_lowercase());
    out.push_str(&format!("\n### {title}\n\n{about}\n\n{}\n", names.join(", ")));
}

struct Reference<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

impl<'a> Reference<'a> {
    /// A definition with its name, when the schema only refers to it.
    fn referred(&self, schema: &Value) -> Option<(&'a str, &'a Value)> {
        let name = text(schema, "$ref")?.strip_prefix("#/$defs/")?;
        let (name, definition) = self.definitions?.get_key_value(name)?;
        Some((name, definition))
    }

    /// The objects that a schema mentions anywhere, in order.
    fn mentions(&self, schema: &Value) -> Vec<(&'a str, &'a Value)> {
        match schema {
            Value::Object(members) => match self.referred(schema) {
                Some(object) if object.1.get("properties").is_some() => vec![object],
                Some((_, definition)) => self.mentions(definition),
                None => members.values().flat_map(|member| self.mentions(member)).collect(),
            },
            Value::Array(items) => items.iter().flat_map(|item| self.mentions(item)).collect(),
            _ => Vec::new(),
        }
    }

    fn object(&self, name: &str, object: &Value, out: &mut String) {
        out.push_str(&format!("\n### {name}\n\n{}\n\n", text(object, "description").unwrap_or_default()));
        out.push_str("| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
        let required: Vec<&str> = array(object, "required").iter().filter_map(Value::as_str).collect();
        for (field, schema) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let default = match schema.get("default") {
                Some(default) => format!("`{default}`"),
                None if required.contains(&field.as_str()) => "required".to_owned(),
                None => String::new(),
            };
            let cells = [format!("`{field}`"), self.kind(schema), default, self.meaning(schema)];
            // A bar ends a cell, even within a code span.
            let cells = cells.map(|cell| cell.replace('|', "\\|"));
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }

    /// The description, and what each of a few names means.
    fn meaning(&self, schema: &Value) -> String {
        let mut meaning = text(schema, "description").unwrap_or_default().to_owned();
        for name in self.names(schema) {
            let description = text(name, "description").unwrap_or_default();
            meaning.push_str(&format!("<br>{}: {description}", literal(name)));
        }
        meaning
    }

    /// The names that a schema of a few names allows.
    fn names(&self, schema: &Value) -> &'a [Value] {
        self.referred(schema).map_or(&[], |(_, definition)| array(definition, "oneOf"))
    }

    /// The type, in words.
    fn kind(&self, schema: &Value) -> String {
        let names = self.names(schema);
        if !names.is_empty() {
            return alternatives(names.iter().map(literal));
        }
        if let Some((name, definition)) = self.referred(schema) {
            return match definition.get("properties") {
                Some(_) => format!("[{name}](#{})", name.to_lowercase()),
                None => self.kind(definition),
            };
        }
        let any = array(schema, "anyOf");
        if let [one, several] = any
            && several.get("items") == Some(one)
        {
            return format!("{}, or an array of these", self.kind(one));
        }
        if !any.is_empty() {
            return alternatives(any.iter().map(|one| self.kind(one)));
        }
        let values = array(schema, "enum");
        if !values.is_empty() {
            // A number may be written as a string wherever both are allowed; the number is enough here.
            let digits = |value: &Value| value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
            return alternatives(
                values.iter().filter(|value| !digits(value)).map(|value| format!("`{value}`")),
            );
        }
        match schema.get("type") {
            Some(Value::Array(types)) => {
                alternatives(types.iter().filter_map(Value::as_str).map(str::to_owned))
            }
            Some(Value::String(kind)) => match kind.as_str() {
                "integer" => integer(schema),
                "string" if schema.get("pattern").is_some() => "string of digits".to_owned(),
                "array" => {
                    let item = schema.get("items").map_or_else(String::new, |item| self.kind(item));
                    if item.contains(" or ") {
                        format!("array of ({item})")
                    } else {
                        format!("array of {item}")
                    }
                }
                "object" => match schema.get("additionalProperties") {
                    Some(value) => format!("object: name to {}", self.kind(value)),
                    None => "object".to_owned(),
                },
                other => other.to_owned(),
            },
            _ => String::new(),
        }
    }
}

/// An integer with its range and unit.
fn integer(schema: &Value) -> String {
    let least = schema.get("minimum").and_then(Value::as_u64);
    let most = schema.get("maximum").and_then(Value::as_u64);
    let range = match (least, most) {
        (Some(least), Some(most)) if most < u64::from(u32::MAX) => format!(", {least} to {most}"),
        (Some(least), _) => format!(", from {least}"),
        _ => String::new(),
    };
    match text(schema, "x-unit") {
        Some(unit) => format!("integer{range} ({unit})"),
        None => format!("integer{range}"),
    }
}

/// A constant as it is written in a policy.
fn literal(schema: &Value) -> String {
    schema.get("const").map_or_else(String::new, |value| format!("`{value}`"))
}

/// `a`, `a or b`, `a, b or c`.
fn alternatives(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} or {last}", items.join(", ")),
        None => String::new(),
    }
}

fn text<'v>(schema: &'v Value, key: &str) -> Option<&'v str> {
    schema.get(key)?.as_str()
}

fn array<'v>(schema: &'v Value, key: &str) -> &'v [Value] {
    schema.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
