//! The mix `corners`: what the other mixes seldom come to. Each sequence has a theme, with a pool that is made for it.

use super::draw::Draw;
use super::words;

/// A pool, and the steps over it. In a step `%` stands for a filesystem, `@` for a snapshot, `V` for a volume, `/` for a
/// file, `#` for a number of bytes, and `$` for data.
struct Theme {
    setup: &'static [&'static str],
    steps: &'static [&'static str],
}

const THEMES: [Theme; 15] = [
    // Volumes: their data, their size, what is reserved for them.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -V 1M -b 8K tank/v",
        ],
        steps: &[
            "write V # # $",
            "write V # # $",
            "punch V # #",
            "read V 0 1M",
            "zfs snapshot V@s",
            "zfs snapshot V@t",
            "zfs rollback V@s",
            "zfs rollback -r V@s",
            "zfs set volsize=2M V",
            "zfs set volsize=512K V",
            "zfs get -Hp volsize,refreservation,usedbyrefreservation V V@s",
            "zfs set refreservation=none V",
            "zfs set refreservation=auto V",
            "zfs clone V@s tank/w",
            "zfs promote tank/w",
            "zfs create -s -V 1M tank/w",
            "zfs destroy -r tank/w",
            "zfs rename tank/w V/w",
            "zfs bookmark V@s V#s",
            "zfs list -H -t bookmark -o name -r V",
            "zfs list -Hp -t all -o name,used,refer,volsize,volblocksize",
            "zpool sync",
        ],
    },
    // Devices in all shapes.
    Theme {
        setup: &[
            "vdev /v/a 512M",
            "vdev /v/b 512M",
            "vdev /v/c 512M",
            "vdev /v/d 512M",
        ],
        steps: &[
            "zpool create tank draid1:2d:4c:1s /v/a /v/b /v/c /v/d",
            "zpool create tank draid1:2d:4c:0s /v/a /v/b /v/c /v/d",
            "zpool create tank raidz2 /v/a /v/b /v/c /v/d",
            "zpool create tank mirror /v/a /v/b mirror /v/c /v/d",
            "zpool create -o ashift=14 tank raidz1 /v/a /v/b /v/c",
            "zfs create tank/a",
            "zfs create -V 1M -b 8K tank/v",
            "zfs get -Hp refreservation,volblocksize tank/v",
            "write % # # $",
            "write %:/f # # $",
            "write %:/g # # $",
            "zpool sync",
            "zpool list -Hp -o name,size,ashift",
            "zfs list -Hp -o name,used,refer,available",
            "zfs list -Hp -o name,used,refer,available",
            "zpool destroy tank",
            "zpool export tank",
            "zpool import -d /v tank",
        ],
    },
    // Checkpoints and imports.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create tank/a",
        ],
        steps: &[
            "zpool checkpoint tank",
            "zpool checkpoint tank",
            "zpool checkpoint -d tank",
            "zpool export tank",
            "zpool export tank",
            "zpool import -d /v tank",
            "zpool import -d /v --rewind-to-checkpoint tank",
            "zpool import -d /v --rewind-to-checkpoint tank",
            "zpool import -d /v -o readonly=on tank",
            "zpool import -d /v -R /mnt/alt tank",
            "zpool import -d /v tank pond",
            "zpool destroy tank",
            "vdev /v/b 1G",
            "zpool create -d tank /v/b",
            "zpool create -d pond /v/b",
            "zpool checkpoint pond",
            "zfs create tank/b",
            "zfs destroy tank/b",
            "zfs snapshot tank/a@s",
            "zfs set readonly=on tank/a",
            "zpool set comment=x tank",
            "zpool set listsnapshots=on tank",
            "zpool get -Hp readonly,comment,altroot,listsnapshots tank",
            "zfs list -H -o name,mountpoint,mounted",
        ],
    },
    // Blocks that are the same, copied, or hardly there.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -o recordsize=16K -o checksum=sha256 -o compression=lz4 tank/a",
            "zfs create -o recordsize=16K -o dedup=on tank/b",
            "zfs create -o recordsize=16K -o compression=gzip tank/c",
        ],
        steps: &[
            "write / 0 64K data=text:1",
            "write / 0 64K data=text:1",
            "write / 0 # $",
            "write / 0 # data=zero",
            "zpool sync",
            "zpool sync",
            "reflink / /",
            "copy_file_range / 0 / 0 64K",
            "reflink tank/a:/f tank/c:/g",
            "truncate / #",
            "punch / # #",
            "zfs snapshot @",
            "zfs set compression=off %",
            "zfs set compression=gzip-9 %",
            "zfs list -Hp -t all -o name,used,refer,written",
            "zfs list -Hp -t all -o name,used,refer,written",
            "zfs get -Hp available tank",
            "zpool list -Hp -o name,allocated,free,dedupratio",
            "blocks %",
            "blocks %",
        ],
    },
    // Extended attributes.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -o xattr=sa tank/a",
            "zfs create -o xattr=dir tank/b",
            "zfs create -o dnodesize=1k -o xattr=sa tank/c",
        ],
        steps: &[
            "write / 0 # $",
            "mkdir %:/d",
            "setxattr / user.x 10 $",
            "setxattr / user.x 90 $",
            "setxattr / user.y 300 $",
            "setxattr / user.y 590 $",
            "setxattr / user.z 2000 $",
            "chmod 077 /",
            "chmod 644 /",
            "setxattr / trusted.o 1 data=zero",
            "removexattr / user.x",
            "getxattr / user.y",
            "zfs set xattr=sa %",
            "zfs set xattr=dir %",
            "listxattr /",
            "zpool sync",
            "zfs snapshot @",
            "zfs clone tank/a@s tank/d",
            "zfs list -Hp -t all -o name,used,refer,written",
            "blocks %",
        ],
    },
    // Names that are one, and rights that go.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -o casesensitivity=insensitive tank/a",
            "zfs create -o casesensitivity=mixed tank/b",
            "zfs create -o utf8only=on -o normalization=formD tank/c",
            "chmod 0777 tank/a:/",
            "chmod 0777 tank/b:/",
            "p2$ user 1000:1000",
        ],
        steps: &[
            "write %:/f 0 10 $",
            "write %:/F 0 10 $",
            "unlink %:/F",
            "rename %:/f %:/F",
            "mkdir %:/D",
            "stat %:/d",
            "stat %:/F",
            "readdir %:/",
            "chmod 4777 %:/f",
            "chmod 6777 %:/f",
            "p2$ write %:/f 0 10 $",
            "p2$ write %:/f 0 10 $",
            "stat %:/f",
            "p2$ truncate %:/f 3",
            "p2$ chmod 4755 %:/f",
            "p2$ unlink %:/f",
            "tree %",
        ],
    },
    // What changed between two points.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create tank/a",
            "write tank/a:/f 0 10 data=text:1",
            "mkdir tank/a:/d",
            "zfs snapshot tank/a@s",
        ],
        steps: &[
            "rename tank/a:/f tank/a:/g",
            "rename tank/a:/f tank/a:/d/f",
            "rename tank/a:/g tank/a:/f",
            "write tank/a:/f 0 10 $",
            "write tank/a:/h 0 10 $",
            "unlink tank/a:/f",
            "link tank/a:/f tank/a:/h",
            "chmod 0600 tank/a:/f",
            "mkdir tank/a:/e",
            "rmdir tank/a:/d",
            "zfs snapshot tank/a@t",
            "zfs destroy tank/a@t",
            "zfs rollback tank/a@s",
            "zfs bookmark tank/a@s tank/a#s",
            "zfs bookmark tank/a@t tank/a#t",
            "zfs rollback -r tank/a@s",
            "zfs list -H -t bookmark -o name -r tank/a",
            "zfs diff -FH tank/a@s",
            "zfs diff -FH tank/a@s tank/a",
            "zfs diff -FH tank/a@s tank/a@t",
        ],
    },
    // Mounts that are busy, or only look gone.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create -O mountpoint=legacy tank /v/a",
            "zfs create tank/a",
            "mount tank/a /mnt/a",
            "write tank/a:/f 0 10 data=text:1",
        ],
        steps: &[
            "open h tank/a:/f r",
            "open i tank/a:/f rw",
            "close h",
            "close i",
            "write i 0 10 $",
            "write tank/a:/f 0 100K $",
            "unlink tank/a:/f",
            "zfs set readonly=on tank/a",
            "zfs set readonly=off tank/a",
            "umount /mnt/a",
            "umount -f /mnt/a",
            "umount -l /mnt/a",
            "mount tank/a /mnt/a",
            "zfs rename tank/a tank/b",
            "zfs rename tank/b tank/a",
            "zfs destroy tank/a",
            "zfs create tank/a",
            "state -v",
        ],
    },
    // The same in two places, and snapshots that are mounted.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create tank/a",
            "write tank/a:/f 0 10 data=text:1",
        ],
        steps: &[
            "mount tank/a /mnt/a",
            "mount tank/a /mnt/b",
            "mount -o ro tank/a /mnt/b",
            "umount /mnt/a",
            "umount -l /mnt/b",
            "umount -l /tank/a",
            "zfs mount tank/a",
            "zfs unmount tank/a",
            "zfs set mountpoint=legacy tank/a",
            "zfs inherit mountpoint tank/a",
            "zfs set readonly=on tank/a",
            "zfs set readonly=off tank/a",
            "zfs rename tank/a tank/b",
            "zfs rename tank/b tank/a",
            "open h tank/a:/f r",
            "close h",
            "zfs snapshot tank/a@s",
            "mount tank/a@s /mnt/s",
            "umount /mnt/s",
            "zfs destroy tank/a@s",
            "zfs destroy -d tank/a@s",
            "zfs destroy tank/a",
            "zfs destroy -f tank/a",
            "zfs destroy -r tank/a",
            "zfs create tank/a",
            "write tank/a:/f 0 10 $",
            "state -v",
        ],
    },
    // Clones of clones, and what each is charged for.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create tank/a",
            "write tank/a:/f 0 100K data=random:1",
            "zfs snapshot tank/a@s",
            "zfs clone tank/a@s tank/b",
        ],
        steps: &[
            "write / 0 # $",
            "write / 0 # $",
            "unlink /",
            "zfs snapshot @",
            "zfs snapshot @",
            "zfs clone @ %",
            "zfs clone @ %",
            "zfs promote %",
            "zfs promote %",
            "zfs destroy @",
            "zfs destroy -r %",
            "zfs rollback @",
            "zfs rollback -r @",
            "zfs rename tank/c tank/a",
            "zfs bookmark tank/a@s tank/a#s",
            "zfs bookmark tank/b@t tank/b#t",
            "zfs list -H -t bookmark -o name -r tank",
            "zfs list -Hp -t all -o name,used,refer,origin,written",
        ],
    },
    // What is told before it is done, and what has no room.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create tank/a",
            "zfs snapshot tank/a@s",
            "zfs clone tank/a@s tank/b",
            "zfs create -o refquota=160K tank/c",
        ],
        steps: &[
            "zfs destroy -nv tank/a",
            "zfs destroy -rnv tank/a",
            "zfs destroy -Rnv tank/a",
            "zfs destroy -Rnv tank/a@s",
            "zfs destroy -nvp tank/a@s,t",
            "zfs snapshot tank/a@t",
            "zfs hold k tank/a@s",
            "zfs release k tank/a@s",
            "zfs snapshot tank/b@s",
            "zfs destroy -d tank/a@s",
            "zfs clone tank/b@s tank/d",
            "zfs promote tank/b",
            "write tank/c:/f 0 150K $",
            "write tank/c:/f 0 1M $",
            "truncate tank/c:/f 1M",
            "truncate tank/c:/f 10M",
            "unlink tank/c:/f",
            "stat tank/c:/f",
            "stat tank/c:/f",
            "zpool sync",
            "zfs set refquota=none tank/c",
        ],
    },
    // Where files have data, and where holes.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -o recordsize=16K tank/a",
            "zfs create -o compression=off tank/b",
            "zfs create tank/c",
        ],
        steps: &[
            "write / # # $",
            "write / # # $",
            "write / 0 # data=zero",
            "truncate / #",
            "punch / # #",
            "seek / data #",
            "seek / hole #",
            "read / # 1M",
            "stat /",
            "reflink / /",
            "copy_file_range / 0 / # 64K",
            "unlink /",
            "zfs snapshot @",
            "zfs rollback @",
            "zpool sync",
            "blocks %",
            "zfs list -Hp -t all -o name,used,refer,written",
        ],
    },
    // One file, written again and again.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -o recordsize=16K -o checksum=sha256 -o compression=lz4 tank/a",
        ],
        steps: &[
            "write tank/a:/f 0 64K $",
            "write tank/a:/f 0 64K $",
            "write tank/a:/f 0 16K $",
            "write tank/a:/f 16K # $",
            "truncate tank/a:/f #",
            "zfs set compression=off tank/a",
            "zfs set compression=lz4 tank/a",
            "zfs set checksum=on tank/a",
            "zfs set checksum=sha256 tank/a",
            "zfs set dedup=on tank/a",
            "zfs set dedup=off tank/a",
            "zfs set copies=2 tank/a",
            "zfs set copies=1 tank/a",
            "zfs snapshot tank/a@s",
            "zfs destroy tank/a@s",
            "zfs rollback tank/a@s",
            "zpool sync",
            "zpool sync",
            "blocks tank/a",
            "zfs list -Hp -t all -o name,used,refer,written",
            "zpool list -Hp -o name,allocated,dedupratio",
        ],
    },
    // One volume, written and discarded again and again.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create -V 1M -b 8K tank/v",
        ],
        steps: &[
            "write V 0 16K $",
            "write V 0 16K $",
            "write V 8K 8K $",
            "punch V 0 16K",
            "punch V 8K 8K",
            "punch V 0 #",
            "read V 0 64K",
            "zfs set volsize=8K V",
            "zfs set volsize=1M V",
            "zfs set compression=off V",
            "zfs set compression=lz4 V",
            "zfs set copies=2 V",
            "zfs snapshot V@s",
            "zfs destroy V@s",
            "zfs rollback V@s",
            "zpool sync",
            "zfs list -Hp -t all -o name,used,refer,written",
        ],
    },
    // Mounts by properties, and what their options become.
    Theme {
        setup: &[
            "vdev /v/a 1G",
            "zpool create -O relatime=off tank /v/a",
            "zfs create tank/a",
            "zfs create tank/a/k",
            "write tank/a:/f 0 10 data=text:1",
            "write tank/a/k:/f 0 10 data=text:1",
        ],
        steps: &[
            "zfs mount tank/a",
            "zfs mount -o ro tank/a",
            "zfs mount -a",
            "zfs unmount tank/a",
            "zfs unmount -a",
            "zfs rename tank/a tank/b",
            "zfs rename tank/b tank/a",
            "zfs set canmount=off tank/a",
            "zfs set canmount=noauto tank/a",
            "zfs set canmount=on tank/a",
            "zfs set atime=off tank",
            "zfs set atime=on tank",
            "zfs set readonly=on x:y=1 tank/a",
            "zfs set readonly=off atime=on x:y=2 tank/a",
            "zfs inherit atime tank/a",
            "zfs inherit readonly tank/a",
            "write tank/a:/f 0 10 $",
            "read tank/a:/f 0 10",
            "read tank/a/k:/f 0 10",
            "times tank/a:/f",
            "times tank/a/k:/f",
            "open h tank/a/k:/f r",
            "close h",
            "zfs list -H -o name,mounted,mountpoint,readonly,atime -r tank",
        ],
    },
];

const FILESYSTEMS: [&str; 3] = ["tank/a", "tank/b", "tank/c"];
const SNAPSHOTS: [&str; 2] = ["s", "t"];
const FILES: [&str; 2] = ["/f", "/g"];
const SIZES: [&str; 9] = ["0", "1", "512", "3K", "4K", "8K", "16K", "100K", "128K"];
const DATA: [&str; 4] = ["data=random:1", "data=random:2", "data=zero", "data=text:1"];

/// A sequence that is being drawn.
pub(super) struct Sequence {
    draw: Draw,
    setup: std::slice::Iter<'static, &'static str>,
    steps: Vec<&'static str>,
    left: usize,
}

impl Sequence {
    /// The themes take turns by the seed. Half of the sequences have only half of the steps of their theme, so that in one
    /// or another nothing undoes what a few of them lead to.
    pub fn new(mut draw: Draw, seed: u64, length: usize) -> Self {
        let index = usize::try_from(seed % THEMES.len() as u64).unwrap_or(0);
        let theme = &THEMES[index];
        let steps = theme.steps.iter().copied();
        let has_all = draw.chance(1, 2);
        let mut steps: Vec<&str> = steps.filter(|_| has_all || draw.chance(1, 2)).collect();
        // What was there at first can come again.
        let is_pool = |line: &&str| line.starts_with("vdev") || line.starts_with("zpool");
        steps.extend(theme.setup.iter().copied().filter(|it| !is_pool(it)));
        Sequence {
            draw,
            setup: theme.setup.iter(),
            steps,
            left: length,
        }
    }

    /// The next step and its process; none behind the last one.
    pub fn next(&mut self) -> Option<(String, Vec<String>)> {
        if let Some(line) = self.setup.next() {
            return Some(self.step(line));
        }
        self.left = self.left.checked_sub(1)?;
        let line = *self.draw.one(&self.steps)?;
        Some(self.step(line))
    }

    fn step(&mut self, line: &str) -> (String, Vec<String>) {
        let (process, line) = line.split_once("$ ").unwrap_or(("", line));
        let draw = &mut self.draw;
        let mut one = |all: &[&str]| draw.one(all).copied().unwrap_or_default().to_owned();
        let all = words(line).into_iter().map(|word| match word.as_str() {
            "%" => one(&FILESYSTEMS),
            "@" => format!("{}@{}", one(&FILESYSTEMS), one(&SNAPSHOTS)),
            "/" => format!("{}:{}", one(&FILESYSTEMS), one(&FILES)),
            "#" => one(&SIZES),
            "$" => one(&DATA),
            word if word.starts_with("%:") => format!("{}{}", one(&FILESYSTEMS), &word[1..]),
            word if word.starts_with('V') => format!("tank/v{}", &word[1..]),
            word => word.to_owned(),
        });
        (process.to_owned(), all.collect())
    }
}
