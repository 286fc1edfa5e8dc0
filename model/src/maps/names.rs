//! A map by name whose copies share what they have in common: a B+ tree that is copied on write.

use std::fmt;
use std::sync::Arc;

/// The most entries of a node. A change copies a node of each level.
const MOST: usize = 16;

/// A node with fewer is joined with the one beside it.
const FEW: usize = MOST / 4;

/// A map by name, in the order of the names' bytes. Cloning is O(1).
pub struct Names<V> {
    /// None when it is empty.
    root: Option<Arc<Node<V>>>,
    len: usize,
}

#[derive(Clone)]
enum Node<V> {
    Values(Vec<Named<V>>),
    /// Each with a name that is not behind any below it, and behind all below the one before.
    Nodes(Vec<Named<Arc<Node<V>>>>),
}

type Named<T> = (Arc<str>, T);

/// What a node gives up when it has become too large.
type Rest<V> = Option<Named<Arc<Node<V>>>>;

/// Cuts a list in two if it is too long.
fn cut<T>(list: &mut Vec<Named<T>>, at_end: bool) -> Option<Named<Vec<Named<T>>>> {
    if list.len() <= MOST {
        return None;
    }
    // Names that come in order fill the nodes.
    let rest = list.split_off(if at_end { MOST } else { list.len() / 2 });
    let (low, _) = rest.first()?;
    Some((low.clone(), rest))
}

/// Where, among nodes, a name belongs.
fn way<T>(nodes: &[Named<T>], name: &str) -> usize {
    let behind = nodes.partition_point(|(low, _)| **low <= *name);
    behind.saturating_sub(1)
}

fn find<V>(values: &[Named<V>], name: &str) -> Result<usize, usize> {
    values.binary_search_by(|(it, _)| (**it).cmp(name))
}

impl<V> Node<V> {
    fn len(&self) -> usize {
        match self {
            Node::Values(values) => values.len(),
            Node::Nodes(nodes) => nodes.len(),
        }
    }
}

impl<V: Clone> Node<V> {
    fn insert(&mut self, name: Arc<str>, value: V) -> (Option<V>, Rest<V>) {
        match self {
            Node::Values(values) => match find(values, &name) {
                Ok(at) => (Some(std::mem::replace(&mut values[at].1, value)), None),
                Err(at) => {
                    let at_end = at == values.len();
                    values.insert(at, (name, value));
                    let rest = cut(values, at_end);
                    let rest = rest.map(|(low, rest)| (low, Arc::new(Node::Values(rest))));
                    (None, rest)
                }
            },
            Node::Nodes(nodes) => {
                let at = way(nodes, &name);
                let (old, rest) = Arc::make_mut(&mut nodes[at].1).insert(name, value);
                let Some(rest) = rest else {
                    return (old, None);
                };
                let at_end = at + 1 == nodes.len();
                nodes.insert(at + 1, rest);
                let rest = cut(nodes, at_end);
                let rest = rest.map(|(low, rest)| (low, Arc::new(Node::Nodes(rest))));
                (old, rest)
            }
        }
    }

    fn remove(&mut self, name: &str) -> Option<V> {
        match self {
            Node::Values(values) => {
                let at = find(values, name).ok()?;
                Some(values.remove(at).1)
            }
            Node::Nodes(nodes) => {
                let at = way(nodes, name);
                let below = Arc::make_mut(&mut nodes[at].1);
                let removed = below.remove(name);
                if below.len() < FEW && nodes.len() > 1 {
                    // With the one before it, or behind the first.
                    let at = at.max(1);
                    let (_, right) = nodes.remove(at);
                    let left = Arc::make_mut(&mut nodes[at - 1].1);
                    if let Some(rest) = left.join(Arc::unwrap_or_clone(right)) {
                        nodes.insert(at, rest);
                    }
                }
                removed
            }
        }
    }

    /// Takes over what stands behind it, and gives up half if that is too much.
    fn join(&mut self, right: Node<V>) -> Rest<V> {
        match (self, right) {
            (Node::Values(values), Node::Values(right)) => {
                values.extend(right);
                let rest = cut(values, false);
                rest.map(|(low, rest)| (low, Arc::new(Node::Values(rest))))
            }
            (Node::Nodes(nodes), Node::Nodes(right)) => {
                nodes.extend(right);
                let rest = cut(nodes, false);
                rest.map(|(low, rest)| (low, Arc::new(Node::Nodes(rest))))
            }
            // Nodes beside each other are of one level.
            _ => None,
        }
    }
}

impl<V> Names<V> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Names { root: None, len: 0 }
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is under a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Values(values) => return find(values, name).ok().map(|at| &values[at].1),
                Node::Nodes(nodes) => node = &nodes[way(nodes, name)].1,
            }
        }
    }

    /// Whether there is something under a name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All of it, in the order of the names.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, V> {
        let mut iter = Iter {
            stack: Vec::new(),
            values: [].iter(),
        };
        if let Some(root) = &self.root {
            iter.enter(root);
        }
        iter
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.iter().map(|(name, _)| name)
    }

    /// What is under the names, in their order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<V: Clone> Names<V> {
    /// What is under a name, to be changed. It is copied if another map shares it.
    #[must_use]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        // What is not there is not copied on the way.
        if !self.contains_key(name) {
            return None;
        }
        let mut node = Arc::make_mut(self.root.as_mut()?);
        loop {
            match node {
                Node::Values(values) => {
                    return find(values, name).ok().map(|at| &mut values[at].1);
                }
                Node::Nodes(nodes) => {
                    let at = way(nodes, name);
                    node = Arc::make_mut(&mut nodes[at].1);
                }
            }
        }
    }

    /// Puts something under a name, and gives what was there.
    pub fn insert(&mut self, name: Arc<str>, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Values(vec![(name, value)])));
            self.len = 1;
            return None;
        };
        let (old, rest) = Arc::make_mut(root).insert(name, value);
        if let Some(rest) = rest {
            // Nothing is before the first node, so that any name will do for it.
            let first = ("".into(), root.clone());
            *root = Arc::new(Node::Nodes(vec![first, rest]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Takes away what is under a name.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        if !self.contains_key(name) {
            return None;
        }
        let root = self.root.as_mut()?;
        let removed = Arc::make_mut(root).remove(name);
        self.len -= usize::from(removed.is_some());
        while let Some(root) = &self.root {
            let below = match &**root {
                Node::Values(values) if values.is_empty() => None,
                Node::Nodes(nodes) if nodes.len() == 1 => Some(nodes[0].1.clone()),
                _ => break,
            };
            self.root = below;
        }
        removed
    }
}

/// What is under names, in their order.
pub struct Iter<'a, V> {
    /// What is still to go of the nodes on the way.
    stack: Vec<std::slice::Iter<'a, Named<Arc<Node<V>>>>>,
    values: std::slice::Iter<'a, Named<V>>,
}

impl<'a, V> Iter<'a, V> {
    fn enter(&mut self, node: &'a Node<V>) {
        match node {
            Node::Values(values) => self.values = values.iter(),
            Node::Nodes(nodes) => self.stack.push(nodes.iter()),
        }
    }
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Arc<str>, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((name, value)) = self.values.next() {
                return Some((name, value));
            }
            match self.stack.last_mut()?.next() {
                Some((_, below)) => self.enter(below),
                None => {
                    self.stack.pop();
                }
            }
        }
    }
}

impl<V> Clone for Names<V> {
    fn clone(&self) -> Self {
        Names {
            root: self.root.clone(),
            len: self.len,
        }
    }
}

impl<V> Default for Names<V> {
    fn default() -> Self {
        Names::new()
    }
}

impl<V: PartialEq> PartialEq for Names<V> {
    fn eq(&self, other: &Self) -> bool {
        let shared = match (&self.root, &other.root) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        shared || (self.len == other.len && self.iter().eq(other.iter()))
    }
}

impl<V: Eq> Eq for Names<V> {}

impl<V: fmt::Debug> fmt::Debug for Names<V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_map().entries(self.iter()).finish()
    }
}

impl<V: Clone> FromIterator<(Arc<str>, V)> for Names<V> {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, V)>>(pairs: I) -> Self {
        let mut names = Names::new();
        for (name, value) in pairs {
            names.insert(name, value);
        }
        names
    }
}

impl<'a, V> IntoIterator for &'a Names<V> {
    type Item = (&'a Arc<str>, &'a V);
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
