//! The map by name against the standard library's, with copies kept on the way.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert(Arc<str>, u8),
    Change(Arc<str>, u8),
    Remove(Arc<str>),
    /// Inserts so many names in order.
    Fill(u16),
    /// Removes all names that begin so.
    Clear(Arc<str>),
    /// Keeps a copy of both maps.
    Copy,
}

fn name() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        "[a-c]{0,3}".prop_map(Arc::from),
        (0..1000_u16).prop_map(|number| format!("{number:03}").into()),
        "[é日a]{1,2}".prop_map(Arc::from),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (name(), any::<u8>()).prop_map(|(name, value)| Step::Insert(name, value)),
        2 => (name(), any::<u8>()).prop_map(|(name, value)| Step::Change(name, value)),
        4 => name().prop_map(Step::Remove),
        1 => (0..1000_u16).prop_map(Step::Fill),
        1 => "[0-9a]{0,2}".prop_map(|prefix| Step::Clear(prefix.into())),
        1 => Just(Step::Copy),
    ]
}

type Pair = (Names<u8>, BTreeMap<Arc<str>, u8>);

/// No node is too large; below the root none is empty; all values are at one level.
fn check_shape<V>(node: &Node<V>) -> usize {
    assert!(node.len() <= MOST);
    match node {
        Node::Values(_) => 0,
        Node::Nodes(nodes) => {
            let levels: Vec<_> = nodes.iter().map(|(_, below)| check_shape(below)).collect();
            assert!(levels.iter().all(|level| *level == levels[0]));
            assert!(nodes.iter().all(|(_, below)| below.len() > 0));
            levels[0] + 1
        }
    }
}

fn same((names, map): &Pair) {
    assert!(names.iter().eq(map));
    assert_eq!((names.len(), names.is_empty()), (map.len(), map.is_empty()));
    // However it came about.
    assert_eq!(
        *names,
        map.iter()
            .map(|(name, &value)| (name.clone(), value))
            .collect()
    );
    if let Some(root) = &names.root {
        assert!(check_shape(root) < 4);
    }
}

fn apply((names, map): &mut Pair, step: &Step) {
    match step {
        Step::Insert(name, value) => {
            assert_eq!(
                names.insert(name.clone(), *value),
                map.insert(name.clone(), *value)
            );
        }
        Step::Change(name, value) => {
            let (it, expected) = (names.get_mut(name), map.get_mut(name));
            assert_eq!(it, expected);
            if let (Some(it), Some(expected)) = (it, expected) {
                (*it, *expected) = (*value, *value);
            }
        }
        Step::Remove(name) => assert_eq!(names.remove(name), map.remove(name)),
        Step::Fill(count) => {
            for number in 0..*count {
                let name: Arc<str> = format!("{number:03}").into();
                assert_eq!(names.insert(name.clone(), 0), map.insert(name, 0));
            }
        }
        Step::Clear(prefix) => {
            let gone: Vec<_> = map
                .keys()
                .filter(|it| it.starts_with(&**prefix))
                .cloned()
                .collect();
            for name in gone {
                assert_eq!(names.remove(&name), map.remove(&name));
            }
        }
        Step::Copy => {}
    }
}

proptest! {
    #[test]
    fn does_what_the_map_does_and_leaves_copies_alone(
        steps in prop::collection::vec(step(), 0..60),
        asked in prop::collection::vec(name(), 1..20),
    ) {
        let mut now = Pair::default();
        let mut copies = Vec::new();
        for step in &steps {
            apply(&mut now, step);
            if let Step::Copy = step {
                copies.push(now.clone());
            }
        }
        copies.push(now);
        for copy in &copies {
            same(copy);
            for name in &asked {
                prop_assert_eq!(copy.0.get(name), copy.1.get(name));
            }
        }
    }
}

#[test]
fn names_in_order_fill_the_nodes() {
    let names: Names<()> = (0..2000)
        .map(|number| (format!("{number:04}").into(), ()))
        .collect();
    let Some(Node::Nodes(nodes)) = names.root.as_deref() else {
        panic!("many names have nodes above them");
    };
    let below = nodes.iter().map(|(_, below)| below.len());
    assert_eq!(below.rev().skip(1).min(), Some(MOST));
}

mod quickchecked {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use quickcheck::quickcheck;

    use super::super::Names;

    quickcheck! {
        fn collects_as_a_map_does(pairs: Vec<(String, i32)>) -> bool {
            let pairs = || pairs.iter().map(|(name, value)| (Arc::from(name.as_str()), *value));
            let map: BTreeMap<Arc<str>, i32> = pairs().collect();
            let names: Names<i32> = pairs().collect();
            names.iter().eq(&map)
        }
    }
}
