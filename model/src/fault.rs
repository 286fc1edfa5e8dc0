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
    /// `destroy -Rn` does not tell of clones (openzfs#13806).
    DryRunOmitsClones,
    /// A list of snapshots is destroyed but for those that cannot be (znapzend#96).
    BatchGoesPartly,
    /// The snapshots of a clone are deferred because its origin is (illumos 5150).
    CloneInheritsDeferral,
    /// A walk over what depends on a dataset meets no clones of clones.
    WalkIsShallow,
    /// A walk that comes back to where it was is never refused.
    WalkForgivesCycles,
    /// A rollback keeps newer bookmarks.
    RollbackKeepsBookmarks,
    /// A promote leaves all bookmarks where they are.
    PromoteLeavesBookmarks,
    /// A promote moves bookmarks of what is younger than the origin, too.
    PromoteMovesAllBookmarks,
    /// A volume that is resized gives its snapshots the new size.
    ResizeReachesSnapshots,
    /// A volume that is resized keeps what it reserved for its old size.
    ResizeKeepsReservation,
    /// A volume that is rolled back keeps its size.
    RollbackKeepsSize,
    /// What is discarded of a block in part becomes zeros.
    DiscardReachesParts,
    /// The rows of a draid have no parity.
    DraidHasNoParity,
    /// `canmount` is inherited.
    CanmountInherits,
    /// A dataset is mounted read-only in one place and not in another (moby#24403, containerd#12513).
    MountsDiffer,
    /// A dataset is free when its last mount is detached, whatever is open (containers/storage#2005).
    DetachedIsFree,
    /// `umount -f` takes off what has open files.
    ForceClosesFiles,
    /// An exported pool keeps what it was only imported with.
    ExportKeepsAltroot,
    /// A pool that is imported under another name keeps that of its root filesystem.
    ImportKeepsRootName,
    /// An import that goes back to a checkpoint does not.
    RewindKeepsNewer,
    /// A checkpoint is taken although its feature is not enabled.
    CheckpointNeedsNoFeature,
    /// A property of a pool that is set to its default counts as set.
    PoolDefaultIsLocal,
    /// An indirect block takes nothing.
    IndirectIsFree,
    /// An indirect block is stored once.
    IndirectIsSingle,
    /// A block that its pointer holds takes a sector.
    EmbeddedIsCharged,
    /// Raidz pads nothing.
    RaidzPadsNothing,
    /// A hole that is punched is written as zeros.
    PunchWritesZeros,
    /// A pool that was imported read-only is changed all the same.
    ReadOnlyPoolChanges,
    /// A dataset is charged a sector too much for each block.
    BlockIsSectorTooLarge,
    /// What a head lets go of goes to the deadlist of the snapshot before it.
    DeadlistOfWrongSnapshot,
    /// A clone is charged for what it shares.
    CloneIsCharged,
    /// A reservation is charged twice.
    ReservationIsChargedTwice,
    /// A promotion leaves the origin what it had alone.
    PromoteKeepsUnique,
    /// What is written is as old as all that was since the last snapshot.
    BirthIsOfSnapshot,
    /// Nothing keeps a writer from going over a quota.
    QuotaIsIgnored,
    /// A `refquota` counts what only snapshots have.
    RefquotaCountsSnapshots,
    /// What a quota refuses has been written.
    RefusedIsWritten,
    /// Attributes that do not fit into a dnode take nothing.
    SpillIsFree,
    /// A block that is written again as it was is another one, however strong its checksum.
    SameIsWrittenAnew,
    /// A cloned block is compressed as its new dataset says.
    CloneIsCompressedAnew,
    /// With `relatime` the access time changes at every read.
    RelatimeIsStrict,
    /// A punched hole leaves its file dirty although nothing was there.
    PunchTouchesHoles,
    /// A file that could not be extended tells its own size.
    RefusedSizeIsHidden,
    /// What deduplicated and cloned blocks save is not available.
    SharingSavesNothing,
    /// A volume is read into memory once, and not each time its device is opened.
    VolumeIsReadOnce,
    /// Everybody may do everything.
    EverybodyIsRoot,
    /// Everybody who may write to a sticky directory removes what others own.
    StickyIsIgnored,
    /// No file can be exchanged for another one on any release, and no whiteout left behind.
    NoExchange,
    /// What a user writes to keeps set-user-ID.
    SetUidStays,
    /// The only block of a small file is a hole when nothing but zeros is in it, whatever its size.
    OddBlockIsHole,
    /// Names that differ in case are two, always.
    CaseMatters,
    /// `zfs diff` tells of a renamed file as of one that was changed.
    DiffMissesRenames,
    /// What was mounted read-only by an option stays so behind a rename.
    RenameKeepsReadOnly,
    /// A block of zeros is a hole before it is on disk.
    ZerosAreClean,
    /// A volume that nothing was written to keeps its end when it becomes smaller.
    EmptyVolumeKeepsEnd,
}

impl Fault {
    /// All planted faults.
    pub const ALL: [Fault; 67] = [
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
        Fault::DryRunOmitsClones,
        Fault::BatchGoesPartly,
        Fault::CloneInheritsDeferral,
        Fault::WalkIsShallow,
        Fault::WalkForgivesCycles,
        Fault::RollbackKeepsBookmarks,
        Fault::PromoteLeavesBookmarks,
        Fault::PromoteMovesAllBookmarks,
        Fault::ResizeReachesSnapshots,
        Fault::ResizeKeepsReservation,
        Fault::RollbackKeepsSize,
        Fault::DiscardReachesParts,
        Fault::DraidHasNoParity,
        Fault::CanmountInherits,
        Fault::MountsDiffer,
        Fault::DetachedIsFree,
        Fault::ForceClosesFiles,
        Fault::ExportKeepsAltroot,
        Fault::ImportKeepsRootName,
        Fault::RewindKeepsNewer,
        Fault::CheckpointNeedsNoFeature,
        Fault::PoolDefaultIsLocal,
        Fault::IndirectIsFree,
        Fault::IndirectIsSingle,
        Fault::EmbeddedIsCharged,
        Fault::RaidzPadsNothing,
        Fault::PunchWritesZeros,
        Fault::ReadOnlyPoolChanges,
        Fault::BlockIsSectorTooLarge,
        Fault::DeadlistOfWrongSnapshot,
        Fault::CloneIsCharged,
        Fault::ReservationIsChargedTwice,
        Fault::PromoteKeepsUnique,
        Fault::BirthIsOfSnapshot,
        Fault::QuotaIsIgnored,
        Fault::RefquotaCountsSnapshots,
        Fault::RefusedIsWritten,
        Fault::SpillIsFree,
        Fault::SameIsWrittenAnew,
        Fault::CloneIsCompressedAnew,
        Fault::RelatimeIsStrict,
        Fault::PunchTouchesHoles,
        Fault::RefusedSizeIsHidden,
        Fault::SharingSavesNothing,
        Fault::VolumeIsReadOnce,
        Fault::EverybodyIsRoot,
        Fault::StickyIsIgnored,
        Fault::NoExchange,
        Fault::SetUidStays,
        Fault::OddBlockIsHole,
        Fault::CaseMatters,
        Fault::DiffMissesRenames,
        Fault::RenameKeepsReadOnly,
        Fault::ZerosAreClean,
        Fault::EmptyVolumeKeepsEnd,
    ];
}
