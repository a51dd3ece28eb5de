//! Templates compiled: macros are places, not names.

use super::constants::Constant;
use super::slots::{Slots, StoreKey};
use crate::model::{Part, Store, Template, Variable};

/// Text with macros, ready for expansion.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) parts: Box<[TextPart]>,
    /// The whole of it, if it has no macros and is used as a value.
    pub(crate) constant: Option<Constant>,
}

#[derive(Clone, Debug)]
pub(crate) enum TextPart {
    Literal(Box<[u8]>),
    /// A key of a store.
    Stored(Store, StoreKey),
    /// The first element of a variable, or the first with this key.
    Variable(Variable, Option<Box<[u8]>>),
}

impl Text {
    pub(crate) fn new(template: &Template, slots: &mut Slots) -> Self {
        let parts = template.parts().iter().map(|part| match part {
            Part::Literal(text) => TextPart::Literal(text.as_slice().into()),
            Part::Macro { variable, key } => match (store_of(*variable), key) {
                (Some(store), Some(key)) => TextPart::Stored(store, slots.intern(store, key)),
                (store, _) => {
                    slots.note(*variable);
                    store.into_iter().for_each(|store| slots.note_whole(store));
                    TextPart::Variable(*variable, key.as_deref().map(Into::into))
                }
            },
        });
        Self { parts: parts.collect(), constant: None }
    }

    /// As [`Text::new`], for what becomes a value.
    pub(crate) fn value(template: &Template, slots: &mut Slots) -> Self {
        let constant = template.as_literal().map(|text| slots.constant(text));
        Self { constant, ..Self::new(template, slots) }
    }
}

/// The store behind a variable that rules can write to.
pub(crate) fn store_of(variable: Variable) -> Option<Store> {
    Some(match variable {
        Variable::Client => Store::Client,
        Variable::Tx => Store::Tx,
        Variable::Global => Store::Global,
        Variable::Ip => Store::Ip,
        Variable::Resource => Store::Resource,
        Variable::Session => Store::Session,
        Variable::User => Store::User,
        _ => return None,
    })
}

/// The variable that a store is behind.
pub(crate) const fn variable_of(store: Store) -> Variable {
    match store {
        Store::Client => Variable::Client,
        Store::Tx => Variable::Tx,
        Store::Global => Variable::Global,
        Store::Ip => Variable::Ip,
        Store::Resource => Variable::Resource,
        Store::Session => Variable::Session,
        Store::User => Variable::User,
    }
}
