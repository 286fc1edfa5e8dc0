//! Planted faults: known-wrong rules, one at a time, that the corpus must catch.

/// A planted fault. Each is a bug that a simulator of ZFS could plausibly have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A clone gets copies of the blocks instead of sharing them.
    CloneCopies,
    /// A deferred destroy never happens.
    DeferredNeverFires,
    /// A deferred destroy happens while a clone or a hold still needs the snapshot.
    DeferredFiresEarly,
    /// A rollback keeps a newer snapshot.
    RollbackKeepsNewer,
    /// An unlink in a clone shows in the snapshot it came from.
    UnlinkShowsBelow,
    /// A promoted clone keeps its origin.
    PromoteLeavesOrigin,
    /// A promote moves one snapshot too many.
    PromoteMovesOneTooMany,
    /// A rename leaves the children under the old name.
    RenameForgetsChildren,
    /// A recursive snapshot misses a child.
    SnapshotMissesChild,
    /// A write to a clone reaches its origin.
    WriteReachesOrigin,
    /// An inherited property keeps its old value after a rename.
    InheritedSticksAfterRename,
    /// `destroy -R` spares a clone.
    DestroySparesClone,
    /// A volume that is resized gives its snapshots the new size.
    ResizeReachesSnapshots,
}

impl Fault {
    /// All planted faults.
    pub const ALL: [Fault; 13] = [
        Fault::CloneCopies,
        Fault::DeferredNeverFires,
        Fault::DeferredFiresEarly,
        Fault::RollbackKeepsNewer,
        Fault::UnlinkShowsBelow,
        Fault::PromoteLeavesOrigin,
        Fault::PromoteMovesOneTooMany,
        Fault::RenameForgetsChildren,
        Fault::SnapshotMissesChild,
        Fault::WriteReachesOrigin,
        Fault::InheritedSticksAfterRename,
        Fault::DestroySparesClone,
        Fault::ResizeReachesSnapshots,
    ];
}
