//! The SecLang test vectors on `wasm32-unknown-unknown`, under Node: the same files and checks as in
//! `vectors.rs`, read through Node's `fs`. Without the folder the tests fail, because there is no
//! skipping a test at run time here.
#![cfg(target_arch = "wasm32")]

#[path = "support/engine.rs"]
mod engine;
#[path = "support/vectors.rs"]
mod vectors;

use vectors::{Files, Vector};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

#[wasm_bindgen(module = "fs")]
extern "C" {
    #[wasm_bindgen(js_name = readdirSync, catch)]
    fn read_folder(path: &str) -> Result<Vec<String>, JsValue>;

    #[wasm_bindgen(js_name = readFileSync, catch)]
    fn read_file(path: &str) -> Result<Vec<u8>, JsValue>;
}

#[wasm_bindgen(module = "path")]
extern "C" {
    #[wasm_bindgen(js_name = resolve)]
    fn resolve_path(root: &str, path: &str, name: &str) -> String;
}

#[wasm_bindgen]
extern "C" {
    /// What the variable holds, or `undefined`.
    #[wasm_bindgen(thread_local_v2, js_namespace = ["process", "env"], js_name = PORTCULLIS_SHARED)]
    static SHARED: JsValue;
}

struct Folder(String);

impl Files for Folder {
    fn list(&self, folder: &str) -> Result<Vec<String>, String> {
        let path = format!("{}/{folder}", self.0);
        read_folder(&path).map_err(|error| format!("{path}: {error:?}"))
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let path = format!("{}/{path}", self.0);
        read_file(&path).map_err(|error| format!("{path}: {error:?}"))
    }
}

#[wasm_bindgen_test]
fn operators() {
    run("operators/");
}

#[wasm_bindgen_test]
fn transformations() {
    run("transformations/");
}

#[wasm_bindgen_test]
fn decoding() {
    assert_eq!(engine::check_decoding(), Ok(()));
}

#[wasm_bindgen_test]
fn deviations() {
    if chosen().is_none() {
        let (_, all) = load();
        assert_eq!(vectors::check_deviations(&all), Ok(()));
    }
}

/// Runs the vectors of a folder, and fails with all that did not pass.
#[track_caller]
fn run(folder: &str) {
    let (files, all) = load();
    console_log!("{}: {}", files.0, vectors::counts(&all));
    let chosen: Vec<&Vector> = all.iter().filter(|vector| vector.id().starts_with(folder)).collect();
    let failures: Vec<String> = chosen
        .iter()
        .filter_map(|vector| {
            engine::run(vector, &files).err().map(|error| format!("{}: {error}", vector.id()))
        })
        .collect();
    console_log!("{folder}: {} run, {} failed", chosen.len(), failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[track_caller]
#[expect(clippy::panic, reason = "a test without its vectors fails")]
fn load() -> (Folder, Vec<Vector>) {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let shared = chosen().unwrap_or_else(|| "../shared".to_owned());
    let files = Folder(resolve_path(root, &shared, "vectors"));
    match vectors::load(&files) {
        Ok(all) => (files, all),
        Err(error) => panic!("can't read the vectors: {error}"),
    }
}

/// The folder that was asked for.
fn chosen() -> Option<String> {
    SHARED.with(JsValue::as_string)
}
