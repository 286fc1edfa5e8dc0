//! A map by number whose copies share what they have in common: a radix tree that is copied on write.
//!
//! It is to the model what indirect blocks are to ZFS: a snapshot costs nothing, a change copies the way from
//! the root to it, and what two states have in common need not be looked at to tell where they differ.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

/// A node has `1 << BITS` slots. With 6 bits what is shared costs twice as much to change, and nothing costs
/// clearly less (docs/performance.md).
const BITS: u32 = 4;

/// A map by number, in the order of the numbers. Cloning is O(1).
///
/// Keys are numbers, or what stands for one, such as a dataset's.
pub struct Radix<K, V> {
    /// None when it is empty.
    root: Option<Arc<Node<V>>>,
    /// The levels of nodes: no more than the largest key needs, so that equal maps are equal trees.
    levels: u32,
    len: usize,
    keys: PhantomData<K>,
}

#[derive(Clone, PartialEq, Eq)]
enum Node<V> {
    Values(Slots<V>),
    Nodes(Slots<Arc<Node<V>>>),
}

/// The slots of a node that hold something.
#[derive(Clone, PartialEq, Eq)]
struct Slots<T> {
    /// A bit for each that does.
    present: u64,
    /// What they hold, one after the other.
    items: Vec<T>,
}

/// The slot of a key in a node at a level; values are at level 0.
fn slot(key: u64, level: u32) -> u32 {
    // BITS bits always fit.
    u32::try_from(key >> (level * BITS) & ((1 << BITS) - 1)).unwrap_or(0)
}

/// The last key below a node at a level, counted from its first.
fn span(level: u32) -> u64 {
    let keys = 1_u64.checked_shl((level + 1) * BITS);
    keys.map_or(u64::MAX, |keys| keys - 1)
}

impl<T> Slots<T> {
    fn one(slot: u32, item: T) -> Self {
        Slots {
            present: 1 << slot,
            items: vec![item],
        }
    }

    fn index(&self, slot: u32) -> usize {
        (self.present & ((1 << slot) - 1)).count_ones() as usize
    }

    fn has(&self, slot: u32) -> bool {
        self.present >> slot & 1 == 1
    }

    fn get(&self, slot: u32) -> Option<&T> {
        if self.has(slot) {
            self.items.get(self.index(slot))
        } else {
            None
        }
    }

    fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        if self.has(slot) {
            let index = self.index(slot);
            self.items.get_mut(index)
        } else {
            None
        }
    }

    /// Puts something into an empty slot.
    fn fill(&mut self, slot: u32, item: T) {
        self.items.insert(self.index(slot), item);
        self.present |= 1 << slot;
    }

    fn take(&mut self, slot: u32) -> Option<T> {
        let index = self.index(slot);
        let item = self.has(slot).then(|| self.items.remove(index));
        self.present &= !(1 << slot);
        item
    }

    fn retain(&mut self, mut keep: impl FnMut(u32, &mut T) -> bool) {
        let (mut left, mut kept) = (self.present, 0);
        self.items.retain_mut(|item| {
            let slot = left.trailing_zeros();
            left &= left - 1;
            let keeps = keep(slot, item);
            kept |= u64::from(keeps) << slot;
            keeps
        });
        self.present = kept;
    }
}

impl<V> Node<V> {
    /// The node at a level that has this alone.
    fn one(level: u32, key: u64, value: V) -> Self {
        match level.checked_sub(1) {
            None => Node::Values(Slots::one(slot(key, 0), value)),
            Some(below) => {
                let below = Node::one(below, key, value);
                Node::Nodes(Slots::one(slot(key, level), Arc::new(below)))
            }
        }
    }

    fn present(&self) -> u64 {
        match self {
            Node::Values(slots) => slots.present,
            Node::Nodes(slots) => slots.present,
        }
    }
}

impl<V: Clone> Node<V> {
    fn insert(&mut self, level: u32, key: u64, value: V) -> Option<V> {
        let slot = slot(key, level);
        match self {
            Node::Values(slots) => {
                if let Some(old) = slots.get_mut(slot) {
                    return Some(std::mem::replace(old, value));
                }
                slots.fill(slot, value);
            }
            Node::Nodes(slots) => {
                if let Some(below) = slots.get_mut(slot) {
                    return Arc::make_mut(below).insert(level - 1, key, value);
                }
                slots.fill(slot, Arc::new(Node::one(level - 1, key, value)));
            }
        }
        None
    }

    fn remove(&mut self, level: u32, key: u64) -> Option<V> {
        let slot = slot(key, level);
        match self {
            Node::Values(slots) => slots.take(slot),
            Node::Nodes(slots) => {
                let below = Arc::make_mut(slots.get_mut(slot)?);
                let removed = below.remove(level - 1, key);
                if below.present() == 0 {
                    slots.take(slot);
                }
                removed
            }
        }
    }

    /// Removes the keys of a range, both ends included, counted from the node's first.
    fn remove_range(&mut self, level: u32, first: u64, last: u64) {
        match self {
            Node::Values(slots) => slots.retain(|slot, _| !(first..=last).contains(&slot.into())),
            Node::Nodes(slots) => slots.retain(|slot, below| {
                let low = u64::from(slot) << (level * BITS);
                let high = low + span(level - 1);
                if last < low || high < first {
                    return true;
                }
                if first <= low && high <= last {
                    return false;
                }
                let below = Arc::make_mut(below);
                below.remove_range(level - 1, first.max(low) - low, last.min(high) - low);
                below.present() != 0
            }),
        }
    }
}

impl<K: Copy + Into<u64> + From<u64>, V> Radix<K, V> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Radix {
            root: None,
            levels: 0,
            len: 0,
            keys: PhantomData,
        }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a key is within what the levels reach.
    fn reaches(&self, key: u64) -> bool {
        key.checked_shr(self.levels * BITS).unwrap_or(0) == 0
    }

    /// What is under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        let key = (*key).into();
        if !self.reaches(key) {
            return None;
        }
        let mut node = self.root.as_deref()?;
        let mut level = self.levels;
        loop {
            level -= 1;
            match node {
                Node::Values(slots) => return slots.get(slot(key, 0)),
                Node::Nodes(slots) => node = slots.get(slot(key, level))?,
            }
        }
    }

    /// Whether there is something under a key.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// All of it, in the order of the keys.
    #[must_use]
    pub fn iter(&self) -> Range<'_, K, V> {
        self.range(..)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }

    /// What is under the keys, in their order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// What is under the largest key.
    #[must_use]
    pub fn last(&self) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Values(slots) => return slots.items.last(),
                Node::Nodes(slots) => node = slots.items.last()?,
            }
        }
    }

    /// What is under the keys of a range, in their order.
    pub fn range(&self, keys: impl RangeBounds<K>) -> Range<'_, K, V> {
        let mut range = Range {
            radix: self,
            leaf: None,
            last: 0,
        };
        if let Some((first, last)) = bounds(&keys) {
            range.last = last;
            range.leaf = self.leaf(first);
        }
        range
    }

    /// The first node of values that has any under this key or behind it.
    fn leaf(&self, first: u64) -> Option<Leaf<'_, V>> {
        leaf(self.root.as_ref()?, self.levels - 1, 0, first)
    }

    /// Where this one and a `newer` one differ, in the order of the keys: what was there, and what is now.
    ///
    /// What the two share is skipped, so that it takes as long as much has changed since the one was a copy of
    /// the other.
    #[must_use]
    pub fn changes<'a>(&'a self, newer: &'a Self) -> Vec<Change<'a, K, V>>
    where
        V: PartialEq,
    {
        let mut changes = Vec::new();
        if let Some(level) = self.levels.max(newer.levels).checked_sub(1) {
            let side = |radix: &'a Self| Some((radix.root.as_ref()?, radix.levels - 1));
            compare(side(self), side(newer), level, 0, &mut changes);
        }
        changes
    }
}

/// A key with what is under it in an old map and in a new one.
pub type Change<'a, K, V> = (K, Option<&'a V>, Option<&'a V>);

impl<K: Copy + Into<u64> + From<u64>, V: Clone> Radix<K, V> {
    /// What is under a key, to be changed. It is copied if another map shares it.
    #[must_use]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        // What is not there is not copied on the way.
        if !self.contains_key(key) {
            return None;
        }
        let key = (*key).into();
        let mut node = Arc::make_mut(self.root.as_mut()?);
        let mut level = self.levels;
        loop {
            level -= 1;
            match node {
                Node::Values(slots) => return slots.get_mut(slot(key, 0)),
                Node::Nodes(slots) => node = Arc::make_mut(slots.get_mut(slot(key, level))?),
            }
        }
    }

    /// Puts something under a key, and gives what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let key = key.into();
        let old = match &mut self.root {
            None => {
                while self.levels == 0 || !self.reaches(key) {
                    self.levels += 1;
                }
                self.root = Some(Arc::new(Node::one(self.levels - 1, key, value)));
                None
            }
            Some(root) => {
                while key.checked_shr(self.levels * BITS).unwrap_or(0) > 0 {
                    *root = Arc::new(Node::Nodes(Slots::one(0, root.clone())));
                    self.levels += 1;
                }
                Arc::make_mut(root).insert(self.levels - 1, key, value)
            }
        };
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes away what is under a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        if !self.contains_key(key) {
            return None;
        }
        let root = Arc::make_mut(self.root.as_mut()?);
        let removed = root.remove(self.levels - 1, (*key).into());
        self.len -= usize::from(removed.is_some());
        self.shrink();
        removed
    }

    /// Takes away what is under the keys of a range.
    pub fn remove_range(&mut self, keys: impl RangeBounds<K>) {
        let Some((first, last)) = bounds(&keys) else {
            return;
        };
        let removed = self.range(K::from(first)..=K::from(last)).count();
        if let Some(root) = self.root.as_mut().filter(|_| removed > 0) {
            Arc::make_mut(root).remove_range(self.levels - 1, first, last);
            self.len -= removed;
            self.shrink();
        }
    }

    /// Takes off levels that are no longer needed.
    fn shrink(&mut self) {
        while let Some(root) = &self.root {
            let below = match &**root {
                Node::Nodes(slots) if slots.present == 1 => slots.get(0).cloned(),
                root if root.present() == 0 => None,
                _ => return,
            };
            self.levels = if below.is_some() { self.levels - 1 } else { 0 };
            self.root = below;
        }
    }
}

impl<V: Clone> Radix<u64, V> {
    /// Puts something behind all there is: a list is a map from 0 on.
    pub fn push(&mut self, value: V) {
        self.insert(self.len() as u64, value);
    }
}

/// The first and the last key of a range, unless it is empty.
fn bounds<K: Copy + Into<u64>>(keys: &impl RangeBounds<K>) -> Option<(u64, u64)> {
    let first = match keys.start_bound() {
        Bound::Included(&key) => key.into(),
        Bound::Excluded(&key) => key.into().checked_add(1)?,
        Bound::Unbounded => 0,
    };
    let last = match keys.end_bound() {
        Bound::Included(&key) => key.into(),
        Bound::Excluded(&key) => key.into().checked_sub(1)?,
        Bound::Unbounded => u64::MAX,
    };
    (first <= last).then_some((first, last))
}

/// A node of one of two trees that are compared, with its level; none where a tree has nothing.
type Side<'a, V> = Option<(&'a Arc<Node<V>>, u32)>;

/// The slots that are there when a node is seen from a level, which may be above its own.
fn present<V>(side: Side<V>, level: u32) -> u64 {
    match side {
        None => 0,
        Some((_, own)) if own < level => 1,
        Some((node, _)) => node.present(),
    }
}

fn below<V>(side: Side<V>, level: u32, slot: u32) -> Side<V> {
    let (node, own) = side?;
    if own < level {
        return side.filter(|_| slot == 0);
    }
    match &**node {
        Node::Values(_) => None,
        Node::Nodes(slots) => Some((slots.get(slot)?, level - 1)),
    }
}

fn value<V>(side: Side<'_, V>, slot: u32) -> Option<&V> {
    match &**side?.0 {
        Node::Values(slots) => slots.get(slot),
        Node::Nodes(_) => None,
    }
}

fn compare<'a, K: From<u64>, V: PartialEq>(
    old: Side<'a, V>,
    new: Side<'a, V>,
    level: u32,
    base: u64,
    changes: &mut Vec<Change<'a, K, V>>,
) {
    if let (Some((old, _)), Some((new, _))) = (old, new)
        && Arc::ptr_eq(old, new)
    {
        return;
    }
    let mut left = present(old, level) | present(new, level);
    while left != 0 {
        let slot = left.trailing_zeros();
        left &= left - 1;
        let key = base + (u64::from(slot) << (level * BITS));
        if level > 0 {
            let (old, new) = (below(old, level, slot), below(new, level, slot));
            compare(old, new, level - 1, key, changes);
            continue;
        }
        let (old, new) = (value(old, slot), value(new, slot));
        if old != new {
            changes.push((key.into(), old, new));
        }
    }
}

/// A node of values that is gone through.
struct Leaf<'a, V> {
    slots: &'a Slots<V>,
    /// The key of its first slot.
    base: u64,
    /// A bit for each slot that is still to go.
    left: u64,
}

fn leaf<V>(node: &Node<V>, level: u32, base: u64, first: u64) -> Option<Leaf<'_, V>> {
    let before = first.saturating_sub(base) >> (level * BITS);
    let behind = |before| u64::MAX.checked_shl(before);
    let mut left = node.present() & u32::try_from(before).ok().and_then(behind)?;
    match node {
        Node::Values(slots) => (left != 0).then_some(Leaf { slots, base, left }),
        Node::Nodes(slots) => loop {
            if left == 0 {
                return None;
            }
            let slot = left.trailing_zeros();
            left &= left - 1;
            let base = base + (u64::from(slot) << (level * BITS));
            let found = leaf(slots.get(slot)?, level - 1, base, first);
            if found.is_some() {
                return found;
            }
        },
    }
}

/// What is under the keys of a range, in their order.
pub struct Range<'a, K, V> {
    radix: &'a Radix<K, V>,
    leaf: Option<Leaf<'a, V>>,
    last: u64,
}

impl<'a, K: Copy + Into<u64> + From<u64>, V> Iterator for Range<'a, K, V> {
    type Item = (K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let mut at = self.leaf.take()?;
        if at.left == 0 {
            at = self.radix.leaf(at.base.checked_add(1 << BITS)?)?;
        }
        let slot = at.left.trailing_zeros();
        at.left &= at.left - 1;
        let (key, slots) = (at.base + u64::from(slot), at.slots);
        if key > self.last {
            return None;
        }
        self.leaf = Some(at);
        Some((key.into(), slots.get(slot)?))
    }
}

impl<K, V> Clone for Radix<K, V> {
    fn clone(&self) -> Self {
        Radix {
            root: self.root.clone(),
            keys: PhantomData,
            ..*self
        }
    }
}

impl<K: Copy + Into<u64> + From<u64>, V> Default for Radix<K, V> {
    fn default() -> Self {
        Radix::new()
    }
}

impl<K, V: Eq> PartialEq for Radix<K, V> {
    /// Shared nodes are not looked into: `Arc` compares what is `Eq` by its place first.
    fn eq(&self, other: &Self) -> bool {
        (self.len, self.levels, &self.root) == (other.len, other.levels, &other.root)
    }
}

impl<K, V: Eq> Eq for Radix<K, V> {}

impl<K: Copy + Into<u64> + From<u64> + fmt::Debug, V: fmt::Debug> fmt::Debug for Radix<K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Copy + Into<u64> + From<u64>, V: Clone> FromIterator<(K, V)> for Radix<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut radix = Radix::new();
        for (key, value) in pairs {
            radix.insert(key, value);
        }
        radix
    }
}

impl<'a, K: Copy + Into<u64> + From<u64>, V> IntoIterator for &'a Radix<K, V> {
    type Item = (K, &'a V);
    type IntoIter = Range<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
