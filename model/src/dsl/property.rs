//! The properties that ZFS defines, as a table (`zfs_prop_init`).
//!
//! The table is that of OpenZFS 2.4; what older releases do not have or have otherwise stands below it.

use crate::release::Release;

/// What kinds of datasets a property is for.
pub type Kinds = u8;
/// For filesystems.
pub const FILESYSTEM: Kinds = 1;
/// For snapshots.
pub const SNAPSHOT: Kinds = 2;
/// For volumes.
pub const VOLUME: Kinds = 4;
/// For what can be written.
const HEADS: Kinds = FILESYSTEM | VOLUME;
/// For all of them.
const EVERY: Kinds = HEADS | SNAPSHOT;

/// How a property gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// ZFS tells it; it cannot be set.
    Status,
    /// It can be set, and is inherited by what is below.
    Inherited,
    /// It can be set, and is not inherited.
    Own,
    /// It can be set when the dataset is made.
    Once,
}

/// The words that a property knows.
#[derive(Debug, PartialEq, Eq)]
pub struct Words {
    /// As ZFS lists them in a refusal.
    pub text: &'static str,
    /// Each of them.
    pub words: &'static [&'static str],
    /// Other ways to say one of them.
    pub aliases: &'static [(&'static str, &'static str)],
}

/// What values a property takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// None: it is only told.
    Told,
    /// One of these words.
    Words(&'static Words),
    /// A size, or `none` for 0.
    Size,
    /// A size that is not 0, or `none`.
    Quota,
    /// A size that is a power of two.
    BlockSize,
    /// A count, or `none`.
    Limit,
    /// A path, `none` or `legacy`.
    Mountpoint,
    /// `on`, `off`, or options of a share.
    Share,
    /// Free text.
    Text,
    /// A place where a key may be, or `none`.
    KeyLocation,
    /// No value at all.
    Nothing,
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A number; sizes in bytes, 0 for `none`.
    Number(u64),
    /// One of the words that the property knows.
    Word(&'static str),
    /// Free text.
    Text(std::sync::Arc<str>),
}

macro_rules! properties {
    ($($name:ident = $text:literal, $class:expr, $kinds:expr, $kind:expr, $default:expr, $doc:literal;)*) => {
        /// The properties that ZFS defines, in its order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Property { $(#[doc = $doc] $name,)* }

        impl Property {
            const ALL: &'static [Property] = &[$(Property::$name,)*];

            /// Its name, such as `recordsize`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Property::$name => $text,)* }
            }

            /// How it gets its value.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Property::$name => $class,)* }
            }

            /// What kinds of datasets have it.
            #[must_use]
            pub const fn kinds(self) -> Kinds {
                match self { $(Property::$name => $kinds,)* }
            }

            /// What values it takes in the newest release.
            const fn newest_kind(self) -> Kind {
                match self { $(Property::$name => $kind,)* }
            }

            /// Its value in the newest release where it is set nowhere.
            const fn newest_default(self) -> Value {
                match self { $(Property::$name => $default,)* }
            }
        }
    };
}

properties! {
    Type = "type", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "What the dataset is.";
    Creation = "creation", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "When it was created.";
    Used = "used", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "The space it and all below it take.";
    Available = "available", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The space it could still take.";
    Referenced = "referenced", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "The space that its own data take.";
    Compressratio = "compressratio", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "How far what it uses is compressed.";
    Mounted = "mounted", Class::Status, FILESYSTEM, Kind::Told, Value::Number(0), "Whether it is mounted.";
    Origin = "origin", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The snapshot it is a clone of.";
    Quota = "quota", Class::Own, FILESYSTEM, Kind::Quota, Value::Number(0), "The most space it and all below it may take.";
    Reservation = "reservation", Class::Own, FILESYSTEM | VOLUME, Kind::Size, Value::Number(0), "The space kept for it and all below it.";
    Volsize = "volsize", Class::Own, SNAPSHOT | VOLUME, Kind::Size, Value::Number(0), "The size of a volume.";
    Volblocksize = "volblocksize", Class::Once, VOLUME, Kind::BlockSize, Value::Number(16_384), "The block size of a volume.";
    Recordsize = "recordsize", Class::Inherited, FILESYSTEM, Kind::BlockSize, Value::Number(131_072), "The largest block of a file.";
    Mountpoint = "mountpoint", Class::Inherited, FILESYSTEM, Kind::Mountpoint, Value::Word("/"), "Where it is mounted.";
    Sharenfs = "sharenfs", Class::Inherited, FILESYSTEM, Kind::Share, Value::Word("off"), "Shared over NFS.";
    Checksum = "checksum", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "on | off | fletcher2 | fletcher4 | sha256 | sha512 | skein | edonr | blake3", words: &["on", "off", "fletcher2", "fletcher4", "sha256", "sha512", "skein", "edonr", "blake3", "noparity"], aliases: &[] }), Value::Word("on"), "How blocks are checked.";
    Compression = "compression", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "on | off | lzjb | gzip | gzip-[1-9] | zle | lz4 | zstd | zstd-[1-19] | zstd-fast | zstd-fast-[1-10,20,30,40,50,60,70,80,90,100,500,1000]", words: &["on", "off", "lzjb", "gzip", "zle", "lz4", "zstd", "zstd-fast", "gzip-1", "gzip-2", "gzip-3", "gzip-4", "gzip-5", "gzip-7", "gzip-8", "gzip-9", "zstd-1", "zstd-2", "zstd-3", "zstd-4", "zstd-5", "zstd-6", "zstd-7", "zstd-8", "zstd-9", "zstd-10", "zstd-11", "zstd-12", "zstd-13", "zstd-14", "zstd-15", "zstd-16", "zstd-17", "zstd-18", "zstd-19", "zstd-fast-2", "zstd-fast-3", "zstd-fast-4", "zstd-fast-5", "zstd-fast-6", "zstd-fast-7", "zstd-fast-8", "zstd-fast-9", "zstd-fast-10", "zstd-fast-20", "zstd-fast-30", "zstd-fast-40", "zstd-fast-50", "zstd-fast-60", "zstd-fast-70", "zstd-fast-80", "zstd-fast-90", "zstd-fast-100", "zstd-fast-500", "zstd-fast-1000"], aliases: &[("gzip-6", "gzip"), ("zstd-fast-1", "zstd-fast")] }), Value::Word("on"), "How blocks are compressed.";
    Atime = "atime", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether reading a file changes its access time.";
    Devices = "devices", Class::Inherited, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether device files work.";
    Exec = "exec", Class::Inherited, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether programs can be run.";
    Setuid = "setuid", Class::Inherited, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether set-user-ID bits work.";
    Readonly = "readonly", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("off"), "Whether the files may not be changed.";
    Zoned = "zoned", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("off"), "Whether it belongs to a zone.";
    Snapdir = "snapdir", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "disabled | hidden | visible", words: &["disabled", "hidden", "visible"], aliases: &[] }), Value::Word("hidden"), "Whether `.zfs` shows.";
    Aclmode = "aclmode", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "discard | groupmask | passthrough | restricted", words: &["discard", "groupmask", "passthrough", "restricted"], aliases: &[] }), Value::Word("discard"), "What chmod does to an access list.";
    Aclinherit = "aclinherit", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "discard | noallow | restricted | passthrough | passthrough-x", words: &["discard", "noallow", "restricted", "passthrough", "passthrough-x"], aliases: &[("secure", "restricted")] }), Value::Word("restricted"), "How access lists are inherited.";
    Createtxg = "createtxg", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "The transaction group of its creation.";
    Canmount = "canmount", Class::Own, FILESYSTEM, Kind::Words(&Words { text: "on | off | noauto", words: &["on", "off", "noauto"], aliases: &[] }), Value::Word("on"), "Whether it is mounted by itself.";
    Xattr = "xattr", Class::Inherited, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "on | off | dir | sa", words: &["sa", "off", "dir"], aliases: &[("on", "sa")] }), Value::Word("sa"), "How extended attributes are kept.";
    Copies = "copies", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "1 | 2 | 3", words: &["1", "2", "3"], aliases: &[] }), Value::Word("1"), "How often blocks are stored.";
    Version = "version", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "1 | 2 | 3 | 4 | 5 | current", words: &["1", "2", "3", "4", "5"], aliases: &[("current", "5")] }), Value::Word("5"), "The version of the on-disk file system.";
    Utf8only = "utf8only", Class::Once, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("off"), "Whether names must be UTF-8.";
    Normalization = "normalization", Class::Once, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "none | formC | formD | formKC | formKD", words: &["none", "formC", "formD", "formKC", "formKD"], aliases: &[] }), Value::Word("none"), "How names are compared.";
    Casesensitivity = "casesensitivity", Class::Once, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "sensitive | insensitive | mixed", words: &["sensitive", "insensitive", "mixed"], aliases: &[] }), Value::Word("sensitive"), "Whether case matters in names.";
    Vscan = "vscan", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("off"), "Whether files are scanned for viruses.";
    Nbmand = "nbmand", Class::Inherited, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("off"), "Whether locks are mandatory.";
    Sharesmb = "sharesmb", Class::Inherited, FILESYSTEM, Kind::Share, Value::Word("off"), "Shared over SMB.";
    Refquota = "refquota", Class::Own, FILESYSTEM, Kind::Quota, Value::Number(0), "The most space its own data may take.";
    Refreservation = "refreservation", Class::Own, FILESYSTEM | VOLUME, Kind::Size, Value::Number(0), "The space kept for its own data.";
    Guid = "guid", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "Its number that no other dataset has.";
    Primarycache = "primarycache", Class::Inherited, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Words(&Words { text: "all | none | metadata", words: &["all", "none", "metadata"], aliases: &[] }), Value::Word("all"), "What is cached in memory.";
    Secondarycache = "secondarycache", Class::Inherited, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Words(&Words { text: "all | none | metadata", words: &["all", "none", "metadata"], aliases: &[] }), Value::Word("all"), "What is cached on devices.";
    Usedbysnapshots = "usedbysnapshots", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The space that its snapshots alone take.";
    Usedbydataset = "usedbydataset", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The space that itself takes.";
    Usedbychildren = "usedbychildren", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The space that all below it take.";
    Usedbyrefreservation = "usedbyrefreservation", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The space that `refreservation` keeps.";
    DeferDestroy = "defer_destroy", Class::Status, SNAPSHOT, Kind::Told, Value::Number(0), "Whether it is destroyed when nothing needs it.";
    Userrefs = "userrefs", Class::Status, SNAPSHOT, Kind::Told, Value::Number(0), "The number of user holds.";
    Logbias = "logbias", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "latency | throughput", words: &["latency", "throughput"], aliases: &[] }), Value::Word("latency"), "What synchronous writes are tuned for.";
    Objsetid = "objsetid", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "The number of its objset.";
    Dedup = "dedup", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "on | off | verify | sha256[,verify] | sha512[,verify] | skein[,verify] | edonr,verify | blake3[,verify]", words: &["on", "off", "verify", "sha256", "sha256,verify", "sha512", "sha512,verify", "skein", "skein,verify", "edonr,verify", "blake3", "blake3,verify"], aliases: &[] }), Value::Word("off"), "Whether equal blocks are stored once.";
    Mlslabel = "mlslabel", Class::Inherited, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Nothing, Value::Word("none"), "A label of multilevel security.";
    Sync = "sync", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "standard | always | disabled", words: &["standard", "always", "disabled"], aliases: &[] }), Value::Word("standard"), "How synchronous writes are treated.";
    Dnodesize = "dnodesize", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "legacy | auto | 1k | 2k | 4k | 8k | 16k", words: &["legacy", "auto", "1k", "2k", "4k", "8k", "16k"], aliases: &[] }), Value::Word("legacy"), "The size of dnodes.";
    Refcompressratio = "refcompressratio", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "How far its own data are compressed.";
    Written = "written", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "The space written since the snapshot before.";
    Clones = "clones", Class::Status, SNAPSHOT, Kind::Told, Value::Number(0), "The filesystems that have it as origin.";
    Logicalused = "logicalused", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "`used` before compression.";
    Logicalreferenced = "logicalreferenced", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "`referenced` before compression.";
    Volmode = "volmode", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "default | full | geom | dev | none", words: &["default", "full", "dev", "none"], aliases: &[("geom", "full")] }), Value::Word("default"), "How a volume shows.";
    FilesystemLimit = "filesystem_limit", Class::Own, FILESYSTEM, Kind::Limit, Value::Number(18_446_744_073_709_551_615), "The most filesystems below it.";
    SnapshotLimit = "snapshot_limit", Class::Own, FILESYSTEM | VOLUME, Kind::Limit, Value::Number(18_446_744_073_709_551_615), "The most snapshots below it.";
    FilesystemCount = "filesystem_count", Class::Status, FILESYSTEM, Kind::Told, Value::Number(0), "The number of filesystems below it, when it is counted.";
    SnapshotCount = "snapshot_count", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "The number of snapshots below it, when it is counted.";
    Snapdev = "snapdev", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "hidden | visible", words: &["hidden", "visible"], aliases: &[] }), Value::Word("hidden"), "Whether the devices of snapshots show.";
    Acltype = "acltype", Class::Inherited, FILESYSTEM | SNAPSHOT, Kind::Words(&Words { text: "off | nfsv4 | posix", words: &["off", "nfsv4", "posix"], aliases: &[("disabled", "off"), ("noacl", "off"), ("posixacl", "posix")] }), Value::Word("off"), "The kind of access lists.";
    Context = "context", Class::Own, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Text, Value::Word("none"), "The `SELinux` context.";
    Fscontext = "fscontext", Class::Own, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Text, Value::Word("none"), "The `SELinux` context of the file system.";
    Defcontext = "defcontext", Class::Own, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Text, Value::Word("none"), "The `SELinux` context of files without one.";
    Rootcontext = "rootcontext", Class::Own, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Text, Value::Word("none"), "The `SELinux` context of the root directory.";
    Relatime = "relatime", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether the access time is changed seldom.";
    RedundantMetadata = "redundant_metadata", Class::Inherited, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "all | most | some | none", words: &["all", "most", "some", "none"], aliases: &[] }), Value::Word("all"), "Which metadata are stored once more.";
    Overlay = "overlay", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether it may be mounted over what is there.";
    ReceiveResumeToken = "receive_resume_token", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "What a receive that was interrupted goes on from.";
    Encryption = "encryption", Class::Once, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Words(&Words { text: "on | off | aes-128-ccm | aes-192-ccm | aes-256-ccm | aes-128-gcm | aes-192-gcm | aes-256-gcm", words: &["on", "off", "aes-128-ccm", "aes-192-ccm", "aes-256-ccm", "aes-128-gcm", "aes-192-gcm", "aes-256-gcm"], aliases: &[] }), Value::Word("off"), "How it is encrypted.";
    Keylocation = "keylocation", Class::Own, FILESYSTEM | VOLUME, Kind::KeyLocation, Value::Word("none"), "Where the key is.";
    Keyformat = "keyformat", Class::Once, FILESYSTEM | VOLUME, Kind::Words(&Words { text: "none | raw | hex | passphrase", words: &["none", "raw", "hex", "passphrase"], aliases: &[] }), Value::Word("none"), "What the key is.";
    Pbkdf2iters = "pbkdf2iters", Class::Once, FILESYSTEM | VOLUME, Kind::Size, Value::Number(0), "How often a passphrase is hashed.";
    Encryptionroot = "encryptionroot", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "Whose key it is encrypted with.";
    Keystatus = "keystatus", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "Whether the key is loaded.";
    SpecialSmallBlocks = "special_small_blocks", Class::Inherited, FILESYSTEM | VOLUME, Kind::BlockSize, Value::Number(0), "The blocks that go to special devices.";
    RedactSnaps = "redact_snaps", Class::Status, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Told, Value::Number(0), "The snapshots that it is redacted with.";
    SnapshotsChanged = "snapshots_changed", Class::Status, FILESYSTEM | VOLUME, Kind::Told, Value::Number(0), "When its snapshots last changed.";
    Prefetch = "prefetch", Class::Inherited, FILESYSTEM | SNAPSHOT | VOLUME, Kind::Words(&Words { text: "none | metadata | all", words: &["none", "metadata", "all"], aliases: &[] }), Value::Word("all"), "What is read ahead.";
    Volthreading = "volthreading", Class::Own, VOLUME, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("on"), "Whether a volume uses threads.";
    Direct = "direct", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "disabled | standard | always", words: &["disabled", "standard", "always"], aliases: &[] }), Value::Word("standard"), "Whether reads and writes pass the cache by.";
    Longname = "longname", Class::Inherited, FILESYSTEM, Kind::Words(&Words { text: "on | off", words: &["on", "off"], aliases: &[] }), Value::Word("off"), "Whether names of files may be longer than 255 bytes.";
    Defaultuserquota = "defaultuserquota", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Quota, Value::Number(0), "The most space a user without a quota may take.";
    Defaultgroupquota = "defaultgroupquota", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Quota, Value::Number(0), "The most space a group without a quota may take.";
    Defaultprojectquota = "defaultprojectquota", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Quota, Value::Number(0), "The most space a project without a quota may take.";
    Defaultuserobjquota = "defaultuserobjquota", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Quota, Value::Number(0), "The most objects a user without a quota may have.";
    Defaultgroupobjquota = "defaultgroupobjquota", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Quota, Value::Number(0), "The most objects a group without a quota may have.";
    Defaultprojectobjquota = "defaultprojectobjquota", Class::Own, FILESYSTEM | SNAPSHOT, Kind::Quota, Value::Number(0), "The most objects a project without a quota may have.";
}

/// A property that ZFS has and never lists (`zprop_register_hidden`). Its values are not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hidden {
    /// Its name, such as `numclones`.
    pub name: &'static str,
    /// How it gets its value.
    pub class: Class,
    /// What kinds of datasets have it.
    pub kinds: Kinds,
}

/// All of them.
const HIDDEN: [Hidden; 13] = {
    const fn hidden(name: &'static str, class: Class, kinds: Kinds) -> Hidden {
        Hidden { name, class, kinds }
    }
    [
        hidden("name", Class::Status, EVERY),
        hidden("inconsistent", Class::Status, EVERY),
        hidden("iscsioptions", Class::Inherited, VOLUME),
        hidden("ivsetguid", Class::Status, EVERY),
        hidden("keyguid", Class::Status, EVERY),
        hidden("numclones", Class::Status, SNAPSHOT),
        hidden("pbkdf2salt", Class::Once, HEADS),
        hidden("prevsnap", Class::Status, HEADS),
        hidden("redacted", Class::Status, EVERY),
        hidden("remaptxg", Class::Status, EVERY),
        hidden("stmf_sbd_lu", Class::Inherited, VOLUME),
        hidden("unique", Class::Status, EVERY),
        hidden("useraccounting", Class::Status, EVERY),
    ]
};

impl Hidden {
    /// The one of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Hidden> {
        HIDDEN.into_iter().find(|hidden| hidden.name == name)
    }
}

const CHECKSUM_2_1: Words = Words {
    text: "on | off | fletcher2 | fletcher4 | sha256 | sha512 | skein | edonr",
    words: &[
        "on",
        "off",
        "fletcher2",
        "fletcher4",
        "sha256",
        "sha512",
        "skein",
        "edonr",
        "noparity",
    ],
    aliases: &[],
};

const DEDUP_2_1: Words = Words {
    text: "on | off | verify | sha256[,verify] | sha512[,verify] | skein[,verify] | edonr,verify",
    words: &[
        "on",
        "off",
        "verify",
        "sha256",
        "sha256,verify",
        "sha512",
        "sha512,verify",
        "skein",
        "skein,verify",
        "edonr,verify",
    ],
    aliases: &[],
};

const SNAPDIR_2_1: Words = Words {
    text: "hidden | visible",
    words: &["hidden", "visible"],
    aliases: &[],
};

/// `on` is a directory of attributes.
const XATTR_2_1: Words = Words {
    text: "on | off | dir | sa",
    words: &["on", "off", "sa"],
    aliases: &[("dir", "on")],
};

/// `on` is attributes in the dnode, and the word for it.
const XATTR_2_3: Words = Words {
    text: "on | off | dir | sa",
    words: &["on", "off", "dir"],
    aliases: &[("sa", "on")],
};

impl Property {
    /// Those that say which names are one; files stand by them, so they never change.
    pub const OF_NAMES: [Property; 3] = [
        Property::Utf8only,
        Property::Normalization,
        Property::Casesensitivity,
    ];

    /// All that a release has.
    pub fn all(release: Release) -> impl Iterator<Item = Property> {
        let all = Property::ALL.iter().copied();
        all.filter(move |property| property.since() <= release)
    }

    /// The first release line that has it.
    #[must_use]
    pub const fn since(self) -> Release {
        match self {
            Property::SnapshotsChanged
            | Property::Prefetch
            | Property::Volthreading
            | Property::Direct
            | Property::Longname => Release::V2_3,
            Property::Defaultuserquota
            | Property::Defaultgroupquota
            | Property::Defaultprojectquota
            | Property::Defaultuserobjquota
            | Property::Defaultgroupobjquota
            | Property::Defaultprojectobjquota => Release::V2_4,
            _ => Release::V2_1,
        }
    }

    /// What values it takes.
    #[must_use]
    pub fn kind(self, release: Release) -> Kind {
        match (self, release) {
            (Property::Checksum, Release::V2_1) => Kind::Words(&CHECKSUM_2_1),
            (Property::Dedup, Release::V2_1) => Kind::Words(&DEDUP_2_1),
            (Property::Snapdir, Release::V2_1) => Kind::Words(&SNAPDIR_2_1),
            (Property::Xattr, Release::V2_1) => Kind::Words(&XATTR_2_1),
            (Property::Xattr, Release::V2_3) => Kind::Words(&XATTR_2_3),
            _ => self.newest_kind(),
        }
    }

    /// Its value where it is set nowhere; of no meaning for one that is only told.
    #[must_use]
    pub fn default_value(self, release: Release) -> Value {
        match (self, release) {
            (Property::Compression | Property::Relatime, Release::V2_1) => Value::Word("off"),
            (Property::Xattr, Release::V2_1 | Release::V2_3) => Value::Word("on"),
            (Property::Volblocksize, Release::V2_1) => Value::Number(8192),
            _ => self.newest_default(),
        }
    }

    /// The largest `recordsize`, in bytes (the module's parameter `zfs_max_recordsize`).
    #[must_use]
    pub const fn largest_record(release: Release) -> u64 {
        match release {
            Release::V2_1 => 1 << 20,
            Release::V2_3 | Release::V2_4 => 16 << 20,
        }
    }

    /// The property of this name, or of this short name (`zfs_name_to_prop`).
    #[must_use]
    pub fn by_name(name: &str, release: Release) -> Option<Property> {
        let full = match name {
            "avail" => "available",
            "refer" => "referenced",
            "ratio" => "compressratio",
            "reserv" => "reservation",
            "volblock" => "volblocksize",
            "recsize" => "recordsize",
            "compress" => "compression",
            "rdonly" => "readonly",
            "case" => "casesensitivity",
            "refreserv" => "refreservation",
            "usedsnap" => "usedbysnapshots",
            "usedds" => "usedbydataset",
            "usedchild" => "usedbychildren",
            "usedrefreserv" => "usedbyrefreservation",
            "dnsize" => "dnodesize",
            "refratio" => "refcompressratio",
            "lused" => "logicalused",
            "lrefer" => "logicalreferenced",
            "fslimit" => "filesystem_limit",
            "sslimit" => "snapshot_limit",
            "fscount" => "filesystem_count",
            "sscount" => "snapshot_count",
            "resumetok" => "receive_resume_token",
            "encroot" => "encryptionroot",
            "rsnaps" => "redact_snaps",
            "redund_md" => "redundant_metadata",
            name => name,
        };
        Property::all(release).find(|property| property.name() == full)
    }

    /// Whether datasets below inherit it.
    #[must_use]
    pub const fn inherits(self) -> bool {
        matches!(self.class(), Class::Inherited)
    }

    /// Whether datasets of this kind have it.
    #[must_use]
    pub fn is_for(self, kind: Kinds, release: Release) -> bool {
        let newer = self == Property::SpecialSmallBlocks && release < Release::V2_4;
        let kinds = if newer { FILESYSTEM } else { self.kinds() };
        kinds & kind != 0
    }

    /// Whether a word that it knows.
    #[must_use]
    pub fn word(self, word: &str, release: Release) -> Option<&'static str> {
        let Kind::Words(known) = self.kind(release) else {
            return None;
        };
        let alias = known.aliases.iter().find(|(alias, _)| *alias == word);
        let word = alias.map_or(word, |(_, word)| word);
        known.words.iter().copied().find(|known| *known == word)
    }
}
