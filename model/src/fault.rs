//! Planted faults: known-wrong rules, one at a time, that the corpus must catch.
//!
//! Where a comment ends with issues in parentheses, the rule is what OpenZFS had wrong there, or what a driver took for a
//! rule of ZFS.

/// A planted fault. Each is a bug that a simulator of ZFS could plausibly have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// A clone gets copies of the blocks instead of sharing them.
    CloneCopies,
    /// A deferred destroy never happens.
    DeferredNeverFires,
    /// A deferred destroy happens while a clone or a hold still needs the snapshot.
    DeferredFiresEarly,
    /// A rollback keeps a newer snapshot, as a list made before it said (sanoid#903).
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
    /// The snapshots of a clone are deferred because its origin is (illumos 5150, openzfs#2690).
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
    /// With `relatime` the access time changes at every read (openzfs#4470, openzfs#4482).
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
    /// What a user writes to keeps set-user-ID (openzfs#9035).
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
    /// A file without a name goes when it is closed, also from what is read-only by then (illumos 8930, openzfs#7029).
    ReadOnlyLosesUnlinked,
    /// What is not there is destroyed: Docker stuck, for which it was an error (moby#40132, pwncollege/dojo#386).
    MissingIsDestroyed,
    /// Snapshots that are not there are destroyed, as two pruners at once took them to be (sanoid#44, sanoid#551).
    MissingSnapshotsAreDestroyed,
    /// `destroy -r` takes clones elsewhere along, as drivers counted on (moby#41055, watchtower#520, cri-o#6414).
    RecursionTakesClones,
    /// `destroy` without `-r` takes snapshots along, as drivers counted on (containerd/zfs#70, zfs-localpv#123).
    SnapshotsAreNoChildren,
    /// `destroy` takes off every mount of a filesystem, as drivers counted on (moby#16112, lxd#4656, lxd#11168).
    DestroyDetachesAll,
    /// A held snapshot is destroyed, as tools counted on (zrepl#712, zfs-autobackup#58).
    HoldsKeepNothing,
    /// A snapshot with clones is destroyed, as tools counted on (zfs-localpv#236, gluster#4690).
    ClonesKeepNothing,
    /// The last clone takes its origin along although nobody deferred that (lxd#2127).
    LastCloneTakesOrigin,
    /// A deferred destroy marks a mounted snapshot, as was asked for (openzfs#16339).
    DeferralReachesMounted,
    /// A promotion leaves a clone of which it promotes a clone what that takes over (openzfs#10652).
    PromoteKeepsLivelist,
    /// Nothing can be removed over a quota (illumos 6334, illumos 6940, openzfs#5044).
    UnlinkAsksQuota,
    /// `truncate` to the size that a file has leaves its times (openzfs#6811, openzfs#6819).
    SameSizeIsNoChange,
    /// The root has no link for the control directory that shows (openzfs#8727).
    ControlIsNotCounted,
    /// What is not on disk yet is a hole to `lseek` (openzfs#11900, openzfs#15526).
    DirtyIsClean,
    /// There is no hole at the end of a file (illumos 5139, openzfs#2714).
    EndIsNoHole,
    /// A reflink ends in front of the first block that is not on disk (openzfs#15728).
    ReflinkStopsAtDirty,
    /// A volume on raidz reserves what it would elsewhere (illumos 9318, openzfs#8973).
    RaidzReservesPlainly,
    /// A volume can have children (openzfs#8181).
    VolumesHaveChildren,
    /// What is mounted cannot be mounted once more (openzfs#5796, openzfs#7207).
    MountedOnlyOnce,
    /// Of several properties that are set at once only the last reaches the mount (openzfs#15000).
    LastPropertyRemounts,
    /// With `xattr=dir` an attribute that stands in the file itself cannot be removed (openzfs#3472).
    InlineIsNotRemoved,
    /// Removing an attribute that is not there makes a directory for it (openzfs#170).
    RemovalMakesDirectory,
    /// A file that is made without a name is made without regard to the umask (openzfs#8997).
    TemporaryIgnoresUmask,
    /// `zfs list -t snapshot` without a name tells of those of pools' root filesystems only (openzfs#8591).
    ListsSnapshotsOfTop,
    /// A volume cannot be asked for its bookmarks (openzfs#4503).
    VolumesHideBookmarks,
    /// `canmount=off` takes off what is below a filesystem that is not mounted (illumos 6428, openzfs#5628).
    CanmountOffReachesChildren,
    /// For a volume no more can be reserved than its size (openzfs#2468).
    VolumesReserveNoMore,
    /// A snapshot of a volume does not tell its size (openzfs#2265).
    SnapshotsHideVolsize,
    /// The block size of a volume is not told where it is the usual one (illumos 7604, openzfs#5629).
    UsualBlockSizeIsHidden,
    /// What is discarded begins at a whole block, and is as long as was asked for all the same (openzfs#3798).
    DiscardKeepsLength,
    /// `atime` that is inherited says nothing to what is mounted (openzfs#8674).
    AtimeOfParentIsIgnored,
    /// `zfs diff` tells of what moved to another directory under its name as of what changed (illumos 6268).
    DiffMissesMoves,
}

impl Fault {
    /// All planted faults.
    pub const ALL: [Fault; 100] = [
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
        Fault::ReadOnlyLosesUnlinked,
        Fault::MissingIsDestroyed,
        Fault::MissingSnapshotsAreDestroyed,
        Fault::RecursionTakesClones,
        Fault::SnapshotsAreNoChildren,
        Fault::DestroyDetachesAll,
        Fault::HoldsKeepNothing,
        Fault::ClonesKeepNothing,
        Fault::LastCloneTakesOrigin,
        Fault::DeferralReachesMounted,
        Fault::PromoteKeepsLivelist,
        Fault::UnlinkAsksQuota,
        Fault::SameSizeIsNoChange,
        Fault::ControlIsNotCounted,
        Fault::DirtyIsClean,
        Fault::EndIsNoHole,
        Fault::ReflinkStopsAtDirty,
        Fault::RaidzReservesPlainly,
        Fault::VolumesHaveChildren,
        Fault::MountedOnlyOnce,
        Fault::LastPropertyRemounts,
        Fault::InlineIsNotRemoved,
        Fault::RemovalMakesDirectory,
        Fault::TemporaryIgnoresUmask,
        Fault::ListsSnapshotsOfTop,
        Fault::VolumesHideBookmarks,
        Fault::CanmountOffReachesChildren,
        Fault::VolumesReserveNoMore,
        Fault::SnapshotsHideVolsize,
        Fault::UsualBlockSizeIsHidden,
        Fault::DiscardKeepsLength,
        Fault::AtimeOfParentIsIgnored,
        Fault::DiffMissesMoves,
    ];
}
