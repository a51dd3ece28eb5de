//! A real Envoy as a child process.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::time::sleep;

use crate::admin::Admin;

/// How long Envoy may take until it is ready. Loading the module on a busy machine takes seconds.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// How Envoy is started.
#[derive(Clone, Debug)]
pub struct EnvoyOptions {
    /// Envoy's binary.
    pub binary: PathBuf,
    /// Worker threads.
    pub concurrency: u32,
    /// An existing folder for configuration and log.
    pub directory: PathBuf,
}

/// Envoy did not start.
#[derive(Debug)]
pub enum StartError {
    /// It could not be run.
    Io(io::Error),
    /// It ended by itself.
    Exited {
        /// How.
        status: ExitStatus,
        /// What it logged.
        log: String,
    },
    /// It was not ready in time.
    NotReady {
        /// What it logged.
        log: String,
    },
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "Envoy can't be run: {error}"),
            Self::Exited { status, log } => write!(f, "Envoy ended at its start ({status}):\n{log}"),
            Self::NotReady { log } => write!(f, "Envoy was not ready after {START_PATIENCE:?}:\n{log}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A running Envoy. It is killed when this is dropped, and when this process dies.
#[derive(Debug)]
pub struct Envoy {
    child: Child,
    guard: Child,
    admin: Admin,
    listener: SocketAddr,
    log: PathBuf,
}

impl Drop for Envoy {
    fn drop(&mut self) {
        // The guard goes first, so that it can't hit a process that took over Envoy's number.
        for process in [&mut self.guard, &mut self.child] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Envoy {
    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Starts Envoy and waits until it takes traffic.
    ///
    /// # Errors
    /// When it can't be run, refuses its configuration or isn't ready in time.
    pub async fn start(options: &EnvoyOptions, configuration: &Value) -> Result<Self, StartError> {
        Self::start_logging(options, configuration, "info").await
    }

    /// The same with another log level for what concerns Wasm: `trace` says when each call of the module begins
    /// and ends.
    ///
    /// # Errors
    /// As [`Envoy::start`].
    pub async fn start_logging(
        options: &EnvoyOptions,
        configuration: &Value,
        wasm_level: &str,
    ) -> Result<Self, StartError> {
        let log = options.directory.join("envoy.log");
        let admin_file = options.directory.join("admin-address");
        let config_file = write_configuration(&options.directory, configuration)?;
        let out = File::create(&log)?;
        let mut child = Command::new(&options.binary)
            .arg("--config-path")
            .arg(&config_file)
            .arg("--admin-address-path")
            .arg(&admin_file)
            .args(["--concurrency", &options.concurrency.to_string()])
            // No shared memory: any number of Envoys can run side by side.
            .arg("--disable-hot-restart")
            .args(["--log-level", "warning", "--component-log-level", &format!("wasm:{wasm_level}")])
            .args(["--file-flush-interval-msec", "20"])
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()?;
        let guard = match guard(child.id()) {
            Ok(guard) => guard,
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(error.into());
            }
        };
        // From here on dropping it cleans up, whatever happens.
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut envoy = Self { child, guard, admin: Admin::new(unknown), listener: unknown, log };
        envoy.wait_until_ready(&admin_file).await?;
        Ok(envoy)
    }

    async fn wait_until_ready(&mut self, admin_file: &Path) -> Result<(), StartError> {
        let started = Instant::now();
        while started.elapsed() < START_PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return Err(StartError::Exited { status, log: self.log() });
            }
            let address = fs::read_to_string(admin_file).ok().and_then(|text| text.trim().parse().ok());
            if let Some(address) = address {
                self.admin = Admin::new(address);
                if self.admin.is_ready().await
                    && let Ok(listener) = self.admin.listener("ingress").await
                {
                    self.listener = listener;
                    return Ok(());
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err(StartError::NotReady { log: self.log() })
    }

    /// Asks Envoy whether it would take a configuration.
    ///
    /// # Errors
    /// When it can't be run, or with its log when it would not.
    pub fn validate(options: &EnvoyOptions, configuration: &Value) -> Result<(), StartError> {
        let config_file = write_configuration(&options.directory, configuration)?;
        let output = Command::new(&options.binary)
            .args(["--mode", "validate", "--disable-hot-restart", "--concurrency"])
            .arg(options.concurrency.to_string())
            .arg("--config-path")
            .arg(&config_file)
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(StartError::Exited { status: output.status, log })
    }

    /// Where clients connect.
    #[must_use]
    pub const fn listener(&self) -> SocketAddr {
        self.listener
    }

    /// Its administration interface.
    #[must_use]
    pub const fn admin(&self) -> Admin {
        self.admin
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|log| String::from_utf8_lossy(&log).into_owned()).unwrap_or_default()
    }
}

fn write_configuration(directory: &Path, configuration: &Value) -> io::Result<PathBuf> {
    let file = directory.join("envoy.json");
    fs::write(&file, format!("{configuration:#}\n"))?;
    Ok(file)
}

/// A shell that kills process `id` as soon as this process is gone, even when it was killed: then the
/// pipe from here to the shell breaks.
fn guard(id: u32) -> io::Result<Child> {
    Command::new("sh")
        .args(["-c", "read -r _; kill -9 \"$1\"", "guard", &id.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_kills_once_its_pipe_breaks() {
        let mut process = Command::new("sleep").arg("60").spawn().unwrap();
        let mut guard = guard(process.id()).unwrap();
        assert!(process.try_wait().unwrap().is_none());
        drop(guard.stdin.take());
        assert!(!process.wait().unwrap().success());
        guard.wait().unwrap();
    }
}
