//! The modules that ship, without and with Lua: built, checked, weighed.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::{imports, module};

/// Most bytes of the module. Envoy compiles it once per worker thread when it loads a configuration.
const SIZE_BUDGET: usize = 3_750_000;

/// The same for the module that has Lua in it.
const LUA_SIZE_BUDGET: usize = SIZE_BUDGET + 1_280 * 1024;

/// `cargo xtask dist`.
pub(crate) fn dist() -> Result<ExitCode> {
    let module = module::build()?;
    check(&module)?;
    let with_lua = module::build_with_lua()?;
    check_with_lua(&with_lua)?;
    println!("{}\n{}", module.display(), with_lua.display());
    Ok(ExitCode::SUCCESS)
}

/// Checks a module's imports and size.
pub(crate) fn check(module: &Path) -> Result<()> {
    weigh(module, SIZE_BUDGET)
}

/// The same for the module that has Lua in it.
pub(crate) fn check_with_lua(module: &Path) -> Result<()> {
    weigh(module, LUA_SIZE_BUDGET)
}

fn weigh(module: &Path, budget: usize) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("reading {}", module.display()))?;
    let (refused, count) = imports::refused(&bytes)?;
    ensure!(refused.is_empty(), "the module imports what a filter may not: {}", refused.join(", "));
    let percent = bytes.len() * 100 / budget;
    println!("{count} imports, all allowed; {} KB, {percent} % of its budget", bytes.len() / 1024);
    ensure!(bytes.len() <= budget, "the module has {} bytes; its budget is {budget}", bytes.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_over_its_budget_is_refused() {
        let file = std::env::temp_dir().join(format!("portcullis-xtask-{}.wasm", std::process::id()));
        // A custom section without a name, as long as its four-byte length says.
        let of_size = |size: usize| {
            let content = size - 8 - 1 - 4;
            let mut bytes = b"\0asm\x01\0\0\0\0".to_vec();
            let leb = |shift: u32, more: u8| u8::try_from((content >> shift) & 0x7f).unwrap() | more;
            bytes.extend([leb(0, 0x80), leb(7, 0x80), leb(14, 0x80), leb(21, 0)]);
            bytes.resize(size, 0);
            bytes
        };
        fs::write(&file, of_size(SIZE_BUDGET)).unwrap();
        check(&file).unwrap();
        fs::write(&file, of_size(SIZE_BUDGET + 1)).unwrap();
        assert!(check(&file).unwrap_err().to_string().contains("budget"));
        fs::remove_file(file).unwrap();
    }
}
