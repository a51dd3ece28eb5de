//! From JSON trees to forms. A form is declared once, by [`form!`]: the declaration is its type, its
//! reader and, with the feature `schema`, its JSON Schema, so that these cannot disagree.

use super::json::{Kind, Member, Value};
use super::report::{Reporter, Spanned};
use crate::diagnostic::{Code, Span, did_you_mean};

/// What can be read from a JSON value. Mistakes are reported; what can't be used is `None`.
pub(super) trait Form: Sized {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self>;
}

/// One of a few names.
pub(super) trait Choice: Copy + 'static {
    /// Name, value and meaning, in the order of the documentation.
    const CHOICES: &'static [(&'static str, Self, &'static str)];
}

/// Declares an object of the policy.
///
/// Each field is `required`, `optional`, has a `default`, or is a `list` that is empty when absent.
macro_rules! form {
    (
        $(#[doc = $doc:literal])*
        $name:ident {
            $(
                $(#[doc = $field_doc:literal])*
                $(#[expect($($expect:tt)*)])?
                $kind:ident $field:ident $(as $key:literal)?: $ty:ty $(= $default:expr)?,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub(super) struct $name {
            $(
                $(#[doc = $field_doc])*
                $(#[expect($($expect)*)])?
                pub(super) $field: form!(@type $kind $ty),
            )*
        }

        impl $crate::policy::read::Form for $name {
            fn read(
                value: &$crate::policy::json::Value<'_>,
                reporter: &mut $crate::policy::report::Reporter<'_>,
            ) -> Option<Self> {
                let object = $crate::policy::read::Object::new(
                    value,
                    &[$( form!(@key $field $($key)?) ),*],
                    reporter,
                )?;
                Some(Self {
                    $( $field: form!(@read $kind object reporter (form!(@key $field $($key)?)) $(= $default)?), )*
                })
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).trim_end_matches("Form").into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut object = $crate::policy::schema::ObjectSchema::new(&[$($doc),*]);
                $(
                    object.property(
                        form!(@key $field $($key)?),
                        &[$($field_doc),*],
                        form!(@schema $kind generator $ty),
                        form!(@json $kind $($default)?),
                        stringify!($kind) == "required",
                    );
                )*
                object.finish()
            }
        }
    };

    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };

    (@type list $ty:ty) => { Vec<$ty> };
    (@type default $ty:ty) => { $crate::policy::report::Spanned<$ty> };
    (@type $kind:ident $ty:ty) => { Option<$crate::policy::report::Spanned<$ty>> };

    (@read list $object:ident $reporter:ident ($key:expr)) => {
        $object.optional($key, $reporter).unwrap_or_default()
    };
    (@read default $object:ident $reporter:ident ($key:expr) = $default:expr) => {
        $object.optional($key, $reporter).unwrap_or_else(|| $object.absent($default))
    };
    (@read optional $object:ident $reporter:ident ($key:expr)) => { $object.optional($key, $reporter) };
    (@read required $object:ident $reporter:ident ($key:expr)) => { $object.required($key, $reporter) };

    (@schema list $generator:ident $ty:ty) => { $generator.subschema_for::<Vec<$ty>>() };
    (@schema $kind:ident $generator:ident $ty:ty) => { $generator.subschema_for::<$ty>() };

    (@json list) => { Some(serde_json::json!([])) };
    (@json default $default:expr) => { Some($crate::policy::schema::ToJson::to_json(&$default)) };
    (@json $kind:ident) => { None };
}

/// Declares the names of an enumeration.
macro_rules! choice {
    ($schema_name:literal, $ty:ty { $( $(#[doc = $doc:literal])+ $name:literal => $value:expr, )+ }) => {
        impl $crate::policy::read::Choice for $ty {
            const CHOICES: &'static [(&'static str, Self, &'static str)] =
                &[$( ($name, $value, concat!($($doc),+)), )+];
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $ty {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $schema_name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::policy::schema::choice::<Self>()
            }
        }
    };
}

pub(super) use {choice, form};

/// An object whose keys have been checked.
pub(super) struct Object<'v, 't> {
    members: &'v [Member<'t>],
    span: Span,
}

impl<'v, 't> Object<'v, 't> {
    /// Reports keys that are not among `fields`, and those that stand twice; the first of these counts.
    pub(super) fn new(value: &'v Value<'t>, fields: &[&str], reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Object(members) = &value.kind else {
            reporter.wrong_type(value, "an object");
            return None;
        };
        report_duplicates(members, reporter);
        for member in members {
            if !fields.contains(&member.key.as_ref()) {
                let mut diagnostic =
                    reporter.at(Code::E0103, member.key_span, format!("no field `{}` here", member.key));
                diagnostic.help = did_you_mean(&member.key, fields);
                reporter.push(diagnostic);
            }
        }
        Some(Self { members, span: value.span })
    }

    pub(super) fn optional<T: Form>(&self, key: &str, reporter: &mut Reporter<'_>) -> Option<T> {
        let member = self.members.iter().find(|member| member.key == key)?;
        T::read(&member.value, reporter)
    }

    pub(super) fn required<T: Form>(&self, key: &str, reporter: &mut Reporter<'_>) -> Option<T> {
        if !self.members.iter().any(|member| member.key == key) {
            let opening = Span { start: self.span.start, end: self.span.start + 1 };
            reporter.push(reporter.at(Code::E0104, opening, format!("the field `{key}` is missing")));
        }
        self.optional(key, reporter)
    }

    /// A default, in the place of the whole object.
    pub(super) fn absent<T>(&self, value: T) -> Spanned<T> {
        Spanned { value, span: self.span }
    }
}

fn report_duplicates(members: &[Member<'_>], reporter: &mut Reporter<'_>) {
    let mut seen = rustc_hash::FxHashMap::default();
    for member in members {
        let first = *seen.entry(member.key.as_ref()).or_insert(member.key_span);
        if first != member.key_span {
            let message = format!("the field `{}` stands here twice", member.key);
            let diagnostic = reporter.at(Code::E0106, member.key_span, message);
            reporter.push(reporter.also(diagnostic, first, "first here"));
        }
    }
}

impl<T: Form> Form for Spanned<T> {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        Some(Self { value: T::read(value, reporter)?, span: value.span })
    }
}

impl Form for bool {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match value.kind {
            Kind::Bool(value) => Some(value),
            _ => {
                reporter.wrong_type(value, "a boolean");
                None
            }
        }
    }
}

impl Form for String {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match &value.kind {
            Kind::String(text) => Some(text.clone().into_owned()),
            _ => {
                reporter.wrong_type(value, "a string");
                None
            }
        }
    }
}

impl<T: Form> Form for Vec<T> {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match &value.kind {
            Kind::Array(items) => Some(items.iter().filter_map(|item| T::read(item, reporter)).collect()),
            _ => {
                reporter.wrong_type(value, "an array");
                None
            }
        }
    }
}

/// An array, or its only item without brackets.
#[derive(Debug)]
pub(super) struct OneOrMany<T>(pub(super) Vec<T>);

impl<T: Form> Form for OneOrMany<T> {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        match &value.kind {
            Kind::Array(_) => Vec::read(value, reporter).map(Self),
            _ => T::read(value, reporter).map(|item| Self(vec![item])),
        }
    }
}

/// An object with keys of the writer's choice, in order.
#[derive(Debug)]
pub(super) struct Named<T>(pub(super) Vec<(Spanned<String>, T)>);

impl<T: Form> Form for Named<T> {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::Object(members) = &value.kind else {
            reporter.wrong_type(value, "an object");
            return None;
        };
        report_duplicates(members, reporter);
        let read = |member: &Member<'_>| {
            let name = Spanned { value: member.key.clone().into_owned(), span: member.key_span };
            Some((name, T::read(&member.value, reporter)?))
        };
        Some(Self(members.iter().filter_map(read).collect()))
    }
}

impl<T: Choice> Form for T {
    fn read(value: &Value<'_>, reporter: &mut Reporter<'_>) -> Option<Self> {
        let Kind::String(text) = &value.kind else {
            reporter.wrong_type(value, "a string");
            return None;
        };
        let found = T::CHOICES.iter().find(|(name, ..)| name == text);
        if found.is_none() {
            let names: Vec<&str> = T::CHOICES.iter().map(|(name, ..)| *name).collect();
            let mut diagnostic =
                reporter.at(Code::E0105, value.span, format!("`{text}` is not a choice here"));
            diagnostic.help = did_you_mean(text, &names);
            reporter.push(diagnostic);
        }
        found.map(|(_, value, _)| *value)
    }
}
