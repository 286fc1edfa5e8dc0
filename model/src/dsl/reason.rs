//! Why ZFS refuses an operation on pools or datasets.

use std::sync::Arc;

use crate::outcome::Errno;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $(( $($field:ty),* ))? ;)*) => {
        /// A reason of refusal, as data; `programs` turns it into the release's text.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name $(( $($field),* ))?,)* }

        impl Reason {
            /// The names of all reasons, for a test that wants an example of each.
            pub const KINDS: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The name of this reason.
            #[must_use]
            pub const fn kind(&self) -> &'static str {
                match self { $(Reason::$name { .. } => stringify!($name),)* }
            }
        }
    };
}

reasons! {
    // Names (`zfs_validate_name`, `entity_namecheck`, `dataset_nestcheck`).
    /// An empty component, or a delimiter with nothing before or after it.
    EmptyComponent;
    /// The name ends in a slash, or a slash follows the `@`.
    TrailingSlash;
    /// The name starts with a slash.
    LeadingSlash;
    /// This byte may not stand in a name.
    InvalidCharacter(u8);
    /// A `%` in the name of something that is made or changed.
    PercentInName;
    /// More than one `@` or `#`.
    MultipleDelimiters;
    /// A component is `.`.
    SelfReference;
    /// A component is `..`.
    ParentReference;
    /// Longer than 255 bytes.
    NameTooLong;
    /// The name, or that of something below it, becomes too long or is nested too deep for the kernel.
    TooLongOrDeep;
    /// An `@` where no snapshot is expected.
    SnapshotDelimiter;
    /// No `@` where a snapshot is expected.
    NoSnapshotDelimiter;
    /// A `#` where no bookmark is expected.
    BookmarkDelimiter;
    /// 50 levels of filesystems or more, in `zfs create`.
    NestedTooDeep;
    /// The name of a pool where that of a filesystem below it is expected.
    NoDatasetName;
    /// A pool's name does not start with a letter.
    PoolNameWithoutLetter;
    /// The name of a pool that is reserved.
    ReservedName;

    // What is there, and what is not.
    /// There is no such dataset.
    NoSuchDataset;
    /// There is no such pool; its name.
    NoSuchPool(Arc<str>);
    /// The filesystem above it does not exist.
    NoParent;
    /// The dataset exists already.
    AlreadyExists;
    /// A pool of that name exists already.
    PoolExists(Arc<str>);
    /// What is above it is a volume.
    ParentNotFilesystem;
    /// It is not a dataset of the kind that this works on.
    WrongType;
    /// Two datasets that must be in one pool are not.
    PoolsDiffer;

    // Snapshots.
    /// Two snapshots of one filesystem in one operation.
    SnapshotTwice;
    /// For each snapshot that is in the way, why; none of them was made or destroyed.
    Snapshots(Vec<(Arc<str>, Reason)>);
    /// The snapshot has clones.
    Cloned;
    /// The snapshot has user holds.
    Held(Arc<str>);
    /// There are filesystems or snapshots below it.
    HasChildren;
    /// It is in use: mounted, or a file in it is open.
    Busy;
    /// A file is open for writing through the mount that is to become read-only.
    MountAttributes;
    /// The mount is in use: a file is open through it, or another mount stands on it.
    MountBusy;    /// There is a newer snapshot than the one to roll back to.
    NewerSnapshot(Arc<str>);

    // Bookmarks (`dsl_bookmark_create_check_impl`, `zfs_do_bookmark`).
    /// A name that no bookmark can have, or be made from.
    InvalidArgument;
    /// There is no bookmark of this name.
    NoSuchBookmark;
    /// There is a bookmark of this name.
    BookmarkExists;
    /// The source is in another pool.
    BookmarkInOtherPool;
    /// The source is no earlier state of the filesystem.
    SourceNotAncestor;

    // Promote and rename.
    /// It is not a clone.
    NotAClone;
    /// A snapshot of this name exists on both sides: its name, and the clone's origin.
    ConflictingSnapshot(Arc<str>, Arc<str>);
    /// A filesystem cannot move below itself.
    BelowItself;
    /// A rename to another pool.
    OtherPool;
    /// A rename of a snapshot to another filesystem.
    OtherFilesystem;
    /// A child has a snapshot of the new name.
    ChildHasSnapshot;

    // Holds.
    /// The snapshot has a hold with this tag already.
    TagExists;
    /// The snapshot has no hold with this tag.
    NoSuchTag;
    /// A tag longer than 256 bytes.
    TagTooLong;

    // Properties (`zfs_valid_proplist`, `zprop_parse_value`).
    /// There is no property of this name.
    UnknownProperty(Arc<str>);
    /// The property can only be read.
    ReadonlyProperty(Arc<str>);
    /// The property is not one of this kind of dataset.
    WrongTypeForProperty(Arc<str>);
    /// Only a user's properties can be set on a snapshot.
    NotOnSnapshots;
    /// The value is none of the words that the property knows.
    NotOneOf(Arc<str>, &'static str);
    /// The value is not a number.
    BadNumber(Arc<str>);
    /// What follows the number is no unit.
    BadUnit(Arc<str>);
    /// The number does not fit 64 bits.
    NumberTooLarge;
    /// A block size that is no power of two between 512 and the largest, in bytes: the property, the largest.
    BadBlockSize(Arc<str>, u64);
    /// `auto` for a number that knows none.
    AutoNotAllowed(Arc<str>);
    /// `auto` for the reservation of what is no volume.
    AutoOfFilesystem(Arc<str>);
    /// A volume's size that is no multiple of its block size, in bytes: the property, the block size.
    SizeNotWholeBlocks(Arc<str>, u64);
    /// A volume's size of 0: the property.
    SizeZero(Arc<str>);
    /// A new volume of size 0.
    NewVolumeEmpty;
    /// Where a key is: no place that is known.
    BadKeyLocation;
    /// Properties of encryption on what is made without.
    EncryptionOff;
    /// A key for what is not encrypted.
    KeyOfUnencrypted;
    /// Labels of multilevel security are not supported.
    LabelsUnsupported;
    /// Nobody may do that.
    NotPermitted;
    /// A size for `special_small_blocks` that is none: the property as it was named, the size, the largest.
    BadSmallBlocks(Arc<str>, u64, u64);
    /// A mountpoint that is neither a path nor `none` nor `legacy`.
    BadMountpoint;
    /// A quota of 0: `none` is the word for it.
    ZeroQuota;
    /// The name of a user's property is longer than 255 bytes.
    PropertyNameTooLong(Arc<str>);
    /// The value of a property is longer than 8191 bytes.
    ValueTooLong;
    /// More than is free.
    OutOfSpace;
    /// A quota below what is used.
    BelowUsed;
    /// A reservation above what is available.
    AboveAvailable;
    /// The property is not inherited.
    NotInheritable(Arc<str>);
    /// The property is not one of this kind of dataset, so that nothing can be inherited.
    NotForThisType;
    /// `readonly` is on.
    ReadonlyDataset;
    /// The filesystem version cannot go down.
    Downgrade;

    // Mounts (`zfs_mount_at`, `zfs_unmount`).
    /// The mountpoint is not there any longer.
    NoSuchMountpoint;
    /// The unmount failed for another reason.
    UnmountFailed;
    /// It is mounted already.
    AlreadyMounted;
    /// It is not mounted.
    NotMounted;
    /// The path is no mountpoint.
    NotAMountpoint;
    /// A system call of the mount failed.
    MountFailed(Errno);
    /// The mountpoint could not be made.
    NoMountpoint(Errno);
    /// The mountpoint is not empty, and `overlay` is off.
    MountpointNotEmpty;
    /// `canmount` is `off`.
    CannotMount;
    /// `mountpoint` is `none`.
    NoMountpointSet;
    /// `mountpoint` is `legacy`.
    LegacyMountpoint;

    /// Not refused: an assertion fails, and the kernel panics. A bug of OpenZFS.
    KernelPanic;

    // Pools.
    /// There is no such file or device.
    NoSuchVdev(Arc<str>);
    /// The device is part of a pool: the vdev, and the pool.
    VdevInUse(Arc<str>, Arc<str>);
    /// The device is part of a pool, which is imported under another name: the vdev, and the pool's own name.
    VdevPerhapsInUse(Arc<str>, Arc<str>);
    /// A device is named twice.
    VdevTwice;
    /// The devices of a vdev have different sizes: the kind of vdev.
    DifferentSizes(&'static str);
    /// Vdevs stand up to failures differently: how.
    MismatchedReplication(Arc<str>);
    /// The mountpoint of a new pool has entries.
    MountpointInUse;
    /// A device smaller than 64 MiB.
    VdevTooSmall;
    /// A device is too small, and the vdev that it is a part of could do without it.
    VdevDegraded;
    /// A mirror or raidz with too few devices: its name, and the number it needs.
    TooFewVdevs(Arc<str>, u64);
    /// The property of a pool does not exist.
    UnknownPoolProperty(Arc<str>);
    /// The value of a pool's property is out of bounds: name and value.
    BadPoolProperty(Arc<str>, Arc<str>);

    /// Something in the pool is in use.
    PoolBusy;
    /// An alternate root that is no absolute path.
    BadAltroot(Arc<str>);
    /// The pool was imported read-only.
    PoolReadOnly;
    /// Nothing is scrubbed.
    NoScrub;
    /// The pool has a checkpoint.
    CheckpointExists;
    /// The pool has no checkpoint.
    NoCheckpoint;
    /// The pool lacks the feature, or cannot boot from such a dataset.
    NotSupportedByPool;
    /// The device is part of a pool that is exported: the vdev, and the pool.
    VdevOfExported(Arc<str>, Arc<str>);
    /// The pool has no such device.
    NoSuchDevice;
    /// Nothing can be attached to the device.
    NotAttachable;
    /// The device is in no mirror.
    NotDetachable;
    /// The new device is smaller than the others.
    DeviceTooSmall;
    /// The device has no label.
    NoLabel(Arc<str>);
    /// There is no such pool to be imported.
    NothingToImport;
    /// Two pools of that name could be imported.
    MoreThanOnePool;

    // Properties of pools (`zpool_valid_proplist`, `spa_prop_validate`).
    /// It can only be set when a pool is made.
    OnlyAtCreation(Arc<str>);
    /// It can only be set when a pool is made or imported.
    OnlyAtCreationOrImport(Arc<str>);
    /// It can only be set when a pool is imported.
    OnlyAtImport(Arc<str>);
    /// It cannot be set when a pool is made or imported.
    NotAtCreation(Arc<str>);
    /// An `ashift` out of bounds.
    BadAshift(u64);
    /// A version that no pool can get.
    BadVersion(u64);
    /// The pool has features, and no version.
    InvalidForPool;
    /// A comment of more than 32 bytes.
    CommentTooLong;
    /// A comment with characters that cannot be printed.
    UnprintableComment;
    /// A `cachefile` that is no path.
    BadCachefile;
    /// No name of a dataset of this pool.
    BadBootfs(Arc<str>);
    /// There is no such dataset to boot from.
    NoSuchBootfs;
    /// The pool lacks the feature that a property or its value needs.
    NeedsFeature;
    /// The pool has no bookmarks.
    NoBookmarks;
    /// A version and features of a pool are not given together.
    VersionAndFeature;
    /// There is no such feature.
    UnknownFeature(Arc<str>);
    /// A feature is enabled or disabled, and nothing else.
    FeatureState(Arc<str>);
    /// A feature cannot be disabled any more.
    FeatureStays(Arc<str>);
}
