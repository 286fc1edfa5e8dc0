//! The guest's initramfs: busybox, the modules that reach the image and ZFS, and a script that hands
//! over to the agent.
//!
//! It is uncompressed: under software emulation inflating it takes longer than reading it.

use std::collections::HashMap;
use std::io::{self, Write};

/// The modules that the guest needs; what they depend on is added.
const MODULES: [&str; 7] = [
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "squashfs",
    "overlay",
    "loop",
    "zfs",
];

/// Mounts the image under a tmpfs, copies the agent from its disks and hands over to it.
/// The disks after the first are the files named by `ztwin.files=`, in that order.
const INIT: &str = r#"#!/bin/busybox sh
# Ends the guest at once; the host finds the reason on the console.
fail() { echo "ztwin init: $*"; echo b > /proc/sysrq-trigger; sleep 60; }
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
  insmod "/modules/$module" || fail "the kernel module $module does not load"
done < /modules/order
mount -t squashfs -o ro /dev/vda /image || fail "the image cannot be mounted"
mount -t tmpfs -o mode=755 tmpfs /changes || fail "no memory for changes"
mkdir /changes/upper /changes/work
mount -t overlay -o lowerdir=/image,upperdir=/changes/upper,workdir=/changes/work overlay /new || fail "no overlay"
mkdir -p /new/agent /new/proc /new/sys /new/dev
for word in $(cat /proc/cmdline); do
  case $word in ztwin.files=*) files=$(echo "${word#ztwin.files=}" | tr , ' ');; esac
done
disks="b c d e f g h i j k l m n o p"
for file in $files; do
  disk=${disks%% *}; disks=${disks#* }
  cat "/dev/vd$disk" > "/new/agent/$file" || fail "the agent's disk vd$disk cannot be read"
  chmod 755 "/new/agent/$file"
done
ifconfig lo up
umount /dev /sys /proc
if [ -e /new/agent/loader ]; then
  exec switch_root /new /agent/loader --library-path /agent /agent/ztwin agent
fi
exec switch_root /new /agent/ztwin agent
"#;

/// What the initramfs is made of, collected from an image's tar.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// The static busybox.
    pub busybox: Vec<u8>,
    /// Kernel modules as they are stored, by path below `lib/modules/RELEASE/`.
    pub modules: HashMap<String, Vec<u8>>,
    /// `modules.dep`.
    pub dependencies: String,
    /// `modules.builtin`.
    pub builtin: String,
}

impl Parts {
    /// Writes the initramfs; `inflate` gives the content of a module by its path and stored bytes.
    /// The error is what is missing, for people.
    pub(crate) fn write(
        &self,
        to: &mut impl Write,
        mut inflate: impl FnMut(&str, &[u8]) -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        if self.busybox.is_empty() {
            return Err("it has no busybox".into());
        }
        let mut order = String::new();
        let mut modules = Vec::new();
        for path in self.load_order()? {
            let stored = self
                .modules
                .get(&path)
                .ok_or_else(|| format!("its kernel module {path} is listed and not there"))?;
            let name = plain_name(&path);
            order.push_str(name);
            order.push('\n');
            modules.push((format!("modules/{name}"), inflate(&path, stored)?));
        }
        let written = (|| -> io::Result<()> {
            let mut cpio = Cpio::new(to);
            let dirs = [
                "bin", "proc", "sys", "dev", "image", "changes", "new", "modules",
            ];
            for dir in dirs {
                cpio.entry(dir, 0o040_755, &[])?;
            }
            cpio.entry("bin/busybox", 0o100_755, &self.busybox)?;
            cpio.entry("init", 0o100_755, INIT.as_bytes())?;
            cpio.entry("modules/order", 0o100_644, order.as_bytes())?;
            for (name, content) in &modules {
                cpio.entry(name, 0o100_644, content)?;
            }
            cpio.finish()
        })();
        written.map_err(|e| format!("its initrd cannot be written: {e}"))
    }

    /// The paths of all modules to load, each after those that it depends on.
    fn load_order(&self) -> Result<Vec<String>, String> {
        let needs: HashMap<&str, Vec<&str>> = self
            .dependencies
            .lines()
            .filter_map(|line| line.split_once(':'))
            .map(|(module, needs)| (module, needs.split_whitespace().collect()))
            .collect();
        let mut order = Vec::new();
        for name in MODULES {
            let file = format!("{name}.ko");
            let Some(path) = needs.keys().find(|path| plain_name(path) == file) else {
                if self.builtin.lines().any(|path| plain_name(path) == file) {
                    continue;
                }
                return Err(format!("its kernel has no module {name}"));
            };
            add(path, &needs, &mut order);
        }
        Ok(order)
    }
}

fn add(path: &str, needs: &HashMap<&str, Vec<&str>>, order: &mut Vec<String>) {
    if order.iter().any(|have| have == path) {
        return;
    }
    // depmod refuses cycles, so this ends.
    for need in needs.get(path).into_iter().flatten() {
        add(need, needs, order);
    }
    order.push(path.to_owned());
}

/// The file name of a module without the suffix of its compression.
pub(crate) fn plain_name(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.find(".ko").map_or(name, |at| &name[..at + 3])
}

/// Writes the `newc` form of cpio(5).
struct Cpio<W> {
    to: W,
    inode: u32,
}

impl<W: Write> Cpio<W> {
    fn new(to: W) -> Self {
        Cpio { to, inode: 0 }
    }

    fn entry(&mut self, name: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.inode += 1;
        let size = u32::try_from(content.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a file over 4 GiB"))?;
        // ino mode uid gid nlink mtime size major minor rmajor rminor namesize check
        let numbers = [
            self.inode,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            0,
            0,
            u32::try_from(name.len() + 1).unwrap_or(u32::MAX),
            0,
        ];
        self.to.write_all(b"070701")?;
        for number in numbers {
            write!(self.to, "{number:08x}")?;
        }
        self.to.write_all(name.as_bytes())?;
        self.to.write_all(b"\0")?;
        self.pad(110 + name.len() + 1)?;
        self.to.write_all(content)?;
        self.pad(content.len())
    }

    fn pad(&mut self, length: usize) -> io::Result<()> {
        self.to.write_all(&[0; 3][..(4 - length % 4) % 4])
    }

    fn finish(&mut self) -> io::Result<()> {
        self.entry("TRAILER!!!", 0, &[])?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Parts {
        let dependencies = "kernel/a/virtio_blk.ko.xz:\nkernel/a/virtio_console.ko.xz:\n\
            kernel/fs/squashfs.ko.xz:\nkernel/fs/overlay.ko.xz:\nkernel/d/loop.ko.xz:\n\
            extra/spl.ko.xz:\nextra/zfs.ko.xz: extra/icp.ko.xz extra/spl.ko.xz\n\
            extra/icp.ko.xz: extra/spl.ko.xz\nkernel/other.ko.xz: kernel/more.ko.xz\n";
        let modules = dependencies
            .lines()
            .filter_map(|line| Some((line.split_once(':')?.0.to_owned(), b"module".to_vec())))
            .collect();
        Parts {
            busybox: b"busybox".to_vec(),
            modules,
            dependencies: dependencies.into(),
            builtin: "kernel/drivers/virtio/virtio_pci.ko\n".into(),
        }
    }

    #[test]
    fn modules_are_loaded_after_what_they_need() {
        let order = parts().load_order().unwrap();
        let at = |name: &str| {
            order
                .iter()
                .position(|path| plain_name(path) == name)
                .unwrap()
        };
        assert!(at("spl.ko") < at("icp.ko") && at("icp.ko") < at("zfs.ko"));
        assert!(
            !order
                .iter()
                .any(|path| path.contains("other") || path.contains("more"))
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let write = |parts: &Parts| parts.write(&mut Vec::new(), |_, b| Ok(b.to_vec()));
        let mut it = parts();
        it.builtin.clear();
        assert_eq!(
            write(&it).unwrap_err(),
            "its kernel has no module virtio_pci"
        );
        let mut it = parts();
        it.modules.remove("extra/icp.ko.xz");
        assert!(write(&it).unwrap_err().contains("extra/icp.ko.xz"));
        let mut it = parts();
        it.busybox.clear();
        assert!(write(&it).unwrap_err().contains("busybox"));
    }

    #[test]
    fn the_archive_is_what_cpio_expects() {
        let mut bytes = Vec::new();
        parts().write(&mut bytes, |_, b| Ok(b.to_vec())).unwrap();
        let mut at = 0;
        let mut names = Vec::new();
        while at < bytes.len() {
            assert_eq!(&bytes[at..at + 6], b"070701");
            let number = |i: usize| {
                let field = &bytes[at + 6 + 8 * i..at + 14 + 8 * i];
                usize::from_str_radix(std::str::from_utf8(field).unwrap(), 16).unwrap()
            };
            let (size, name) = (number(6), number(11));
            names.push(String::from_utf8(bytes[at + 110..at + 109 + name].to_vec()).unwrap());
            at += (110 + name).next_multiple_of(4) + size.next_multiple_of(4);
        }
        assert_eq!(names.last().unwrap(), "TRAILER!!!");
        assert!(names.contains(&"modules/zfs.ko".to_owned()));
        assert!(names.iter().all(|name| !name.contains(".xz")));
    }
}
