//! The mixes `space-...`: what changes how much datasets take. Few datasets and few files, written, cloned and
//! destroyed again and again, on a pool of one layout. And the mix `sharing`: many clones, of which each is
//! written to a little.

use ztwin_model::dmu::ROOT;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::property::Property;
use ztwin_model::machine::State;
use ztwin_model::zpl::znode::{Body, Znode};

use super::draw::Draw;
use super::words;

/// A sequence that is being drawn.
pub(super) struct Sequence {
    draw: Draw,
    /// The steps before the drawn ones.
    setup: std::vec::IntoIter<String>,
    /// How many are still drawn.
    left: usize,
    /// The last steps.
    end: std::vec::IntoIter<String>,
    /// What is drawn, and how often.
    rules: &'static [(u64, Rule)],
    /// Seeds of data, each taken once.
    next: u64,
}

/// The layouts of pools: devices with their size, and how they stand together.
pub(super) const ONE_DEVICE_12: &[&str] = &["vdev /v/a 1G", "-o ashift=12 tank /v/a"];
pub(super) const ONE_DEVICE_14: &[&str] = &["vdev /v/a 1G", "-o ashift=14 tank /v/a"];
pub(super) const MIRROR: &[&str] = &[
    "vdev /v/a 1G",
    "vdev /v/b 1G",
    "-o ashift=12 tank mirror /v/a /v/b",
];
pub(super) const RAIDZ: &[&str] = &[
    "vdev /v/a 512M",
    "vdev /v/b 512M",
    "vdev /v/c 512M",
    "-o ashift=12 tank raidz1 /v/a /v/b /v/c",
];

/// With the files and the directory below a filesystem five names: whether the table of six fits into a block pointer
/// is up to a salt.
const COMPONENTS: [&str; 3] = ["a", "b", "c"];
const SNAPSHOTS: [&str; 4] = ["s1", "s2", "s3", "s4"];
const FILES: [&str; 8] = [
    "/f0", "/f0", "/f0", "/d/f0", "/d/f1", "/d/f2", "/d/f3", "/d/f4",
];

/// The blocks of a file or a volume that are written: how well an indirect block with more pointers is compressed hangs
/// on where blocks lie.
const BLOCKS: u64 = 64;

const RECORD_SIZES: [&str; 5] = ["8K", "16K", "64K", "128K", "1M"];
const COMPRESSIONS: [&str; 3] = ["off", "zle", "lz4"];

/// Quotas: below what is there, or so far above that no writer comes near; others are drawn near to what is there.
const QUOTAS: [&str; 5] = ["none", "none", "1K", "500M", "2G"];

/// How far above what is there a quota is that writers meet, in units of 1K.
const NEAR: [u64; 4] = [64, 500, 2_000, 8_000];

/// Reservations: below what is there, about as much, and above it.
const RESERVATIONS: [&str; 6] = ["none", "none", "300K", "2M", "64M", "2G"];

/// Where blocks of one size or another end.
const EDGES: [u64; 10] = [
    0, 512, 4096, 8192, 16_384, 65_536, 131_072, 262_144, 1_048_576, 3_145_728,
];

type Rule = fn(&mut World<'_>) -> Option<Vec<String>>;

/// What is drawn for `space-...`, and how often.
const SPACE: &[(u64, Rule)] = &[
    (7, |it| it.create()),
    (1, |it| it.create_volume()),
    (3, |it| it.write_volume()),
    (1, |it| it.discard()),
    (26, |it| it.write()),
    (5, |it| it.truncate()),
    (5, |it| it.punch()),
    (6, |it| it.unlink()),
    (4, |it| it.directory()),
    (1, |it| it.link()),
    (8, |it| it.snapshot()),
    (5, |it| it.clone()),
    (3, |it| it.promote()),
    (3, |it| it.rollback()),
    (5, |it| it.destroy_snapshots()),
    (1, |it| it.destroy_filesystem()),
    (1, |it| it.rename()),
    (3, |it| it.set_size()),
    (3, |it| it.set_near_quota()),
    (3, |it| it.set()),
    (14, |_| Some(words("zpool sync tank"))),
];

/// What is drawn for `sharing`.
const SHARING: &[(u64, Rule)] = &[
    (30, |it| it.clone_anew()),
    (30, |it| it.write()),
    (4, |it| it.truncate()),
    (4, |it| it.punch()),
    (3, |it| it.unlink()),
    (1, |it| it.link()),
    (12, |it| it.snapshot()),
    (3, |it| it.promote()),
    (2, |it| it.rollback()),
    (2, |it| it.destroy_snapshots()),
    (1, |it| it.destroy_filesystem()),
    (2, |it| it.set()),
    (6, |it| it.shared()),
    (2, |_| Some(words("zpool sync tank"))),
];

impl Sequence {
    /// What changes how much datasets take.
    pub fn of_space(draw: Draw, length: usize, layout: &[&str]) -> Self {
        let mut setup: Vec<String> = layout.iter().map(|&line| line.to_owned()).collect();
        if let Some(pool) = setup.last_mut() {
            *pool = format!("zpool create -O atime=off -O compression=off {pool}");
        }
        let first = ["a", "b", "c", "a/b", "b/c", "c/a"];
        setup.extend(first.map(|it| format!("zfs create tank/{it}")));
        setup.push("zfs snapshot -r tank@s1".to_owned());
        Sequence {
            draw,
            setup: setup.into_iter(),
            left: length,
            end: Vec::new().into_iter(),
            rules: SPACE,
            next: 1,
        }
    }

    /// Many clones, and at the end which blocks they share.
    pub fn of_sharing(draw: Draw, length: usize, layout: &[&str]) -> Self {
        let space = Sequence::of_space(draw, length, layout);
        let files = ["f0 0 300K", "f1 0 60K", "d/f0 0 1M", "f2 200K 3K"];
        let files = files.iter().zip(1_000_000..);
        let writes = files.map(|(file, seed)| format!("write tank/a:/{file} data=random:{seed}"));
        let mut setup: Vec<String> = space.setup.collect();
        setup.push("mkdir tank/a:/d".to_owned());
        setup.extend(writes);
        setup.push("zfs snapshot tank/a@s2".to_owned());
        Sequence {
            setup: setup.into_iter(),
            end: vec!["pointers tank".to_owned()].into_iter(),
            rules: SHARING,
            ..space
        }
    }

    /// The next step; none behind the last one.
    pub fn next(&mut self, state: &State) -> Option<Vec<String>> {
        if let Some(line) = self.setup.next() {
            return Some(words(&line));
        }
        let Some(left) = self.left.checked_sub(1) else {
            return self.end.next().map(|line| words(&line));
        };
        self.left = left;
        let mut world = World::new(&mut self.draw, &mut self.next, state);
        // A rule has nothing to say when what it needs is not there.
        for _ in 0..100 {
            let rule = *world.draw.weighted(self.rules)?;
            if let Some(words) = rule(&mut world) {
                return Some(words);
            }
        }
        world.create()
    }
}

/// What there is to choose from.
struct World<'a> {
    draw: &'a mut Draw,
    next: &'a mut u64,
    state: &'a State,
    filesystems: Vec<String>,
    snapshots: Vec<String>,
    clones: Vec<String>,
    /// Filesystems with files to change.
    mounted: Vec<String>,
}

impl<'a> World<'a> {
    fn new(draw: &'a mut Draw, next: &'a mut u64, state: &'a State) -> Self {
        let ids = state.pools.values().flat_map(|pool| pool.datasets.keys());
        let ids: Vec<DatasetId> = ids.collect();
        let names = |wanted: &dyn Fn(DatasetId) -> bool| {
            let ids = ids.iter().filter(|&&id| wanted(id));
            ids.filter_map(|&id| state.name_of(id)).collect::<Vec<_>>()
        };
        let filesystem = |id| state.filesystem(id).is_some();
        World {
            filesystems: names(&filesystem),
            snapshots: names(&|id| state.snapshot(id).is_some()),
            clones: names(&|id| state.origin_of(id).is_some()),
            mounted: names(&|id| filesystem(id) && state.mounts.is_mounted(id)),
            draw,
            next,
            state,
        }
    }

    fn dataset(&self, name: &str) -> Option<&'a Dataset> {
        self.state.dataset(self.state.find(name)?)
    }

    /// A filesystem or volume, seldom the pool's root.
    fn filesystem(&mut self) -> Option<String> {
        let below = |name: &&String| name.contains('/') || self.filesystems.len() == 1;
        let all: Vec<&String> = self.filesystems.iter().filter(below).collect();
        if self.draw.chance(1, 15) {
            return Some("tank".to_owned());
        }
        self.draw.one(&all).map(|&name| name.clone())
    }

    /// A name in the pool or a level deeper, seldom one that is taken.
    fn new_filesystem(&mut self) -> Option<String> {
        let mut above = "tank".to_owned();
        if self.draw.chance(1, 3) {
            above = self.filesystem()?;
        }
        if above.matches('/').count() > 1 {
            return None;
        }
        let name = format!("{above}/{}", self.draw.one(&COMPONENTS)?);
        let taken = self.dataset(&name).is_some();
        (!taken || self.draw.chance(1, 6)).then_some(name)
    }

    fn create(&mut self) -> Option<Vec<String>> {
        let mut all = words("zfs create");
        if self.draw.chance(1, 2) {
            let setting = format!("recordsize={}", self.draw.one(&RECORD_SIZES)?);
            all.extend(["-o".to_owned(), setting]);
        }
        if self.draw.chance(1, 2) {
            let setting = format!("compression={}", self.draw.one(&COMPRESSIONS)?);
            all.extend(["-o".to_owned(), setting]);
        }
        if self.draw.chance(1, 5) {
            let setting = format!("copies={}", 2 + self.draw.below(2));
            all.extend(["-o".to_owned(), setting]);
        }
        all.push(self.new_filesystem()?);
        Some(all)
    }

    fn create_volume(&mut self) -> Option<Vec<String>> {
        let mut all = words("zfs create -V");
        all.push((*self.draw.one(&["2M", "16M"])?).to_owned());
        if self.draw.chance(1, 2) {
            all.push("-s".to_owned());
        }
        all.push(self.new_filesystem()?);
        Some(all)
    }

    /// A place in a file, or a number of bytes: mostly where blocks end, or right beside.
    fn offset(&mut self) -> Option<u64> {
        Some(match self.draw.below(8) {
            0 => self.draw.below(2_000_000),
            1 => self.draw.below(200_000),
            at => {
                let edge = *self.draw.one(&EDGES[..9])? * (1 + self.draw.below(3));
                match at {
                    2 => edge + self.draw.below(700),
                    3 => edge.saturating_sub(self.draw.below(700)),
                    _ => edge,
                }
            }
        })
    }

    fn length(&mut self) -> Option<u64> {
        Some(match self.draw.below(8) {
            0 => 1,
            1 => 1 + self.draw.below(1000),
            2 => 1 + self.draw.below(200_000),
            3 => *self.draw.one(&EDGES[1..])? + 1,
            _ => *self.draw.one(&EDGES[1..9])?,
        })
    }

    /// A filesystem whose files are to change, seldom the pool's root.
    fn changed(&mut self) -> Option<String> {
        let below: Vec<&String> = self.mounted.iter().filter(|it| it.contains('/')).collect();
        if below.is_empty() || self.draw.chance(1, 10) {
            return self.draw.one(&self.mounted).cloned();
        }
        self.draw.one(&below).map(|&it| it.clone())
    }

    /// A file that is there, or could be.
    fn file(&mut self) -> Option<String> {
        let of = self.changed()?;
        let mut path = *self.draw.one(&FILES)?;
        if self.object(&of, "/d").is_none() {
            path = FILES[0];
        }
        Some(format!("{of}:{path}"))
    }

    fn object(&self, of: &str, path: &str) -> Option<&'a Znode> {
        let objset = &self.dataset(of)?.objset;
        let paths = objset.paths(ROOT);
        let (_, id) = paths.into_iter().find(|(it, _)| &**it == path)?;
        objset.get(id)
    }

    /// What is left of a write to a file or a volume.
    fn cut(&self, to: &str, offset: u64, length: u64) -> (u64, u64) {
        let size = match to.split_once(':') {
            Some((of, path)) => match self.object(of, path).map(|it| &it.body) {
                Some(Body::File(blocks)) if blocks.size() > blocks.block_size() => {
                    blocks.block_size()
                }
                _ => self
                    .state
                    .find(of)
                    .map_or(0, |id| self.state.recordsize(id)),
            },
            None => 8192,
        };
        let offset = offset.min((BLOCKS - 1) * size);
        (offset, length.min(BLOCKS * size - offset))
    }

    /// A file that is there, with its size.
    fn old_file(&mut self) -> Option<(String, u64)> {
        let of = self.changed()?;
        let files = self.files(&of)?;
        self.draw.one(&files).cloned()
    }

    /// All files of a filesystem, with their sizes.
    fn files(&self, of: &str) -> Option<Vec<(String, u64)>> {
        let objset = &self.dataset(of)?.objset;
        let files = objset.paths(ROOT).into_iter().filter_map(|(path, id)| {
            let znode = objset.get(id)?;
            matches!(znode.body, Body::File(_)).then(|| (format!("{of}:{path}"), znode.size()))
        });
        Some(files.collect())
    }

    /// What is written: nothing twice.
    fn data(&mut self) -> String {
        *self.next += 1;
        let next = *self.next;
        match self.draw.below(8) {
            0 => "zero".to_owned(),
            1 | 2 => format!("text:{next}"),
            _ => format!("random:{next}"),
        }
    }

    fn write(&mut self) -> Option<Vec<String>> {
        let data = self.data();
        let old = self.old_file();
        let (file, offset) = match (old, self.draw.below(4)) {
            // Over what is there, behind it, or anywhere.
            (Some((file, size)), 0) => (file, self.draw.below(size + 1)),
            (Some((file, size)), 1) => (file, size),
            (Some((file, _)), 2) => (file, self.offset()?),
            _ => {
                let offset = if self.draw.chance(3, 4) {
                    0
                } else {
                    self.offset()?
                };
                (self.file()?, offset)
            }
        };
        let length = self.length()?;
        let (offset, length) = self.cut(&file, offset, length);
        Some(words(&format!(
            "write {file} {offset} {length} data={data}"
        )))
    }

    /// A volume, and a place in it: devices have sectors of 512 bytes.
    fn in_volume(&mut self) -> Option<(String, u64, u64)> {
        let is_volume = |name: &&String| {
            let dataset = self.dataset(name);
            dataset.is_some_and(|it| it.volume().is_some())
        };
        let volumes: Vec<&String> = self.filesystems.iter().filter(is_volume).collect();
        let volume = (*self.draw.one(&volumes)?).clone();
        let offset = self.offset()? / 512 * 512;
        Some((volume, offset, self.length()?.next_multiple_of(512)))
    }

    fn write_volume(&mut self) -> Option<Vec<String>> {
        let (volume, offset, length) = self.in_volume()?;
        let (offset, length) = self.cut(&volume, offset, length);
        let data = self.data();
        Some(words(&format!(
            "write {volume} {offset} {length} data={data}"
        )))
    }

    fn discard(&mut self) -> Option<Vec<String>> {
        let (volume, offset, length) = self.in_volume()?;
        Some(words(&format!("punch {volume} {offset} {length}")))
    }

    fn truncate(&mut self) -> Option<Vec<String>> {
        let (file, size) = self.old_file()?;
        let size = match self.draw.below(4) {
            0 => 0,
            1 => self.draw.below(size + 1),
            _ => self.offset()?,
        };
        Some(words(&format!("truncate {file} {size}")))
    }

    fn punch(&mut self) -> Option<Vec<String>> {
        let (file, size) = self.old_file()?;
        let offset = if self.draw.chance(1, 2) {
            self.offset()?.min(size)
        } else {
            self.draw.below(size + 1)
        };
        let length = self.length()?;
        Some(words(&format!("punch {file} {offset} {length}")))
    }

    fn unlink(&mut self) -> Option<Vec<String>> {
        let (file, _) = self.old_file()?;
        Some(vec!["unlink".to_owned(), file])
    }

    fn directory(&mut self) -> Option<Vec<String>> {
        let of = self.changed()?;
        let what = if self.draw.chance(4, 5) {
            "mkdir"
        } else {
            "rmdir"
        };
        Some(vec![what.to_owned(), format!("{of}:/d")])
    }

    /// Another name for a file, or another one instead.
    fn link(&mut self) -> Option<Vec<String>> {
        let (file, _) = self.old_file()?;
        let (of, _) = file.split_once(':')?;
        let to = format!("{of}:{}", self.draw.one(&FILES)?);
        let what = if self.draw.chance(1, 2) {
            "link"
        } else {
            "rename"
        };
        Some(vec![what.to_owned(), file, to])
    }

    fn snapshot(&mut self) -> Option<Vec<String>> {
        let of = self.filesystem()?;
        let name = format!("{of}@{}", self.draw.one(&SNAPSHOTS)?);
        if self.dataset(&name).is_some() && !self.draw.chance(1, 8) {
            return None;
        }
        let mut all = words("zfs snapshot");
        if self.draw.chance(1, 6) {
            all.push("-r".to_owned());
        }
        all.push(name);
        Some(all)
    }

    fn clone(&mut self) -> Option<Vec<String>> {
        let snapshot = self.draw.one(&self.snapshots)?.clone();
        let mut all = words("zfs clone");
        if self.draw.chance(1, 4) {
            let setting = format!("recordsize={}", self.draw.one(&RECORD_SIZES)?);
            all.extend(["-o".to_owned(), setting]);
        }
        all.extend([snapshot, self.new_filesystem()?]);
        Some(all)
    }

    /// A clone with a name of its own.
    fn clone_anew(&mut self) -> Option<Vec<String>> {
        let snapshot = self.draw.one(&self.snapshots)?.clone();
        *self.next += 1;
        let mut all = words("zfs clone");
        all.extend([snapshot, format!("tank/c{}", self.next)]);
        Some(all)
    }

    /// Which blocks of a file a clone has from its origin, told by an increment (`zfs send -i`).
    fn shared(&mut self) -> Option<Vec<String>> {
        let mounted = self.clones.iter().filter(|it| self.mounted.contains(it));
        let mounted: Vec<&String> = mounted.collect();
        let clone = (*self.draw.one(&mounted)?).clone();
        let origin = self.state.origin_of(self.state.find(&clone)?)?;
        let (file, _) = self.draw.one(&self.files(&clone)?)?.clone();
        Some(vec!["shared".to_owned(), file, self.state.name_of(origin)?])
    }

    fn promote(&mut self) -> Option<Vec<String>> {
        let clone = self.draw.one(&self.clones)?.clone();
        let mut all = words("zfs promote");
        all.push(clone);
        Some(all)
    }

    /// Mostly to the last snapshot.
    fn rollback(&mut self) -> Option<Vec<String>> {
        let mut all = words("zfs rollback");
        let snapshot = self.draw.one(&self.snapshots)?.clone();
        if self.draw.chance(1, 3) {
            all.extend(["-r".to_owned(), snapshot]);
            return Some(all);
        }
        let (of, _) = snapshot.split_once('@')?;
        let last = self.dataset(of)?.filesystem()?.snapshots.last()?;
        all.push(self.state.name_of(last)?);
        Some(all)
    }

    /// One, several, or a range; with clones or holds at the end of theirs.
    fn destroy_snapshots(&mut self) -> Option<Vec<String>> {
        let snapshot = self.draw.one(&self.snapshots)?.clone();
        let (of, first) = snapshot.split_once('@')?;
        let snapshots = &self.dataset(of)?.filesystem()?.snapshots;
        let all: Vec<String> = snapshots
            .iter()
            .filter_map(|id| Some(self.state.dataset(id)?.component.to_string()))
            .collect();
        let at = all.iter().position(|it| it == first)?;
        let last = self.draw.one(&all[at..])?.clone();
        let spec = match self.draw.below(8) {
            0 | 1 => format!("{of}@{first}%{last}"),
            2 => format!("{of}@{first},{last}"),
            3 => format!("{of}@%{first}"),
            _ => snapshot,
        };
        let mut all = words("zfs destroy");
        if self.draw.chance(1, 2) {
            all.push("-d".to_owned());
        }
        all.push(spec);
        Some(all)
    }

    fn destroy_filesystem(&mut self) -> Option<Vec<String>> {
        let of = self.filesystem().filter(|name| name.contains('/'))?;
        let mut all = words("zfs destroy");
        if self.draw.chance(1, 2) {
            all.push("-r".to_owned());
        }
        all.push(of);
        Some(all)
    }

    fn rename(&mut self) -> Option<Vec<String>> {
        let mut all = words("zfs rename");
        all.extend([self.filesystem()?, self.new_filesystem()?]);
        Some(all)
    }

    fn set_size(&mut self) -> Option<Vec<String>> {
        let (names, sizes) = if self.draw.chance(1, 2) {
            (["quota", "refquota"], &QUOTAS[..])
        } else {
            (["reservation", "refreservation"], &RESERVATIONS[..])
        };
        let setting = format!("{}={}", self.draw.one(&names)?, self.draw.one(sizes)?);
        let mut all = words("zfs set");
        all.extend([setting, self.filesystem()?]);
        Some(all)
    }

    /// A quota that a writer soon comes to.
    fn set_near_quota(&mut self) -> Option<Vec<String>> {
        let of = self.changed().filter(|name| name.contains('/'))?;
        let (name, taken) = if self.draw.chance(1, 2) {
            ("quota", Property::Used)
        } else {
            ("refquota", Property::Referenced)
        };
        let taken = self.state.figure(self.state.find(&of)?, taken)?.most;
        let quota = (taken >> 10) + self.draw.one(&NEAR)?;
        Some(words(&format!("zfs set {name}={quota}K {of}")))
    }

    fn set(&mut self) -> Option<Vec<String>> {
        let setting = match self.draw.below(6) {
            0 => format!("compression={}", self.draw.one(&COMPRESSIONS)?),
            1 => format!("copies={}", 1 + self.draw.below(3)),
            _ => format!("recordsize={}", self.draw.one(&RECORD_SIZES)?),
        };
        let mut all = words("zfs set");
        all.extend([setting, self.filesystem()?]);
        Some(all)
    }
}
