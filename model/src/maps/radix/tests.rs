//! The radix tree against the standard library's map, with copies kept on the way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u8),
    Change(u64, u8),
    Remove(u64),
    RemoveRange(u64, u64),
    /// Keeps a copy of both maps.
    Copy,
}

/// Near each other, near the borders of nodes, and anywhere.
fn key() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..70_u64,
        4090..4100_u64,
        (0..64_u32).prop_map(|shift| 1 << shift),
        (0..64_u32).prop_map(|shift| (1 << shift) - 1),
        any::<u64>(),
        Just(u64::MAX),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Insert(key, value)),
        2 => (key(), any::<u8>()).prop_map(|(key, value)| Step::Change(key, value)),
        3 => key().prop_map(Step::Remove),
        1 => (key(), key()).prop_map(|(first, last)| Step::RemoveRange(first, last)),
        1 => Just(Step::Copy),
    ]
}

type Pair = (Radix<u64, u8>, BTreeMap<u64, u8>);

fn same((radix, map): &Pair) {
    assert!(
        radix
            .iter()
            .eq(map.iter().map(|(&key, value)| (key, value)))
    );
    assert_eq!(radix.last(), map.values().last());
    assert_eq!((radix.len(), radix.is_empty()), (map.len(), map.is_empty()));
    // However it came about.
    assert_eq!(
        *radix,
        map.iter().map(|(&key, &value)| (key, value)).collect()
    );
}

fn apply((radix, map): &mut Pair, step: &Step) {
    match *step {
        Step::Insert(key, value) => assert_eq!(radix.insert(key, value), map.insert(key, value)),
        Step::Change(key, value) => {
            let (it, expected) = (radix.get_mut(&key), map.get_mut(&key));
            assert_eq!(it, expected);
            if let (Some(it), Some(expected)) = (it, expected) {
                (*it, *expected) = (value, value);
            }
        }
        Step::Remove(key) => assert_eq!(radix.remove(&key), map.remove(&key)),
        Step::RemoveRange(first, last) => {
            radix.remove_range(first..=last);
            map.retain(|&key, _| key < first || last < key);
        }
        Step::Copy => {}
    }
}

proptest! {
    #[test]
    fn does_what_the_map_does_and_leaves_copies_alone(
        steps in prop::collection::vec(step(), 0..120),
        asked in prop::collection::vec((key(), key()), 1..20),
    ) {
        let mut now = Pair::default();
        let mut copies = vec![now.clone()];
        for step in &steps {
            apply(&mut now, step);
            if let Step::Copy = step {
                copies.push(now.clone());
            }
        }
        copies.push(now);
        for copy in &copies {
            same(copy);
            for &(one, other) in &asked {
                let (radix, map) = copy;
                prop_assert_eq!(radix.get(&one), map.get(&one));
                let (first, last) = (one.min(other), one.max(other));
                let expected = map.range(first..=last).map(|(&key, value)| (key, value));
                prop_assert!(radix.range(first..=last).eq(expected));
                let expected = map.range(first..last).map(|(&key, value)| (key, value));
                prop_assert!(radix.range(first..last).eq(expected));
            }
        }
        for (old, new) in copies.iter().zip(&copies[1..]) {
            let changes = old.0.changes(&new.0);
            let mut keys: Vec<_> = old.1.keys().chain(new.1.keys()).copied().collect();
            keys.sort_unstable();
            keys.dedup();
            let differ = keys.iter().map(|key| (*key, old.1.get(key), new.1.get(key)));
            let expected: Vec<_> = differ.filter(|(_, old, new)| old != new).collect();
            prop_assert_eq!(changes, expected);
        }
    }
}

#[test]
fn what_is_shared_is_not_looked_at() {
    #[derive(Clone, Debug)]
    struct Looked(std::rc::Rc<std::cell::Cell<u32>>);
    impl PartialEq for Looked {
        fn eq(&self, _: &Self) -> bool {
            self.0.set(self.0.get() + 1);
            true
        }
    }
    let count = std::rc::Rc::default();
    let value = Looked(std::rc::Rc::clone(&count));
    let old: Radix<u64, _> = (0..1 << 16).map(|key| (key, value.clone())).collect();
    let mut new = old.clone();
    assert_eq!(old.changes(&new), []);
    assert_eq!(count.get(), 0);
    new.insert(5, value.clone());
    new.insert(1 << 40, value);
    assert_eq!(old.changes(&new).len(), 1);
    // The other slots of the one node that is no longer shared.
    assert_eq!(count.get(), 1 << BITS);
}

#[test]
fn a_miss_copies_nothing() {
    let old: Radix<u64, u8> = (0..1000).map(|key| (key, 0)).collect();
    let mut new = old.clone();
    assert_eq!(new.get_mut(&5000), None);
    assert_eq!(new.remove(&(1 << 50)), None);
    new.remove_range(2000..);
    let roots = old.root.as_ref().zip(new.root.as_ref());
    assert!(roots.is_some_and(|(old, new)| Arc::ptr_eq(old, new)));
}

mod quickchecked {
    use std::collections::BTreeMap;

    use quickcheck::quickcheck;

    use super::super::Radix;

    quickcheck! {
        fn collects_as_a_map_does(pairs: Vec<(u64, i32)>) -> bool {
            let map: BTreeMap<_, _> = pairs.iter().copied().collect();
            let radix: Radix<u64, i32> = pairs.into_iter().collect();
            radix.iter().eq(map.iter().map(|(&key, value)| (key, value)))
        }

        fn a_copy_does_not_see_what_becomes_of_the_other(pairs: Vec<(u16, i32)>, gone: Vec<u16>) -> bool {
            let pairs = pairs.into_iter().map(|(key, value)| (u64::from(key), value));
            let before: Radix<u64, i32> = pairs.collect();
            let kept: Vec<_> = before.iter().map(|(key, value)| (key, *value)).collect();
            let mut after = before.clone();
            for key in &gone {
                after.remove(&u64::from(*key));
            }
            let stays = before.iter().map(|(key, value)| (key, *value)).eq(kept);
            stays && gone.iter().all(|&key| !after.contains_key(&key.into()))
        }
    }
}
