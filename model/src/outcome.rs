//! Outcomes: a result, or an errno with the reason as data, never a string.

use crate::dsl::reason::Reason;
use crate::zpl::op::FileResult;

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// It succeeded and has nothing to tell.
    Done,
    /// It succeeded; what a system call on a file returned.
    File(FileResult),
    /// ZFS refuses it, for this reason. Nothing changed.
    Refused(Reason),
    /// A system call on a file failed. Nothing changed, but for what was written before there was no more space.
    Failed(Errno),
    /// The model does not know what ZFS does here; says what is missing. Nothing changed.
    NotModelled(&'static str),
}

macro_rules! errnos {
    ($($name:ident = $number:literal, $doc:literal;)*) => {
        /// Error numbers of Linux that the modelled operations end in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::upper_case_acronyms)]
        pub enum Errno { $(#[doc = $doc] $name = $number,)* }

        impl Errno {
            /// All of them.
            pub const ALL: &'static [Errno] = &[$(Errno::$name,)*];

            /// Its name, such as `ENOENT`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* }
            }
        }
    };
}

errnos! {
    EPERM = 1, "Operation not permitted.";
    ENOENT = 2, "No such file, directory or dataset.";
    EIO = 5, "Input/output error.";
    ENXIO = 6, "No such device or address.";
    E2BIG = 7, "Argument list too long.";
    EBADF = 9, "Bad file descriptor.";
    EACCES = 13, "Permission denied.";
    EBUSY = 16, "Device or resource busy.";
    EEXIST = 17, "File exists.";
    EXDEV = 18, "Invalid cross-device link.";
    ENODEV = 19, "No such device.";
    ENOTDIR = 20, "Not a directory.";
    EISDIR = 21, "Is a directory.";
    EINVAL = 22, "Invalid argument.";
    ETXTBSY = 26, "Text file busy.";
    EFBIG = 27, "File too large.";
    ENOSPC = 28, "No space left on device.";
    EROFS = 30, "Read-only file system.";
    EMLINK = 31, "Too many links.";
    ERANGE = 34, "Numerical result out of range.";
    ENAMETOOLONG = 36, "File name too long.";
    ENOTEMPTY = 39, "Directory not empty.";
    ELOOP = 40, "Too many levels of symbolic links.";
    ENODATA = 61, "No data available.";
    EILSEQ = 84, "Invalid or incomplete multibyte or wide character.";
    EOPNOTSUPP = 95, "Operation not supported.";
    EDQUOT = 122, "Disk quota exceeded.";
}
