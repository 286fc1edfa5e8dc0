//! What an executable needs to run in a guest whose libc may be older than the host's.
//!
//! A static one needs nothing. For a dynamic one (what a plain `cargo build` or `cargo install`
//! makes) the host's own loader and libraries go in with it, and the loader runs it: that way every
//! build of ztwin can be the agent, and the agent is always the ztwin that talks to it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// The agent's files, in the order of their disks: the executable, then its loader, then libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files {
    /// The executable.
    pub executable: PathBuf,
    /// The dynamic loader; `None` for a static executable.
    pub loader: Option<PathBuf>,
    /// The libraries that the loader finds for it.
    pub libraries: Vec<PathBuf>,
}

impl Files {
    /// Finds out what `executable` needs.
    pub(crate) fn of(executable: &Path) -> Result<Files, Error> {
        let bytes = fs::read(executable).map_err(Error::io(format!(
            "reading the agent {}",
            executable.display()
        )))?;
        let executable = executable.to_path_buf();
        let Some(loader) = interpreter(&bytes).map(PathBuf::from) else {
            return Ok(Files {
                executable,
                loader: None,
                libraries: Vec::new(),
            });
        };
        let output = Command::new(&loader)
            .arg("--list")
            .arg(&executable)
            .output()
            .map_err(Error::io(format!(
                "running the loader {}",
                loader.display()
            )))?;
        if !output.status.success() {
            return Err(Error::Name(format!(
                "{} cannot list the libraries of {}: {}\nbuild ztwin statically: RUSTFLAGS='-C target-feature=+crt-static' cargo build --target x86_64-unknown-linux-gnu",
                loader.display(),
                executable.display(),
                String::from_utf8_lossy(&output.stderr).trim()
            )));
        }
        let libraries = listed(&String::from_utf8_lossy(&output.stdout));
        Ok(Files {
            executable,
            loader: Some(loader),
            libraries,
        })
    }

    /// All of them, with the names that they get in the guest.
    pub(crate) fn named(&self) -> Vec<(String, &Path)> {
        let base = |p: &Path| {
            p.file_name()
                .map_or_else(String::new, |n| n.to_string_lossy().into())
        };
        let mut all = vec![("ztwin".to_owned(), self.executable.as_path())];
        all.extend(
            self.loader
                .iter()
                .map(|p| ("loader".to_owned(), p.as_path())),
        );
        all.extend(self.libraries.iter().map(|p| (base(p), p.as_path())));
        all
    }
}

/// The libraries in the output of `ld.so --list`: `libc.so.6 => /lib/.../libc.so.6 (0x...)`.
fn listed(output: &str) -> Vec<PathBuf> {
    output
        .lines()
        .filter_map(|line| line.split_once(" => ")?.1.split(" (").next())
        .filter(|path| path.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

/// The program interpreter (`PT_INTERP`) of a 64-bit little-endian ELF executable, as elf(5) lays it out.
fn interpreter(elf: &[u8]) -> Option<&str> {
    const PT_INTERP: u64 = 3;
    let number = |at: u64, width: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let mut bytes = [0; 8];
        bytes[..width].copy_from_slice(elf.get(at..at.checked_add(width)?)?);
        Some(u64::from_le_bytes(bytes))
    };
    if elf.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let header = (0..count)
        .map(|i| table.saturating_add(i * size))
        .find(|&header| number(header, 4) == Some(PT_INTERP))?;
    let start = usize::try_from(number(header.saturating_add(8), 8)?).ok()?;
    let length = usize::try_from(number(header.saturating_add(32), 8)?).ok()?;
    let text = elf.get(start..start.checked_add(length)?)?;
    std::str::from_utf8(text.strip_suffix(b"\0").unwrap_or(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_a_listing_are_its_absolute_paths() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibgcc_s.so.1 => /lib/x/libgcc_s.so.1 (0x1)\n\tlibc.so.6 => /lib/x/libc.so.6 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        assert_eq!(
            listed(text),
            [
                PathBuf::from("/lib/x/libgcc_s.so.1"),
                PathBuf::from("/lib/x/libc.so.6")
            ]
        );
    }

    #[test]
    fn a_file_that_is_no_executable_has_no_interpreter() {
        assert_eq!(interpreter(b"#!/bin/sh\n"), None);
        assert_eq!(interpreter(b"\x7fELF\x02\x01 cut short"), None);
    }

    #[test]
    fn this_test_itself_has_what_it_needs_named() {
        let me = std::env::current_exe().unwrap();
        let files = Files::of(&me).unwrap();
        let named = files.named();
        assert_eq!(named[0], ("ztwin".to_owned(), me.as_path()));
        assert_eq!(
            files.loader.is_some(),
            named.iter().any(|(name, _)| name == "libc.so.6")
        );
    }
}
