//! Features of pools (`spa_feature_table`).

use std::collections::BTreeSet;

use crate::release::Release;

/// When an enabled feature becomes active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// At once.
    Always,
    /// With the pool; what activates it later is not followed.
    FromStart,
    /// When something uses it; what has used it is not followed.
    ByUse,
    /// As long as there is a list of bookmarks.
    Bookmark,
    /// As long as there is a checkpoint.
    Checkpoint,
    /// As long as there is a draid.
    Draid,
    /// Never by anything that is modelled.
    Never,
}

/// A feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Its name, without `feature@`.
    pub name: &'static str,
    /// The first release that has it.
    pub since: Release,
    /// When it becomes active.
    pub activity: Activity,
}

use Activity::{Always, Bookmark, ByUse, Checkpoint, Draid, FromStart, Never};
use Release::{V2_1, V2_3, V2_4};

/// All of them, in the order in which ZFS lists them.
const FEATURES: [(&str, Release, Activity); 47] = [
    ("async_destroy", V2_1, ByUse),
    ("empty_bpobj", V2_1, ByUse),
    ("lz4_compress", V2_1, Always),
    ("multi_vdev_crash_dump", V2_1, Never),
    ("spacemap_histogram", V2_1, Always),
    ("enabled_txg", V2_1, Always),
    ("hole_birth", V2_1, Always),
    ("extensible_dataset", V2_1, ByUse),
    ("embedded_data", V2_1, Always),
    ("bookmarks", V2_1, Bookmark),
    ("filesystem_limits", V2_1, ByUse),
    ("large_blocks", V2_1, ByUse),
    ("large_dnode", V2_1, ByUse),
    ("sha512", V2_1, ByUse),
    ("skein", V2_1, ByUse),
    ("edonr", V2_1, ByUse),
    ("userobj_accounting", V2_1, ByUse),
    ("encryption", V2_1, Never),
    ("project_quota", V2_1, ByUse),
    ("device_removal", V2_1, Never),
    ("obsolete_counts", V2_1, Never),
    ("zpool_checkpoint", V2_1, Checkpoint),
    ("spacemap_v2", V2_1, Always),
    ("allocation_classes", V2_1, Never),
    ("resilver_defer", V2_1, Never),
    ("bookmark_v2", V2_1, ByUse),
    ("redaction_bookmarks", V2_1, Never),
    ("redacted_datasets", V2_1, Never),
    ("bookmark_written", V2_1, ByUse),
    ("log_spacemap", V2_1, Always),
    ("livelist", V2_1, ByUse),
    ("device_rebuild", V2_1, Never),
    ("zstd_compress", V2_1, ByUse),
    ("draid", V2_1, Draid),
    ("zilsaxattr", V2_3, ByUse),
    ("head_errlog", V2_3, Always),
    ("blake3", V2_3, ByUse),
    ("block_cloning", V2_3, ByUse),
    ("vdev_zaps_v2", V2_3, FromStart),
    ("redaction_list_spill", V2_3, Never),
    ("raidz_expansion", V2_3, Never),
    ("fast_dedup", V2_3, ByUse),
    ("longname", V2_3, ByUse),
    ("large_microzap", V2_3, ByUse),
    ("dynamic_gang_header", V2_4, ByUse),
    ("block_cloning_endian", V2_4, ByUse),
    ("physical_rewrite", V2_4, Never),
];

impl Feature {
    /// The features of a release, in the order in which ZFS lists them.
    pub fn all(release: Release) -> impl Iterator<Item = Feature> {
        FEATURES
            .into_iter()
            .map(|(name, since, activity)| Feature {
                name,
                since,
                activity,
            })
            .filter(move |feature| feature.since <= release)
    }

    /// Those that a pool is missed in: an upgrade enables them. The others wait until they are asked for
    /// (`ZFEATURE_FLAG_NO_UPGRADE`).
    pub fn of_upgrades(release: Release) -> impl Iterator<Item = Feature> {
        Feature::all(release).filter(|feature| feature.name != "dynamic_gang_header")
    }

    /// The features without which it cannot be: they are enabled with it (`spa_feature_enable_sync`).
    fn needs(self) -> &'static [&'static str] {
        match self.name {
            "hole_birth" => &["enabled_txg"],
            "bookmark_v2" => &["bookmarks"],
            "encryption" | "redaction_bookmarks" | "bookmark_written" => &["bookmark_v2"],
            "redaction_list_spill" => &["redaction_bookmarks"],
            "log_spacemap" => &["spacemap_v2"],
            "obsolete_counts" => &["extensible_dataset", "device_removal"],
            "large_microzap" => &["large_blocks"],
            "bookmarks" | "filesystem_limits" | "livelist" | "large_blocks" | "large_dnode"
            | "sha512" | "skein" | "edonr" | "redacted_datasets" | "userobj_accounting"
            | "project_quota" | "zstd_compress" | "zilsaxattr" | "blake3" | "longname"
            | "physical_rewrite" => &["extensible_dataset"],
            _ => &[],
        }
    }

    /// Enables it, with those that it needs.
    pub(crate) fn enable(self, enabled: &mut BTreeSet<&'static str>, release: Release) {
        for needed in self.needs() {
            if let Some(needed) = Feature::by_name(needed, release) {
                needed.enable(enabled, release);
            }
        }
        enabled.insert(self.name);
    }

    /// The feature of this name.
    #[must_use]
    pub fn by_name(name: &str, release: Release) -> Option<Feature> {
        Feature::all(release).find(|feature| feature.name == name)
    }
}
