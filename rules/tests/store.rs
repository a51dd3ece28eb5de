//! The bounded store: what is kept under load, what is counted, what bytes it tolerates.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "tests"
)]

use std::sync::Arc;
use std::thread;

use portcullis_rules::collections::{
    Change, Key, Kind, MemoryValues, Record, Store, StoreSettings, Update, agree,
};
use portcullis_rules::host::{Held, KeyValue, KeyValueError};
use portcullis_rules::limits;
use portcullis_rules::risk::{
    BlockSettings, ClientState, EntitySettings, Event, Identity, KillChain, RiskAction, RiskSettings,
    Standing, Switches,
};
use proptest::prelude::*;

const NOW: u32 = 1_772_366_400;

fn settings() -> RiskSettings {
    let switches = Switches { rule_blocks: true, risk_blocks: true, lists: true };
    RiskSettings { switches, ..RiskSettings::default() }
}

fn matched(risk: u8) -> Event {
    Event::Match { rule: 1, risk, state: None, action: RiskAction::Track, rate: None }
}

fn v6(n: u64) -> Key {
    let address = std::net::Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(n) << 64 | 1);
    Identity { address: Some(address.into()), ..Identity::default() }.key(&EntitySettings::default())
}

fn happens(store: &Store, key: Key, settings: &RiskSettings, event: Event, now: u32) -> Update {
    store.update(key, Kind::Client, now, |payload| {
        let mut state = payload.map(ClientState::read).unwrap_or_default();
        state.take(settings, &event, u64::from(now) * 1_000);
        Some(state.entry(settings))
    })
}

/// Two million sources pass by; 500 of them are blocked on the way, and stay known.
#[test]
fn two_million_sources_fit_and_blocked_ones_stay() {
    const SOURCES: u64 = 2_000_000;
    let values = Arc::new(MemoryValues::default());
    let size = StoreSettings { mebibytes: 8, ..StoreSettings::default() };
    let store = Store::new(Arc::clone(&values) as Arc<dyn KeyValue>, &size);
    let settings = settings();
    let mut most = 0;
    for n in 0..SOURCES {
        let risk = if n % 4_000 == 0 { 95 } else { 20 };
        // All within the half hour that a block lasts.
        let now = NOW + u32::try_from(n * 1_500 / SOURCES).unwrap();
        happens(&store, v6(n), &settings, matched(risk), now);
        if n % 100_000 == 0 {
            most = most.max(values.size().1);
        }
    }
    let (keys, bytes) = values.size();
    let counts = store.take_counts();
    println!("{keys} keys, {bytes} bytes, at most {most}; {counts:?}");
    assert_eq!(keys, size.buckets() as usize);
    assert!(bytes <= 8 * 1_048_576 + keys * 32, "{bytes}");
    for n in (0..SOURCES).step_by(4_000) {
        let state = store.get(v6(n)).map(|payload| ClientState::read(&payload)).unwrap_or_default();
        assert_eq!(state.standing(u64::from(NOW + 1_500) * 1_000), Standing::Blocked, "source {n}");
    }
    assert!(counts.evictions > 1_500_000 && counts.losses == 0 && counts.failures == 0, "{counts:?}");
    assert_eq!(counts.clients_added, SOURCES);
    let here = counts.clients_added - counts.clients_removed;
    assert!((50_000..200_000).contains(&here), "{here}");
}

/// When nothing but blocked clients is left, a new one is not kept, and that is counted.
#[test]
fn a_store_full_of_blocked_clients_refuses_others_and_says_so() {
    let size = StoreSettings { mebibytes: 1, ..StoreSettings::default() };
    let store = Store::new(Arc::new(MemoryValues::default()), &size);
    let settings = settings();
    for n in 0..40_000 {
        happens(&store, v6(n), &settings, matched(100), NOW);
    }
    let before = store.take_counts();
    assert!(before.refused > 0, "{before:?}");
    let refused =
        (50_000..50_200).filter(|n| happens(&store, v6(*n), &settings, matched(30), NOW) == Update::Refused);
    assert_eq!(refused.count(), 200);
    assert_eq!(store.take_counts().evictions, 0);
    // When the blocks have ended and are forgotten there is room again.
    let later = NOW + 1_800 + 86_400 + 1;
    assert_eq!(happens(&store, v6(60_000), &settings, matched(30), later), Update::Stored);
}

/// What the counts say of clients: how many there are, and how many of them are blocked.
fn here(counts: &mut (i64, i64), store: &Store) -> (i64, i64) {
    let new = store.take_counts();
    let change = |added: u64, removed: u64| added.cast_signed() - removed.cast_signed();
    counts.0 += change(new.clients_added, new.clients_removed);
    counts.1 += change(new.blocked_added, new.blocked_removed);
    *counts
}

/// Blocks end and clients fade while nobody writes; the counts of all workers together follow, each change said once.
#[test]
fn who_is_blocked_is_counted_as_time_passes() {
    let values: Arc<MemoryValues> = Arc::default();
    let size = StoreSettings { mebibytes: 2, ..StoreSettings::default() };
    let workers: Vec<Store> =
        (0..3).map(|_| Store::new(Arc::clone(&values) as Arc<dyn KeyValue>, &size)).collect();
    let settings = settings();
    let mut counts = (0, 0);
    let mut all = |workers: &[Store]| workers.iter().fold((0, 0), |_, worker| here(&mut counts, worker));
    for n in 0..300 {
        let risk = if n % 3 == 0 { 95 } else { 50 };
        happens(&workers[n % 3], v6(n as u64), &settings, matched(risk), NOW);
    }
    assert_eq!(all(&workers), (300, 100));
    let tended = |from: u32| {
        // 512 buckets are two seconds' work, whoever does it.
        for second in from..from + 2 {
            for worker in workers.iter().chain(&workers) {
                worker.tend(second);
            }
        }
    };
    tended(NOW + 1);
    assert_eq!(all(&workers), (300, 100));
    tended(NOW + 1_800);
    assert_eq!(all(&workers), (300, 0), "the half hour is over");
    happens(&workers[0], v6(0), &settings, matched(95), NOW + 1_900);
    assert_eq!(all(&workers), (300, 1));
    // Whose score has faded goes; who was blocked is known for a day.
    tended(NOW + 80_000);
    assert_eq!(all(&workers), (100, 0));
    tended(NOW + 200_000);
    assert_eq!(all(&workers), (0, 0));
    assert_eq!(workers[0].get(v6(0)), None);
    // What is taken out at once, while it is blocked.
    happens(&workers[0], v6(1), &settings, matched(95), NOW + 200_001);
    assert_eq!(all(&workers), (1, 1));
    workers[1].update(v6(1), Kind::Client, NOW + 200_002, |_| None);
    assert_eq!(all(&workers), (0, 0));
}

#[test]
fn workers_share_the_tending() {
    #[derive(Debug, Default)]
    struct Counting(MemoryValues, std::sync::atomic::AtomicU32);
    impl KeyValue for Counting {
        fn get(&self, key: &[u8]) -> Result<Option<Held>, KeyValueError> {
            self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            self.0.get(key)
        }
        fn set(&self, key: &[u8], value: &[u8], expected: Option<u32>) -> Result<bool, KeyValueError> {
            self.0.set(key, value, expected)
        }
    }
    let values: Arc<Counting> = Arc::default();
    let workers: Vec<Store> = (0..4)
        .map(|_| Store::new(Arc::clone(&values) as Arc<dyn KeyValue>, &StoreSettings::default()))
        .collect();
    let reads = |second: u32| {
        let before = values.1.load(std::sync::atomic::Ordering::Relaxed);
        for worker in workers.iter().chain(&workers) {
            worker.tend(second);
        }
        values.1.load(std::sync::atomic::Ordering::Relaxed) - before
    };
    // One of them does it, each of them looks whether it was done.
    assert_eq!(reads(NOW), limits::STORE_TENDED + 4);
    assert_eq!(reads(NOW), 0, "all know that it was done");
    assert_eq!(reads(NOW + 1), limits::STORE_TENDED + 4);
    assert_eq!(reads(NOW), 4, "a clock that is a little late");
}

#[test]
fn increments_of_many_workers_are_all_there() {
    let values: Arc<MemoryValues> = Arc::default();
    let size = StoreSettings { mebibytes: 1, ..StoreSettings::default() };
    let store = Arc::new(Store::new(values, &size));
    let key = Key::new("collection", &[b"one"]);
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for _ in 0..2_000 {
                    store.update(key, Kind::Collection, NOW, |payload| {
                        let mut record = payload
                            .and_then(|bytes| Record::read(bytes, NOW))
                            .unwrap_or_else(|| Record::new(NOW, 60));
                        record.apply(b"n", &Change::Add(1), NOW);
                        Some(record.entry().0)
                    });
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let record = Record::read(&store.get(key).unwrap(), NOW).unwrap();
    let there: u64 = std::str::from_utf8(&record.get(b"N").unwrap().value).unwrap().parse().unwrap();
    let counts = store.take_counts();
    println!("{there} of 16000; {counts:?}");
    assert_eq!(there + counts.losses, 16_000);
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let mut record = Record::new(NOW, 60);
    for n in 0..100 {
        record.apply(format!("v{n}").as_bytes(), &Change::Set(vec![b'x'; 100]), NOW);
    }
    assert_eq!(record.variables.len(), limits::COLLECTION_VARIABLES);
    let (entry, left_out) = record.entry();
    assert!(entry.payload.len() <= limits::COLLECTION_BYTES && left_out > 0);
    let read = Record::read(&entry.payload, NOW).unwrap();
    assert_eq!(read.variables.len() + left_out, limits::COLLECTION_VARIABLES);
    assert!(!record.apply(&[b'n'; 200], &Change::Set(Vec::new()), NOW));
}

/// A host whose values are always changed by somebody else.
#[derive(Debug)]
struct Busy;

impl KeyValue for Busy {
    fn get(&self, _: &[u8]) -> Result<Option<Held>, KeyValueError> {
        Ok(None)
    }

    fn set(&self, _: &[u8], _: &[u8], _: Option<u32>) -> Result<bool, KeyValueError> {
        Ok(false)
    }
}

#[test]
fn tries_are_bounded_and_losses_counted() {
    let store = Store::new(Arc::new(Busy), &StoreSettings::default());
    assert_eq!(happens(&store, v6(1), &settings(), matched(50), NOW), Update::Lost);
    let counts = store.take_counts();
    assert_eq!((counts.losses, counts.contention), (1, u64::from(limits::STORE_TRIES) - 1));
}

/// Shared values that another worker gets to first: between the look and the set of the key, it sets it.
#[derive(Debug, Default)]
struct Raced(MemoryValues);

impl KeyValue for Raced {
    fn get(&self, key: &[u8]) -> Result<Option<Held>, KeyValueError> {
        self.0.get(key)
    }

    fn set(&self, key: &[u8], value: &[u8], expected: Option<u32>) -> Result<bool, KeyValueError> {
        let _ = self.0.set(key, b"theirs", None)?;
        self.0.set(key, value, expected)
    }
}

#[test]
fn of_two_that_make_a_value_at_once_the_first_one_stays() {
    let values = MemoryValues::default();
    let agreed = |values: &dyn KeyValue, own: Option<&[u8]>| {
        agree(values, b"key", || own.map(<[u8]>::to_vec))
            .unwrap()
            .map(|value| value.escape_ascii().to_string())
    };
    assert_eq!(agreed(&values, None), None);
    assert_eq!(agreed(&values, Some(b"first")).as_deref(), Some("first"));
    assert_eq!(agreed(&values, Some(b"second")).as_deref(), Some("first"));
    assert_eq!(agreed(&values, None).as_deref(), Some("first"));

    let values = Raced::default();
    assert_eq!(agreed(&values, Some(b"ours")).as_deref(), Some("theirs"));
    assert_eq!(agreed(&values, Some(b"later")).as_deref(), Some("theirs"));
    assert_eq!(agreed(&Busy, Some(b"ours")), None, "nobody knows it: better none than one that others lack");

    // With threads: all have the same.
    let values: Arc<MemoryValues> = Arc::default();
    let workers: Vec<_> = (0..8u8)
        .map(|n| {
            let values = Arc::clone(&values);
            thread::spawn(move || agree(&*values, b"key", || Some(vec![n])).unwrap().unwrap())
        })
        .collect();
    let all: Vec<Vec<u8>> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
}

/// Clients that all end up in one bucket under one seed are spread by another: who does not know the seed can't aim.
#[test]
fn the_seed_decides_who_shares_a_bucket() {
    let size = StoreSettings { mebibytes: 1, ..StoreSettings::default() };
    let buckets = |seed: [u8; 16], clients: &[u64]| {
        clients
            .iter()
            .map(|n| {
                let values = Arc::new(MemoryValues::default());
                let store = Store::new(Arc::clone(&values) as Arc<dyn KeyValue>, &size).with_seed(&seed);
                happens(&store, v6(*n), &settings(), matched(50), NOW);
                let there =
                    |bucket: &u32| values.get(format!("portcullis.{bucket}").as_bytes()).unwrap().is_some();
                (0..size.buckets()).find(there).unwrap()
            })
            .collect::<Vec<u32>>()
    };
    let all: Vec<u64> = (0..4_000).collect();
    let aimed: Vec<u64> =
        all.iter().zip(buckets([1; 16], &all)).filter(|(_, bucket)| *bucket == 7).map(|(n, _)| *n).collect();
    assert!(aimed.len() >= 5, "{aimed:?}");
    assert!(buckets([1; 16], &aimed).iter().all(|bucket| *bucket == 7));
    let mut elsewhere = buckets([2; 16], &aimed);
    elsewhere.sort_unstable();
    elsewhere.dedup();
    assert!(elsewhere.len() > aimed.len() / 2, "{elsewhere:?}");
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0u8..=100, proptest::option::of(1u8..=7)).prop_map(|(risk, rank)| Event::Match {
            rule: 1,
            risk,
            state: rank.and_then(KillChain::of_rank),
            action: RiskAction::Track,
            rate: None,
        }),
        any::<u8>().prop_map(Event::Add),
        any::<u8>().prop_map(Event::Subtract),
        any::<u8>().prop_map(Event::Set),
    ]
}

proptest! {
    #[test]
    fn any_bytes_can_be_read(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let _ = ClientState::read(&bytes);
        let _ = Record::read(&bytes, NOW);
        // A bucket of anything: what comes of it can be used.
        let values = Arc::new(MemoryValues::default());
        let size = StoreSettings { mebibytes: 1, ..StoreSettings::default() };
        let key = v6(7);
        let store = Store::new(Arc::clone(&values) as Arc<dyn KeyValue>, &size);
        prop_assert_eq!(happens(&store, key, &settings(), matched(50), NOW), Update::Stored);
        for bucket in 0..size.buckets() {
            let name = format!("portcullis.{bucket}");
            let Some(held) = values.get(name.as_bytes()).unwrap() else { continue };
            let mut broken = held.value.clone();
            broken.truncate(cut.min(broken.len()));
            broken.extend_from_slice(&bytes);
            prop_assert!(values.set(name.as_bytes(), &broken, Some(held.number)).unwrap());
        }
        let _ = store.get(key);
        store.tend(NOW + 1);
        prop_assert_eq!(happens(&store, key, &settings(), matched(50), NOW), Update::Stored);
        let state = ClientState::read(&store.get(key).unwrap());
        prop_assert!((0.0..=100.0).contains(&state.score));
    }

    #[test]
    fn scores_stay_in_range_fade_and_survive_the_store(
        events in proptest::collection::vec((event(), 0u64..5_000_000), 1..60),
    ) {
        let settings = settings();
        let (mut state, mut now) = (ClientState::default(), u64::from(NOW) * 1_000);
        for (event, passed) in events {
            now += passed;
            let before = state.score_at(&settings.score, now);
            let consequence = state.take(&settings, &event, now);
            prop_assert!((0.0..=100.0).contains(&state.score));
            if matches!(event, Event::Match { .. } | Event::Add(_)) {
                prop_assert!(state.score >= before);
            }
            if let Some(block) = consequence.block {
                prop_assert!(state.score >= settings.block.threshold);
                prop_assert_eq!(block.number >= settings.block.permanent_after, block.until == u32::MAX);
            }
            let later = state.score_at(&settings.score, now + 900_000);
            prop_assert!((later - state.score / 2.0).abs() < 0.01);
            prop_assert_eq!(&ClientState::read(&state.entry(&settings).payload), &state);
        }
    }

    #[test]
    fn low_risk_alone_never_blocks(risks in proptest::collection::vec(0u8..=10, 0..300)) {
        let settings = settings();
        let mut state = ClientState::default();
        for risk in risks {
            let consequence = state.take(&settings, &matched(risk), u64::from(NOW) * 1_000);
            prop_assert_eq!(consequence.block, None);
        }
    }

    #[test]
    fn medium_risk_needs_two_and_high_risk_one(risk in 11u8..=100, rank in proptest::option::of(1u8..=7)) {
        let settings = RiskSettings { block: BlockSettings::default(), ..settings() };
        let mut state = ClientState::default();
        let state_of = rank.and_then(KillChain::of_rank);
        let event = Event::Match { rule: 1, risk, state: state_of, action: RiskAction::Track, rate: None };
        let block = state.take(&settings, &event, u64::from(NOW) * 1_000).block;
        prop_assert_eq!(block.is_some(), risk >= 91);
    }
}
