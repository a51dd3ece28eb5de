//! Runs the SecLang test vectors, one named test each; see `support/vectors.rs` for their form and
//! `support/folder.rs` for where they are.

#[cfg(not(target_arch = "wasm32"))]
#[path = "support/engine.rs"]
mod engine;
#[cfg(not(target_arch = "wasm32"))]
#[path = "support/folder.rs"]
mod folder;
#[cfg(not(target_arch = "wasm32"))]
#[path = "support/vectors.rs"]
mod vectors;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::sync::Arc;

    use libtest_mimic::{Arguments, Trial};

    use super::folder::{self, Given};
    use super::{engine, vectors};

    pub(super) fn run() {
        let arguments = Arguments::from_args();
        let mut trials = vec![trial("support/decoding".to_owned(), engine::check_decoding)];
        match folder::load() {
            Ok(Given { folder, vectors, chosen }) => {
                if !chosen {
                    let stale = vectors::check_deviations(&vectors);
                    trials.push(trial("support/deviations".to_owned(), move || stale));
                }
                let folder = Arc::new(folder);
                trials.extend(vectors.into_iter().map(|vector| {
                    let folder = folder.clone();
                    trial(vector.id(), move || engine::run(&vector, &*folder))
                }));
            }
            Err(stand_in) => trials.push(stand_in),
        }
        libtest_mimic::run(&arguments, trials).exit();
    }

    fn trial(name: String, check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
        Trial::test(name, || check().map_err(Into::into))
    }
}

fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    native::run();
}
