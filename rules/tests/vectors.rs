//! Runs the SecLang test vectors, one named test each; see `support/vectors.rs` for their form.
//!
//! They are read from `$PORTCULLIS_SHARED/vectors`, or `../shared/vectors` from the project's root; the
//! variable's path may be relative to the root as well. Another folder may hold other vectors.

#[cfg(not(target_arch = "wasm32"))]
#[path = "support/vectors.rs"]
mod vectors;

#[cfg(not(target_arch = "wasm32"))]
mod native {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use libtest_mimic::{Arguments, Trial};

    use super::vectors::{self, Files, Vector};

    struct Folder(PathBuf);

    impl Files for Folder {
        fn list(&self, folder: &str) -> Result<Vec<String>, String> {
            let path = self.0.join(folder);
            let entries = path
                .read_dir()
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            Ok(entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
        }

        fn read(&self, path: &str) -> Result<Vec<u8>, String> {
            let path = self.0.join(path);
            std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
        }
    }

    #[expect(clippy::print_stderr, reason = "what was run is to be seen")]
    pub(super) fn run() {
        let arguments = Arguments::from_args();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let chosen = std::env::var_os("PORTCULLIS_SHARED");
        let folder = root.join(chosen.as_deref().unwrap_or("../shared".as_ref())).join("vectors");
        let mut trials = vec![trial("support/decoding".to_owned(), vectors::check_decoding)];
        if chosen.is_none() && !folder.is_dir() {
            eprintln!("NO VECTORS RUN: there is no {}; set PORTCULLIS_SHARED", folder.display());
            trials.push(
                trial("NO_VECTORS_RUN_without_the_shared_folder".to_owned(), || {
                    Err("there is no shared folder; set PORTCULLIS_SHARED".to_owned())
                })
                .with_ignored_flag(true),
            );
        } else {
            let files = Arc::new(Folder(folder));
            match vectors::load(&*files) {
                Ok(all) => {
                    eprintln!("{}: {}", files.0.display(), vectors::counts(&all));
                    if chosen.is_none() {
                        let stale = vectors::check_deviations(&all);
                        trials.push(trial("support/deviations".to_owned(), move || stale));
                    }
                    trials.extend(all.into_iter().map(|vector| vector_trial(vector, files.clone())));
                }
                Err(error) => trials.push(trial("support/load".to_owned(), move || Err(error))),
            }
        }
        libtest_mimic::run(&arguments, trials).exit();
    }

    fn vector_trial(vector: Vector, files: Arc<Folder>) -> Trial {
        trial(vector.id(), move || vector.run(&*files))
    }

    fn trial(name: String, check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Trial {
        Trial::test(name, || check().map_err(Into::into))
    }
}

fn main() {
    #[cfg(not(target_arch = "wasm32"))]
    native::run();
}
