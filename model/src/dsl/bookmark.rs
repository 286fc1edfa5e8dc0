//! Bookmarks (`dsl_bookmark_create_check`, `dsl_bookmark_create_sync`, `dsl_bookmark_destroy_sync`).

use std::sync::Arc;

use crate::dmu::Objset;
use crate::dsl::dataset::{Bookmark, Dataset, Kind};
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::machine::State;

impl State {
    /// Marks a snapshot, or what another bookmark marks: an earlier state of the filesystem that gets the
    /// bookmark.
    pub(crate) fn bookmark(&mut self, name: &str, source: &str) -> Result {
        let wanted = if source.contains('@') {
            Expected::Snapshot
        } else {
            Expected::Bookmark
        };
        let (path, component) = name.split_once('#').unwrap_or((name, ""));
        if names::check(name, Expected::Bookmark).is_err()
            || names::check(source, wanted).is_err()
            // `zfs_component_namecheck` refuses it, which looking a name up does not.
            || component.contains('%')
        {
            return Err(Reason::InvalidArgument);
        }
        // `dsl_bookmark_create_check` looks for the feature before anything else.
        let pool = self.pools.get(names::pool(name));
        if pool.is_some_and(|it| !it.features.contains("bookmarks")) {
            return Err(Reason::NoBookmarks);
        }
        let filesystem = self.find(path).ok_or(Reason::NoSuchDataset)?;
        if self.find(name).is_some() {
            return Err(Reason::BookmarkExists);
        }
        if names::pool(name) != names::pool(source) {
            // `dsl_bookmark_lookup` says `EXDEV` of both.
            return Err(match wanted {
                Expected::Snapshot => Reason::BookmarkInOtherPool,
                _ => Reason::SourceNotAncestor,
            });
        }
        let source = self.find(source).ok_or(Reason::NoSuchDataset)?;
        if !self.is_before(source, filesystem) {
            return Err(Reason::SourceNotAncestor);
        }
        let Some(marked) = self.dataset(source) else {
            return Err(Reason::NoSuchDataset);
        };
        let component: Arc<str> = component.into();
        let mut bookmark = Dataset {
            id: source,
            component: component.clone(),
            creation_txg: marked.creation_txg,
            created: marked.created,
            settings: std::collections::BTreeMap::new(),
            objset: Objset::default(),
            kind: Kind::Bookmark(Bookmark {
                filesystem,
                snapshot: marked.bookmark().map_or(source, |it| it.snapshot),
            }),
        };
        let id = self.number();
        bookmark.id = id;
        if let Some(pool) = self.pool_of_mut(filesystem) {
            pool.datasets.insert(id, Arc::new(bookmark));
            pool.space.bookmark(id, filesystem, source);
            pool.close_txg();
        }
        if let Some(filesystem) = self.filesystem_mut(filesystem) {
            filesystem.bookmarks.insert(component, id);
            filesystem.lists_bookmarks = true;
        }
        Ok(())
    }

    /// Destroys a bookmark; a missing one does not matter.
    pub(crate) fn destroy_bookmark(&mut self, name: &str) -> Result {
        names::check(name, Expected::Bookmark)?;
        let Some(id) = self.find(name) else {
            return Ok(());
        };
        let filesystem = self.filesystem_of(id);
        if let Some(filesystem) = filesystem.and_then(|id| self.filesystem_mut(id)) {
            filesystem.bookmarks.remove(names::component(name));
            filesystem.lists_bookmarks = !filesystem.bookmarks.is_empty();
        }
        if let Some(pool) = self.pool_of_mut(id) {
            pool.datasets.remove(&id);
            if let Some(filesystem) = filesystem {
                pool.space.destroy_bookmark(id, filesystem);
            }
            pool.close_txg();
        }
        Ok(())
    }
}
