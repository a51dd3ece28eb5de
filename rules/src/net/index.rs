//! Finds the rule for an address and a port without looking at every rule.
//!
//! Per family the networks of all rules are sorted by first address and length. Networks either nest or
//! are apart, so each has at most one smallest network around it, its parent. The smallest network that
//! holds an address is the last one that begins at or before the address, or one of that one's parents;
//! the others that hold it are the parents after that. Finding them takes a binary search and at most one
//! step per prefix length. The ports of the rules at one address are cut into pieces, each with the rule
//! that wins there; finding a piece is a binary search.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;

use super::{Action, Address, Network, Ports};

/// No parent.
const NONE: u32 = u32::MAX;

/// What decides between rules at the same address; the least wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// Number of ports: fewer are more specific.
    width: u32,
    action: Reverse<Action>,
    /// Place of the binding in the policy.
    order: u32,
}

impl Rank {
    pub(super) fn new(ports: Ports, action: Action, order: u32) -> Self {
        Self { width: ports.width(), action: Reverse(action), order }
    }
}

/// A binding to be indexed.
#[derive(Clone, Copy, Debug)]
struct Entry {
    ports: Ports,
    rank: Rank,
}

/// The ports from `start` to the next piece belong to this binding, or to none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    start: u16,
    winner: Option<Rank>,
}

/// The pieces of one address.
#[derive(Clone, Copy, Debug, Default)]
struct Pieces {
    start: u32,
    length: u32,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    first: u128,
    length: u8,
    parent: u32,
    pieces: Pieces,
}

/// The networks of one family.
#[derive(Clone, Debug, Default)]
struct Family {
    /// Sorted by first address, then length.
    nodes: Vec<Node>,
}

/// The bindings of one operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    v4: Family,
    v6: Family,
    /// Sorted by name.
    hosts: Vec<(Box<str>, Pieces)>,
    /// Those for every address: of an IPv4 peer, of an IPv6 peer, of a peer without an address.
    any: [Pieces; 3],
    pieces: Vec<Piece>,
}

/// How specific the address was for which a binding was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The address itself.
    Address,
    /// A host name.
    Host,
    /// A network.
    Network,
    /// Any address.
    Any,
}

/// Bindings on their way into an index.
#[derive(Debug, Default)]
pub(super) struct Builder {
    v4: Vec<(u128, u8, Entry)>,
    v6: Vec<(u128, u8, Entry)>,
    hosts: Vec<(Box<str>, Entry)>,
    any: [Vec<Entry>; 3],
}

fn key(network: Network) -> (bool, u128) {
    match network.address() {
        IpAddr::V4(address) => (true, u128::from(address.to_bits())),
        IpAddr::V6(address) => (false, address.to_bits()),
    }
}

impl Builder {
    pub(super) fn add(&mut self, address: &Address, ports: Ports, rank: Rank) {
        let entry = Entry { ports, rank };
        let [v4, v6, none] = &mut self.any;
        match address {
            Address::Any => [v4, v6, none].into_iter().for_each(|list| list.push(entry)),
            // What has no known address may have one of either kind.
            Address::AnyV4 => [v4, none].into_iter().for_each(|list| list.push(entry)),
            Address::AnyV6 => [v6, none].into_iter().for_each(|list| list.push(entry)),
            Address::Host(name) => self.hosts.push((name.clone(), entry)),
            Address::Network(network) => {
                let (is_v4, first) = key(*network);
                let list = if is_v4 { &mut self.v4 } else { &mut self.v6 };
                list.push((first, network.length(), entry));
            }
        }
    }

    pub(super) fn build(mut self) -> Index {
        let mut pieces = Vec::new();
        self.hosts.sort_unstable_by(|(a, left), (b, right)| a.cmp(b).then(left.rank.cmp(&right.rank)));
        let hosts = self
            .hosts
            .chunk_by(|(a, _), (b, _)| a == b)
            .filter_map(|group| {
                let (name, _) = group.first()?;
                Some((name.clone(), cut(group.iter().map(|(_, entry)| *entry), &mut pieces)))
            })
            .collect();
        let v4 = family(self.v4, 32, &mut pieces);
        let v6 = family(self.v6, 128, &mut pieces);
        let any = self.any.map(|entries| cut(entries.into_iter(), &mut pieces));
        pieces.shrink_to_fit();
        Index { v4, v6, hosts, any, pieces }
    }
}

/// The bindings of one address that govern any port, by their places in the policy; `bindings` are ports, action and
/// place of each.
pub(crate) fn governing(bindings: impl Iterator<Item = (Ports, Action, u32)>) -> Governing {
    let entries =
        bindings.map(|(ports, action, order)| Entry { ports, rank: Rank::new(ports, action, order) });
    let mut pieces = Vec::new();
    cut(entries, &mut pieces);
    Governing(pieces)
}

/// Which binding of one address governs which ports.
#[derive(Debug)]
pub(crate) struct Governing(Vec<Piece>);

impl Governing {
    /// The places of those that govern any port.
    pub(crate) fn all(&self) -> impl Iterator<Item = u32> {
        self.0.iter().filter_map(|piece| Some(piece.winner?.order))
    }

    /// The one that governs a port.
    pub(crate) fn at(&self, port: u16) -> Option<u32> {
        let next = self.0.partition_point(|piece| piece.start <= port);
        Some(self.0.get(next.checked_sub(1)?)?.winner?.order)
    }
}

fn family(mut entries: Vec<(u128, u8, Entry)>, width: u8, pieces: &mut Vec<Piece>) -> Family {
    entries.sort_unstable_by_key(|(first, length, entry)| (*first, *length, entry.rank));
    let mut nodes: Vec<Node> = Vec::new();
    // The networks around the current one, from the outside.
    let mut around: Vec<u32> = Vec::new();
    for group in entries.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some(&(first, length, _)) = group.first() else { continue };
        while let Some(&last) = around.last() {
            if nodes.get(last as usize).is_some_and(|node| holds(node, first, width)) {
                break;
            }
            around.pop();
        }
        let number = u32::try_from(nodes.len()).unwrap_or(NONE);
        let parent = around.last().copied().unwrap_or(NONE);
        around.push(number);
        let pieces = cut(group.iter().map(|(.., entry)| *entry), pieces);
        nodes.push(Node { first, length, parent, pieces });
    }
    nodes.shrink_to_fit();
    Family { nodes }
}

/// Whether the address is in the node's network; `width` is the number of bits of its family.
fn holds(node: &Node, address: u128, width: u8) -> bool {
    let host_bits = u32::from(width.saturating_sub(node.length));
    (node.first ^ address).checked_shr(host_bits).unwrap_or(0) == 0
}

/// Cuts the ports into pieces with their winners.
fn cut(entries: impl Iterator<Item = Entry>, pieces: &mut Vec<Piece>) -> Pieces {
    let start = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let mut entries: Vec<Entry> = entries.collect();
    entries.sort_unstable_by_key(|entry| entry.ports.first());
    let mut edges: Vec<u32> = entries
        .iter()
        .flat_map(|entry| [u32::from(entry.ports.first()), u32::from(entry.ports.last()) + 1])
        .collect();
    edges.sort_unstable();
    edges.dedup();
    // The bindings that have begun, the winner first; those that have ended are dropped when they come up.
    let mut open: BinaryHeap<Reverse<(Rank, u16)>> = BinaryHeap::new();
    let mut coming = entries.iter().peekable();
    let mut current = None;
    for edge in edges {
        let Ok(port) = u16::try_from(edge) else { break };
        while let Some(entry) = coming.next_if(|entry| entry.ports.first() == port) {
            open.push(Reverse((entry.rank, entry.ports.last())));
        }
        while open.peek().is_some_and(|Reverse((_, last))| *last < port) {
            open.pop();
        }
        let winner = open.peek().map(|Reverse((rank, _))| *rank);
        if winner != current {
            pieces.push(Piece { start: port, winner });
            current = winner;
        }
    }
    let end = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    Pieces { start, length: end.saturating_sub(start) }
}

impl Index {
    /// The binding that wins for this address, port and these names (lower-case; the first one that has a
    /// binding counts), by its place in the policy.
    pub(super) fn find(&self, address: Option<IpAddr>, port: u16, names: &[&str]) -> Option<(u32, Level)> {
        let address = address.map(|address| address.to_canonical());
        let chain = address.map(|address| match address {
            IpAddr::V4(address) => self.v4.smallest(u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => self.v6.smallest(address.to_bits(), 128),
        });
        let nodes = match address {
            Some(IpAddr::V4(_)) => &self.v4.nodes,
            _ => &self.v6.nodes,
        };
        let full = if matches!(address, Some(IpAddr::V4(_))) { 32 } else { 128 };
        let mut at = chain.unwrap_or(NONE);
        if let Some(node) = nodes.get(at as usize).filter(|node| node.length == full) {
            if let Some(rank) = self.winner(node.pieces, port) {
                return Some((rank.order, Level::Address));
            }
            at = node.parent;
        }
        for name in names {
            let place = self.hosts.binary_search_by(|(known, _)| (**known).cmp(*name));
            let pieces = place.ok().and_then(|place| self.hosts.get(place)).map(|(_, pieces)| *pieces);
            if let Some(rank) = pieces.and_then(|pieces| self.winner(pieces, port)) {
                return Some((rank.order, Level::Host));
            }
        }
        while let Some(node) = nodes.get(at as usize) {
            if let Some(rank) = self.winner(node.pieces, port) {
                return Some((rank.order, Level::Network));
            }
            at = node.parent;
        }
        let [v4, v6, none] = self.any;
        let any = match address {
            Some(IpAddr::V4(_)) => v4,
            Some(IpAddr::V6(_)) => v6,
            None => none,
        };
        self.winner(any, port).map(|rank| (rank.order, Level::Any))
    }

    fn winner(&self, pieces: Pieces, port: u16) -> Option<Rank> {
        let start = pieces.start as usize;
        let pieces = self.pieces.get(start..start + pieces.length as usize)?;
        let after = pieces.partition_point(|piece| piece.start <= port);
        pieces.get(after.checked_sub(1)?)?.winner
    }
}

impl Family {
    /// The smallest network that holds the address.
    fn smallest(&self, address: u128, width: u8) -> u32 {
        let after = self.nodes.partition_point(|node| node.first <= address);
        let mut at = after.checked_sub(1).and_then(|at| u32::try_from(at).ok()).unwrap_or(NONE);
        while let Some(node) = self.nodes.get(at as usize) {
            if holds(node, address, width) {
                return at;
            }
            at = node.parent;
        }
        NONE
    }
}
