//! The mount table, as Linux keeps it: mounts stand on mounts.
//!
//! Outside of all mounts lies a file system of which the model knows nothing: every directory
//! there exists when it is asked for, and changes there leave no trace.

use crate::dmu::ObjectId;
use crate::dsl::dataset::DatasetId;
use crate::zpl::open::OpenFiles;

/// The number of a mount, never used twice on a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountId(pub u64);

/// A dataset mounted somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Its number; a later mount has a higher one.
    pub id: MountId,
    /// The mounted filesystem or snapshot.
    pub dataset: DatasetId,
    /// Where it is mounted: an absolute path.
    pub path: String,
    /// Whether it was mounted with `ro`.
    pub read_only: bool,
    /// The mount it stands on, with the directory there that it covers; none outside.
    pub on: Option<(MountId, ObjectId)>,
}

/// A place in the machine's path space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'m, 'p> {
    /// The mount that the path leads into; none outside of all mounts.
    pub mount: Option<&'m Mount>,
    /// The rest of the path within it: `/` for its root.
    pub inside: &'p str,
}

/// The mounted datasets, in the order in which they were mounted.
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    table: Vec<Mount>,
    next: u64,
}

/// What of `path` lies beneath `top`: `/` for `top` itself.
fn beneath<'a>(path: &'a str, top: &str) -> Option<&'a str> {
    let rest = if top == "/" {
        path
    } else {
        path.strip_prefix(top)?
    };
    match rest {
        "" => Some("/"),
        _ => rest.starts_with('/').then_some(rest),
    }
}

impl Mounts {
    /// All mounts, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.table.iter()
    }

    /// A mount by its number.
    #[must_use]
    pub fn get(&self, id: MountId) -> Option<&Mount> {
        self.table.iter().find(|mount| mount.id == id)
    }

    /// The mounts of a dataset, oldest first.
    pub fn of(&self, dataset: DatasetId) -> impl Iterator<Item = &Mount> {
        self.table
            .iter()
            .filter(move |mount| mount.dataset == dataset)
    }

    /// The oldest mount of a dataset: the one through which file steps reach it.
    #[must_use]
    pub fn first(&self, dataset: DatasetId) -> Option<&Mount> {
        self.of(dataset).next()
    }

    /// Whether a dataset is mounted anywhere.
    #[must_use]
    pub fn is_mounted(&self, dataset: DatasetId) -> bool {
        self.first(dataset).is_some()
    }

    /// Whether anything holds the dataset so that it cannot be destroyed or exported: a mount, or a
    /// file that is still open below a mount that was lazily unmounted.
    #[must_use]
    pub fn holds(&self, dataset: DatasetId, open: &OpenFiles) -> bool {
        self.is_mounted(dataset) || open.on_dataset(dataset)
    }

    /// Where an absolute path leads. Symbolic links on the way are not followed.
    #[must_use]
    pub fn locate<'m, 'p>(&'m self, path: &'p str) -> Place<'m, 'p> {
        let mut place = Place {
            mount: None,
            inside: path,
        };
        loop {
            let current = place.mount.map(|mount| mount.id);
            // A walk along the path meets the shortest mountpoint first.
            let next = self
                .table
                .iter()
                .filter(|mount| mount.on.map(|(below, _)| below) == current)
                .filter_map(|mount| Some((mount, beneath(path, &mount.path)?)))
                .min_by_key(|(mount, _)| mount.path.len());
            match next {
                Some((mount, inside)) => {
                    place = Place {
                        mount: Some(mount),
                        inside,
                    }
                }
                None => return place,
            }
        }
    }

    /// The topmost mount whose root is at `path`.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<&Mount> {
        let place = self.locate(path);
        place.mount.filter(|_| place.inside == "/")
    }

    /// Whether another mount stands on this one, or a file is open through it: `umount` without a
    /// flag is then refused with `EBUSY`.
    #[must_use]
    pub fn is_busy(&self, id: MountId, open: &OpenFiles) -> bool {
        self.table
            .iter()
            .any(|mount| mount.on.is_some_and(|(below, _)| below == id))
            || open.through(id)
    }

    /// Whether something is mounted on this directory of a dataset, through any of its mounts.
    #[must_use]
    pub fn covers(&self, dataset: DatasetId, directory: ObjectId) -> bool {
        self.table.iter().any(|mount| {
            mount.on.is_some_and(|(below, covered)| {
                covered == directory
                    && self
                        .get(below)
                        .is_some_and(|below| below.dataset == dataset)
            })
        })
    }

    /// Whether something is mounted on this directory as seen through this mount.
    #[must_use]
    pub fn crosses(&self, through: MountId, directory: ObjectId) -> bool {
        self.table
            .iter()
            .any(|mount| mount.on == Some((through, directory)))
    }

    /// Adds a mount; the rules were checked before.
    pub(crate) fn add(
        &mut self,
        dataset: DatasetId,
        path: &str,
        read_only: bool,
        on: Option<(MountId, ObjectId)>,
    ) -> MountId {
        let id = MountId(self.next);
        self.next += 1;
        self.table.push(Mount {
            id,
            dataset,
            path: path.to_owned(),
            read_only,
            on,
        });
        id
    }

    /// Gives a mount another `ro` flag.
    pub(crate) fn remount(&mut self, id: MountId, read_only: bool) {
        let mut mounts = self.table.iter_mut();
        if let Some(mount) = mounts.find(|mount| mount.id == id) {
            mount.read_only = read_only;
        }
    }

    /// Takes a mount off, with all that stand on it.
    pub(crate) fn detach(&mut self, id: MountId) {
        let mut gone = vec![id];
        while let Some(id) = gone.pop() {
            self.table.retain(|mount| {
                let on_it = mount.on.is_some_and(|(below, _)| below == id);
                if on_it {
                    gone.push(mount.id);
                }
                !on_it && mount.id != id
            });
        }
    }
}
