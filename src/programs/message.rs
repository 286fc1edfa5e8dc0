//! What the programs say about a refusal, by release.

use ztwin_model::Release;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::outcome::Errno;

use super::zfs::nice_bytes;

/// The text for a reason, as it follows `cannot ...: `, in bytes: of a character that is not allowed in a
/// name ZFS shows the first byte.
pub(super) fn bytes(reason: &Reason, release: Release) -> Vec<u8> {
    match reason {
        Reason::InvalidCharacter(byte) => [
            b"invalid character '",
            std::slice::from_ref(byte),
            b"' in name",
        ]
        .concat(),
        _ => text(reason, release).into_bytes(),
    }
}

/// The text for a reason, as it follows `cannot ...: `.
fn text(reason: &Reason, release: Release) -> String {
    match reason {
        Reason::EmptyComponent => {
            "empty component or misplaced '@' or '#' delimiter in name".to_owned()
        }
        Reason::TrailingSlash => "trailing slash in name".to_owned(),
        Reason::LeadingSlash => "leading slash in name".to_owned(),
        Reason::InvalidCharacter(byte) => {
            format!("invalid character '{}' in name", char::from(*byte))
        }
        Reason::PercentInName => "invalid character % in name".to_owned(),
        Reason::MultipleDelimiters => "multiple '@' and/or '#' delimiters in name".to_owned(),
        Reason::SelfReference => "self reference, '.' is found in name".to_owned(),
        Reason::ParentReference => "parent reference, '..' is found in name".to_owned(),
        Reason::NameTooLong => "name is too long".to_owned(),
        Reason::TooLongOrDeep => "dataset name is too long".to_owned(),
        Reason::SnapshotDelimiter => "snapshot delimiter '@' is not expected here".to_owned(),
        Reason::NoSnapshotDelimiter => "missing '@' delimiter in snapshot name".to_owned(),
        Reason::BookmarkDelimiter => "bookmark delimiter '#' is not expected here".to_owned(),
        Reason::NestedTooDeep => "maximum name nesting depth exceeded".to_owned(),
        Reason::NoDatasetName => "missing dataset name".to_owned(),
        Reason::PoolNameWithoutLetter => "name must begin with a letter".to_owned(),
        Reason::ReservedName => "name is reserved".to_owned(),

        Reason::NoSuchDataset => "dataset does not exist".to_owned(),
        Reason::NoSuchPool(pool) => format!("no such pool '{pool}'"),
        Reason::NoParent => "parent does not exist".to_owned(),
        Reason::AlreadyExists | Reason::HasChildren => "dataset already exists".to_owned(),
        Reason::PoolExists(_) => "pool already exists".to_owned(),
        Reason::ParentNotFilesystem => "parent is not a filesystem".to_owned(),
        Reason::WrongType => "operation not applicable to datasets of this type".to_owned(),
        Reason::PoolsDiffer => "source and target pools differ".to_owned(),

        Reason::SnapshotTwice => "multiple snapshots of same fs not allowed".to_owned(),
        Reason::Snapshots(each) => match each.first() {
            Some((_, reason)) => text(reason, release),
            None => String::new(),
        },
        Reason::Cloned => "snapshot is cloned".to_owned(),
        Reason::Held(_) if release == Release::V2_1 => "dataset is busy".to_owned(),
        Reason::Held(name) => {
            format!("it's being held. Run 'zfs holds -r {name}' to see holders.")
        }
        Reason::Busy => "dataset is busy".to_owned(),
        Reason::MountBusy => "pool or dataset is busy".to_owned(),
        Reason::PoolBusy => "pool is busy".to_owned(),
        Reason::NewerSnapshot(name) => {
            format!("there is a snapshot or bookmark more recent than '{name}'")
        }

        Reason::InvalidArgument => "invalid argument".to_owned(),
        Reason::BookmarkExists => "bookmark exists".to_owned(),
        Reason::BookmarkInOtherPool => "bookmark is in a different pool".to_owned(),
        Reason::SourceNotAncestor => {
            "source is not an ancestor of the new bookmark's dataset".to_owned()
        }

        Reason::NotAClone => "not a cloned filesystem".to_owned(),
        Reason::ConflictingSnapshot(snapshot, origin) => {
            format!("conflicting snapshot '{snapshot}' from parent '{origin}'")
        }
        Reason::BelowItself => {
            "New dataset name cannot be a descendant of current dataset name".to_owned()
        }
        Reason::OtherPool => "datasets must be within same pool".to_owned(),
        Reason::OtherFilesystem => "snapshots must be part of same dataset".to_owned(),
        Reason::ChildHasSnapshot => {
            "a child dataset already has a snapshot with the new name".to_owned()
        }

        Reason::TagExists => "tag already exists on this dataset".to_owned(),
        Reason::NoSuchTag => "no such tag on this dataset".to_owned(),
        Reason::TagTooLong => "tag too long".to_owned(),

        Reason::UnknownProperty(name) => format!("invalid property '{name}'"),
        Reason::ReadonlyProperty(name) => format!("'{name}' is readonly"),
        Reason::WrongTypeForProperty(name) => {
            format!("'{name}' does not apply to datasets of this type")
        }
        Reason::NotOnSnapshots => "this property can not be modified for snapshots".to_owned(),
        Reason::NotOneOf(name, words) => format!("'{name}' must be one of '{words}'"),
        Reason::BadNumber(text) => format!("bad numeric value '{text}'"),
        Reason::BadUnit(unit) => format!("invalid numeric suffix '{unit}'"),
        Reason::NumberTooLarge => "numeric value is too large".to_owned(),
        Reason::BadBlockSize(name, largest) => {
            let most = match largest >> 20 {
                0 => format!("{}K", largest >> 10),
                most => format!("{most}M"),
            };
            format!("'{name}' must be power of 2 from 512B to {most}")
        }
        Reason::AutoNotAllowed(name) => format!("'auto' is invalid value for '{name}'"),
        Reason::AutoOfFilesystem(name) => format!("'{name}=auto' only allowed on volumes"),
        Reason::SizeNotWholeBlocks(name, block_size) => {
            let block_size = nice_bytes(*block_size);
            format!("'{name}' must be a multiple of volume block size ({block_size})")
        }
        Reason::SizeZero(name) => format!("'{name}' cannot be zero"),
        Reason::NewVolumeEmpty => "volume size cannot be zero".to_owned(),
        Reason::BadKeyLocation => "invalid keylocation".to_owned(),
        Reason::EncryptionOff => {
            "Encryption must be turned on to set encryption properties.".to_owned()
        }
        Reason::KeyOfUnencrypted => {
            "keylocation must be 'none' for unencrypted datasets".to_owned()
        }
        Reason::LabelsUnsupported => "mlslabels are unsupported".to_owned(),
        Reason::NotPermitted => "permission denied".to_owned(),
        Reason::BadSmallBlocks(name, bytes, largest) => {
            let largest = nice_bytes(*largest);
            if release < Release::V2_4 {
                format!(
                    "invalid '{name}={bytes}' property: must be zero or a power of 2 from 512B to \
                     {largest}"
                )
            } else {
                format!("invalid '{name}' property: must be between zero and {largest}")
            }
        }
        Reason::BadMountpoint => {
            "'mountpoint' must be an absolute path, 'none', or 'legacy'".to_owned()
        }
        Reason::ZeroQuota => "use 'none' to disable quota/refquota".to_owned(),
        Reason::PropertyNameTooLong(name) => format!("property name '{name}' is too long"),
        Reason::ValueTooLong => "property value too long".to_owned(),
        Reason::OutOfSpace => "out of space".to_owned(),
        Reason::BelowUsed => "size is less than current used or reserved space".to_owned(),
        Reason::AboveAvailable => "size is greater than available space".to_owned(),
        Reason::NotInheritable(name) => format!("'{name}' property cannot be inherited"),
        Reason::NotForThisType => "property doesn't apply to datasets of this type".to_owned(),
        Reason::ReadonlyDataset => "dataset is read-only".to_owned(),
        Reason::Downgrade => "Can not downgrade; already at version 5".to_owned(),

        Reason::NoSuchBookmark | Reason::NoSuchMountpoint | Reason::NoSuchBootfs => {
            "no such pool or dataset".to_owned()
        }
        Reason::UnmountFailed => "unmount failed".to_owned(),
        Reason::AlreadyMounted => "filesystem already mounted".to_owned(),
        Reason::MountAttributes => "mount failed".to_owned(),
        Reason::NotAMountpoint => "not a mountpoint".to_owned(),
        Reason::NotMounted => "not currently mounted".to_owned(),
        Reason::MountFailed(Errno::EBUSY) => "mountpoint or dataset is busy".to_owned(),
        Reason::MountFailed(errno) => strerror(*errno).to_owned(),
        Reason::NoMountpoint(errno) => {
            format!("failed to create mountpoint: {}", strerror(*errno))
        }
        Reason::MountpointNotEmpty => "directory is not empty".to_owned(),
        Reason::CannotMount => "'canmount' property is set to 'off'".to_owned(),
        Reason::NoMountpointSet => "no mountpoint set".to_owned(),
        Reason::LegacyMountpoint => "legacy mountpoint".to_owned(),

        Reason::KernelPanic => "kernel panic".to_owned(),
        Reason::NoSuchVdev(path) => format!("cannot open '{path}': no such device in /dev"),
        Reason::NoSuchDevice => "no such device in pool".to_owned(),
        Reason::NotAttachable => "can only attach to mirrors and top-level disks".to_owned(),
        Reason::NotDetachable => "only applicable to mirror and replacing vdevs".to_owned(),
        Reason::DeviceTooSmall => "device is too small".to_owned(),
        Reason::NoLabel(path) => format!("failed to clear label for {path}"),
        Reason::VdevInUse(path, pool) => format!("{path} is part of active pool '{pool}'"),
        Reason::VdevPerhapsInUse(path, pool) => {
            format!("{path} is part of potentially active pool '{pool}'")
        }
        Reason::VdevTwice => {
            "one or more vdevs refer to the same device, or one of\nthe devices is \
                              part of an active md or lvm device"
                .to_owned()
        }
        Reason::DifferentSizes(kind) => format!("{kind} contains devices of different sizes"),
        Reason::MismatchedReplication(how) => format!("mismatched replication level: {how}"),
        Reason::MountpointInUse => "exists and is not empty".to_owned(),
        Reason::VdevTooSmall => {
            "one or more devices is less than the minimum size (64M)".to_owned()
        }
        Reason::VdevDegraded => "one or more devices is currently unavailable".to_owned(),
        Reason::TooFewVdevs(kind, needed) => {
            format!("{kind} requires at least {needed} devices")
        }
        Reason::UnknownPoolProperty(name) => {
            format!("property '{name}' is not a valid pool or vdev property")
        }
        Reason::BadPoolProperty(name, value) => {
            format!("invalid '{name}={value}' property: only values between 9 and 16 are allowed.")
        }

        Reason::BadAltroot(path) => format!("bad alternate root '{path}'"),
        Reason::PoolReadOnly => "pool is read-only".to_owned(),
        Reason::NoScrub => "there is no active scrub".to_owned(),
        Reason::CheckpointExists => "checkpoint exists".to_owned(),
        Reason::NoCheckpoint => "checkpoint does not exist".to_owned(),
        Reason::NotSupportedByPool => "operation not supported on this type of pool".to_owned(),
        Reason::VdevOfExported(path, pool) => {
            format!("{path} is part of exported pool '{pool}'")
        }
        Reason::MoreThanOnePool => "more than one matching pool".to_owned(),
        Reason::NothingToImport => "no such pool available".to_owned(),

        Reason::OnlyAtCreation(name) => {
            format!("property '{name}' can only be set at creation time")
        }
        Reason::OnlyAtCreationOrImport(name) => {
            format!("property '{name}' can only be set during pool creation or import")
        }
        Reason::OnlyAtImport(name) => format!("property '{name}' can only be set at import time"),
        Reason::NotAtCreation(name) => {
            format!("property '{name}' cannot be set at creation or import time")
        }
        Reason::BadAshift(bits) => format!(
            "property 'ashift' number {bits} is invalid, only values between 9 and 16 are allowed."
        ),
        Reason::BadVersion(version) => {
            format!("property 'version' number {version} is invalid.")
        }
        Reason::InvalidForPool => "invalid argument for this pool operation".to_owned(),
        Reason::CommentTooLong => "comment must not exceed 32 characters".to_owned(),
        Reason::UnprintableComment => "comment may only have printable characters".to_owned(),
        Reason::BadCachefile => {
            "property 'cachefile' must be empty, an absolute path, or 'none'".to_owned()
        }
        Reason::BadBootfs(name) => format!("'{name}' is an invalid name"),
        Reason::NeedsFeature => "unsupported version or feature".to_owned(),
        Reason::NoBookmarks => "bookmark feature not enabled".to_owned(),
        Reason::VersionAndFeature => {
            "'feature@' and 'version' properties cannot be specified together".to_owned()
        }
        Reason::UnknownFeature(name) => format!("feature '{name}' unsupported by kernel"),
        Reason::FeatureState(name) => {
            format!("property 'feature@{name}' can only be set to 'enabled' or 'disabled'")
        }
        Reason::FeatureStays(name) => {
            format!("property 'feature@{name}' can only be set to 'disabled' at creation time")
        }
    }
}

/// What the C library says about an errno.
pub(super) const fn strerror(errno: Errno) -> &'static str {
    match errno {
        Errno::EPERM => "Operation not permitted",
        Errno::ENOENT => "No such file or directory",
        Errno::EIO => "Input/output error",
        Errno::ENXIO => "No such device or address",
        Errno::EBADF => "Bad file descriptor",
        Errno::EACCES => "Permission denied",
        Errno::EBUSY => "Device or resource busy",
        Errno::EEXIST => "File exists",
        Errno::EXDEV => "Invalid cross-device link",
        Errno::ENODEV => "No such device",
        Errno::ENOTDIR => "Not a directory",
        Errno::EISDIR => "Is a directory",
        Errno::EINVAL => "Invalid argument",
        Errno::ETXTBSY => "Text file busy",
        Errno::EFBIG => "File too large",
        Errno::ENOSPC => "No space left on device",
        Errno::EROFS => "Read-only file system",
        Errno::EMLINK => "Too many links",
        Errno::ENAMETOOLONG => "File name too long",
        Errno::ENOTEMPTY => "Directory not empty",
        Errno::ELOOP => "Too many levels of symbolic links",
        Errno::EILSEQ => "Invalid or incomplete multibyte or wide character",
        Errno::EDQUOT => "Disk quota exceeded",
        Errno::E2BIG => "Argument list too long",
        Errno::ERANGE => "Numerical result out of range",
        Errno::ENODATA => "No data available",
        Errno::EOPNOTSUPP => "Operation not supported",
    }
}
