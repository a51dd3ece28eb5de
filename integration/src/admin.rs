//! Envoy's administration interface.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};

use crate::client::{Http1, Request};

/// The administration interface of a running Envoy.
#[derive(Clone, Copy, Debug)]
pub struct Admin {
    address: SocketAddr,
}

impl Admin {
    /// The interface at this address.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// The body of a page.
    ///
    /// # Errors
    /// When it can't be had.
    pub async fn get(&self, target: &str) -> Result<String> {
        let mut client =
            Http1::connect(self.address).await.context("connecting to Envoy's admin interface")?;
        let reply = client.exchange(&Request::get(target).header("connection", "close")).await;
        ensure!(reply.status == Some(200), "admin {target}: status {:?}: {}", reply.status, reply.text());
        Ok(reply.text())
    }

    /// Whether Envoy takes traffic.
    pub async fn is_ready(&self) -> bool {
        self.get("/ready").await.is_ok()
    }

    /// Where a listener really listens.
    ///
    /// # Errors
    /// When there is no such listener.
    pub async fn listener(&self, name: &str) -> Result<SocketAddr> {
        let text = self.get("/listeners").await?;
        let mut lines = text.lines().filter_map(|line| line.split_once("::"));
        let (_, address) =
            lines.find(|(n, _)| *n == name).with_context(|| format!("no listener `{name}` in:\n{text}"))?;
        address.parse().with_context(|| format!("listener `{name}` is at `{address}`"))
    }

    /// All counters and gauges whose name contains `part`.
    ///
    /// # Errors
    /// When they can't be had.
    pub async fn stats(&self, part: &str) -> Result<BTreeMap<String, u64>> {
        let text = self.get("/stats").await?;
        let lines = text.lines().filter_map(|line| line.rsplit_once(": "));
        let numbers = lines.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)));
        Ok(numbers.filter(|(name, _)| name.contains(part)).collect())
    }

    /// One counter or gauge; one that was never touched is 0.
    ///
    /// # Errors
    /// When it can't be had.
    pub async fn stat(&self, name: &str) -> Result<u64> {
        Ok(self.stats(name).await?.get(name).copied().unwrap_or(0))
    }
}
