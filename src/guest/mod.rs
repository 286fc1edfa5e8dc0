//! Building and talking to the QEMU guest.
