//! The mix `administration`: what the `zfs` and `zpool` programs do to datasets, and what refuses them.

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::machine::State;

use super::draw::Draw;
use super::words;

mod pool;

/// A sequence that is being drawn.
pub(super) struct Sequence {
    draw: Draw,
    /// The steps before the drawn ones.
    setup: std::vec::IntoIter<String>,
    /// How many are still drawn.
    left: usize,
    /// The last steps.
    end: std::vec::IntoIter<String>,
    /// Numbers for data and handles, each taken once.
    next: u64,
}

/// What limits a filesystem, and what it keeps.
const SIZES: [&str; 4] = ["quota", "refquota", "reservation", "refreservation"];

/// Components of filesystems, of snapshots, and tags: few, so that they meet again.
const COMPONENTS: [&str; 5] = ["a", "b", "c", "d", "long-name.with:all_of-them"];
const SNAPSHOTS: [&str; 4] = ["s1", "s2", "s3", "2026-11-21_00:00:00"];
const BOOKMARKS: [&str; 3] = ["b1", "b2", "s1"];
const TAGS: [&str; 3] = ["keep", "backup", "t:3"];
const FILES: [&str; 3] = ["/f", "/g", "/h"];
const MOUNTPOINTS: [&str; 6] = ["/mnt/x", "/mnt/x/y", "/mnt/z", "none", "legacy", "relative"];

/// Names that no dataset has, or that cannot be names.
const WILD: [&str; 22] = [
    "tank/nosuch",
    "tank/nosuch/a",
    "tank/a@nosuch",
    "nosuch",
    "nosuch/a",
    "nosuch@s1",
    "tank/a@",
    "tank/@s1",
    "@s1",
    "tank/a@s1@s2",
    "tank/a/",
    "/tank/a",
    "tank//a",
    "tank/a b",
    "tank/a%b",
    "tank/a$b",
    "tank/.",
    "tank/..",
    "tank/a@s 1",
    "tank/a@s/1",
    "-x",
    "",
];

/// Properties with values to set; some of them are refused.
const SETTINGS: [(&str, &[&str]); 52] = [
    ("aclinherit", &["discard", "restricted", "passthrough-x"]),
    ("aclmode", &["discard", "groupmask", "passthrough"]),
    ("acltype", &["off", "posix", "nfsv4", "bogus"]),
    ("atime", &["on", "off"]),
    ("canmount", &["on", "off", "noauto"]),
    ("casesensitivity", &["sensitive", "mixed"]),
    ("checksum", &["on", "fletcher4", "sha512", "bogus"]),
    ("com.example:x", &["1", "", "two words"]),
    (
        "compression",
        &["on", "off", "lz4", "zstd-3", "gzip-9", "gzip-10"],
    ),
    ("copies", &["1", "2", "3", "4"]),
    ("createtxg", &["4"]),
    ("devices", &["on", "off"]),
    ("direct", &["standard", "always", "disabled"]),
    ("dnodesize", &["legacy", "auto", "2k", "3k"]),
    ("exec", &["on", "off"]),
    ("filesystem_limit", &["none", "2", "20", "x"]),
    ("logbias", &["latency", "throughput"]),
    ("longname", &["on", "off"]),
    ("mountpoint", &MOUNTPOINTS),
    ("nbmand", &["on", "off"]),
    ("normalization", &["none", "formD"]),
    ("nosuch", &["1"]),
    ("overlay", &["on", "off"]),
    ("prefetch", &["all", "none", "metadata"]),
    ("primarycache", &["all", "none", "metadata"]),
    ("quota", &["none", "10G", "500M", "0", "bogus"]),
    ("readonly", &["on", "off"]),
    ("recordsize", &["512", "8K", "128k", "1M", "1000", "32M"]),
    ("redundant_metadata", &["all", "most", "some", "none"]),
    ("refquota", &["none", "300M", "1K", "-1"]),
    ("refreservation", &["none", "5M", "auto", "100G"]),
    ("relatime", &["on", "off"]),
    ("reservation", &["none", "10M", "50G", "1.5M"]),
    ("secondarycache", &["all", "none", "metadata"]),
    ("setuid", &["on", "off"]),
    ("snapdev", &["hidden", "visible"]),
    ("snapdir", &["hidden", "visible", "disabled"]),
    ("snapshot_limit", &["none", "3", "40"]),
    ("special_small_blocks", &["0", "128K", "100"]),
    ("sync", &["standard", "always", "disabled"]),
    ("type", &["filesystem"]),
    ("used", &["1"]),
    ("utf8only", &["on", "off"]),
    ("version", &["5", "current", "9"]),
    ("volblocksize", &["8K", "64K"]),
    ("volmode", &["default", "full", "geom", "dev", "none"]),
    ("volsize", &["1G", "20M", "10000000", "0"]),
    ("volthreading", &["on", "off"]),
    ("vscan", &["on", "off"]),
    ("xattr", &["on", "off", "sa"]),
    ("zoned", &["off"]),
    ("a:b", &["x", "tab\tin", "ü"]),
];

/// Those among them that some programs set all the time.
const OFTEN: [&str; 8] = [
    "atime",
    "canmount",
    "com.example:x",
    "mountpoint",
    "quota",
    "readonly",
    "refreservation",
    "volsize",
];

/// Columns to ask for.
const COLUMNS: [&str; 31] = [
    "all",
    "available",
    "encryption",
    "filesystem_count",
    "filesystem_limit",
    "nosuch",
    "quota",
    "refreservation",
    "snapshot_count",
    "used",
    "volblocksize",
    "volsize",
    "name",
    "type",
    "origin",
    "mountpoint",
    "mounted",
    "canmount",
    "defer_destroy",
    "userrefs",
    "recordsize",
    "com.example:x",
    "readonly",
    "clones",
    "written",
    "written@s1",
    "usedbychildren",
    "createtxg",
    "guid",
    "keystatus",
    "receive_resume_token",
];

type Rule = fn(&mut World<'_>) -> Option<Vec<String>>;

/// What is drawn, and how often.
const RULES: &[(u64, Rule)] = &[
    (14, |it| it.create()),
    (4, |it| it.create_volume()),
    (14, |it| it.snapshot()),
    (11, |it| it.clone()),
    (6, |it| it.destroy_filesystem()),
    (10, |it| it.destroy_snapshots()),
    (8, |it| it.rename_filesystem()),
    (5, |it| it.rename_snapshot()),
    (6, |it| it.promote()),
    (6, |it| it.rollback()),
    (9, |it| it.set()),
    (4, |it| it.inherit()),
    (5, |it| it.hold()),
    (3, |it| it.bookmark()),
    (2, |it| it.destroy_bookmark()),
    (4, |it| it.release()),
    (2, |it| it.holds()),
    (3, |it| it.mount()),
    (4, |it| it.unmount()),
    (2, |it| it.mount_elsewhere()),
    (6, |it| it.list()),
    (5, |it| it.get()),
    (8, |it| it.write()),
    (2, |it| it.open()),
    (3, |it| it.close()),
    (1, |it| it.unlink()),
    (2, |it| it.directory()),
    (2, |_| Some(words("zpool sync tank"))),
    (2, |it| it.look_at_pools()),
    (1, |it| it.list_pools()),
    (2, |it| it.export_or_import()),
    (1, |it| it.create_pool()),
    (1, |it| it.destroy_pool()),
    (1, |it| it.checkpoint()),
    (2, |it| it.set_of_pool()),
    (1, |it| it.wrong_use()),
];

impl Sequence {
    pub fn new(mut draw: Draw, length: usize) -> Self {
        let mut setup = vec![
            "vdev /v/a 1G".to_owned(),
            "zpool create -O atime=off tank /v/a".to_owned(),
        ];
        if draw.chance(1, 3) {
            setup.push("vdev /v/b 1G".to_owned());
            if draw.chance(1, 2) {
                setup.push("zpool create dozer /v/b".to_owned());
            } else {
                setup.push("vdev /v/c 1G".to_owned());
            }
        }
        let end = vec![
            "zpool sync".to_owned(),
            "zfs list -Hr -t all -o name,origin,defer_destroy,userrefs,mounted,mountpoint"
                .to_owned(),
        ];
        Sequence {
            draw,
            setup: setup.into_iter(),
            left: length,
            end: end.into_iter(),
            next: 1,
        }
    }

    /// The next step; none behind the last one.
    pub fn next(&mut self, state: &State) -> Option<Vec<String>> {
        if let Some(line) = self.setup.next() {
            return Some(words(&line));
        }
        if self.left == 0 {
            return self.end.next().map(|line| words(&line));
        }
        self.left -= 1;
        let mut world = World::new(&mut self.draw, &mut self.next, state);
        // A rule has nothing to say when what it needs is not there; `create` always has.
        for _ in 0..100 {
            let rule = *world.draw.weighted(RULES)?;
            if let Some(words) = rule(&mut world) {
                return Some(words);
            }
        }
        world.create().or_else(|| world.create_pool())
    }
}

/// What there is to choose from.
struct World<'a> {
    draw: &'a mut Draw,
    next: &'a mut u64,
    state: &'a State,
    filesystems: Vec<String>,
    snapshots: Vec<String>,
    bookmarks: Vec<String>,
    clones: Vec<String>,
    mounted: Vec<String>,
    volumes: Vec<String>,
}

impl<'a> World<'a> {
    fn new(draw: &'a mut Draw, next: &'a mut u64, state: &'a State) -> Self {
        let ids: Vec<DatasetId> = state
            .pools
            .values()
            .flat_map(|pool| pool.datasets.keys())
            .collect();
        let names = |wanted: &dyn Fn(DatasetId) -> bool| {
            let ids = ids.iter().filter(|&&id| wanted(id));
            ids.filter_map(|&id| state.name_of(id)).collect::<Vec<_>>()
        };
        World {
            filesystems: names(&|id| state.filesystem(id).is_some()),
            snapshots: names(&|id| state.snapshot(id).is_some()),
            bookmarks: names(&|id| state.dataset(id).is_some_and(|it| it.bookmark().is_some())),
            volumes: names(&|id| {
                let dataset = state.dataset(id);
                state.filesystem(id).is_some() && dataset.is_some_and(|it| it.volume().is_some())
            }),
            clones: names(&|id| state.origin_of(id).is_some()),
            mounted: names(&|id| state.mounts.is_mounted(id) && state.filesystem(id).is_some()),
            draw,
            next,
            state,
        }
    }

    /// A command: its words, some of these flags, then what follows.
    fn command(&mut self, start: &str, flags: &[&str], rest: &[String]) -> Vec<String> {
        let mut all = words(start);
        for flag in flags {
            if self.draw.chance(1, 4) {
                all.push((*flag).to_owned());
            }
        }
        all.extend(rest.iter().cloned());
        all
    }

    /// Instead of a sensible name, one time in twelve, another.
    fn or_wild(&mut self, sensible: Option<String>) -> Option<String> {
        if self.draw.chance(1, 12) {
            return self.draw.one(&WILD).map(|name| (*name).to_owned());
        }
        if self.draw.chance(1, 25) {
            let all = [&self.filesystems, &self.snapshots, &self.bookmarks];
            let all: Vec<String> = all.into_iter().flatten().cloned().collect();
            return self.draw.one(&all).cloned();
        }
        sensible
    }

    /// A filesystem that there is, seldom that of a pool.
    fn filesystem(&mut self) -> Option<String> {
        let below: Vec<&String> = self
            .filesystems
            .iter()
            .filter(|it| it.contains('/'))
            .collect();
        let it = if below.is_empty() || self.draw.chance(1, 10) {
            self.draw.one(&self.filesystems).cloned()
        } else {
            self.draw.one(&below).map(|&it| it.clone())
        };
        self.or_wild(it)
    }

    fn any_snapshot(&mut self) -> Option<String> {
        let it = self.draw.one(&self.snapshots).cloned();
        it.and_then(|it| self.or_wild(Some(it)))
    }

    /// A name for a filesystem below one that there is; it may exist.
    fn new_filesystem(&mut self) -> Option<String> {
        let shallow: Vec<String> = self
            .filesystems
            .iter()
            .filter(|name| name.matches('/').count() < 3)
            .cloned()
            .collect();
        let above = self.draw.one(&shallow)?.clone();
        let component = self.component()?;
        let mut name = format!("{above}/{component}");
        if self.draw.chance(1, 12) {
            name = format!("{name}/{}", self.component()?);
        }
        self.or_wild(Some(name))
    }

    /// One time in forty so long that two of them are too long.
    fn component(&mut self) -> Option<String> {
        if self.draw.chance(1, 40) {
            return Some("n".repeat(119 + usize::try_from(self.draw.below(3)).ok()?));
        }
        self.draw.one(&COMPONENTS).map(|it| (*it).to_owned())
    }

    fn new_snapshot(&mut self) -> Option<String> {
        let of = self.draw.one(&self.filesystems)?.clone();
        let component = self.draw.one(&SNAPSHOTS)?;
        self.or_wild(Some(format!("{of}@{component}")))
    }

    fn property(&mut self) -> Option<&'static (&'static str, &'static [&'static str])> {
        if self.draw.chance(1, 2) {
            let often = *self.draw.one(&OFTEN)?;
            return SETTINGS.iter().find(|(name, _)| *name == often);
        }
        self.draw.one(&SETTINGS)
    }

    fn setting(&mut self) -> Option<String> {
        let (name, values) = self.property()?;
        Some(format!("{name}={}", self.draw.one(values)?))
    }

    /// `-o` with a setting, or two, one time in four.
    fn with_settings(&mut self) -> Option<Vec<String>> {
        let mut all = Vec::new();
        while all.len() < 4 && self.draw.chance(1, 4) {
            all.push("-o".to_owned());
            all.push(self.setting()?);
        }
        Some(all)
    }

    fn create(&mut self) -> Option<Vec<String>> {
        let mut rest = self.with_settings()?;
        rest.push(self.new_filesystem()?);
        let start = self.dry("zfs create");
        Some(self.command(start, &["-p", "-u"], &rest))
    }

    fn create_volume(&mut self) -> Option<Vec<String>> {
        let size = *self.draw.one(&["8M", "20M", "10000000", "3G", "0", "1k"])?;
        let mut rest = vec!["-V".to_owned(), size.to_owned()];
        if self.draw.chance(1, 3) {
            let block = *self.draw.one(&["512", "4K", "16k", "128K", "3000"])?;
            rest.extend(["-b".to_owned(), block.to_owned()]);
        }
        rest.extend(self.with_settings()?);
        rest.push(self.new_filesystem()?);
        let start = self.dry("zfs create");
        Some(self.command(start, &["-s", "-p"], &rest))
    }

    /// One time in ten, only what a command would do.
    fn dry(&mut self, start: &'static str) -> &'static str {
        if self.draw.chance(9, 10) {
            return start;
        }
        match (start, self.draw.below(3)) {
            ("zfs create", 0) => "zfs create -n",
            ("zfs create", 1) => "zfs create -nv",
            ("zfs create", _) => "zfs create -nvP",
            _ => start,
        }
    }

    fn snapshot(&mut self) -> Option<Vec<String>> {
        let mut rest = vec![self.new_snapshot()?];
        while rest.len() < 4 && self.draw.chance(1, 6) {
            rest.push(self.new_snapshot()?);
        }
        let name = if self.draw.chance(1, 8) {
            "zfs snap"
        } else {
            "zfs snapshot"
        };
        if self.draw.chance(1, 8) {
            let settings = self.with_settings()?;
            rest.splice(..0, settings);
        }
        Some(self.command(name, &["-r"], &rest))
    }

    fn clone(&mut self) -> Option<Vec<String>> {
        let snapshot = self.any_snapshot()?;
        let mut rest = self.with_settings()?;
        rest.extend([snapshot, self.new_filesystem()?]);
        Some(self.command("zfs clone", &["-p"], &rest))
    }

    fn destroy_filesystem(&mut self) -> Option<Vec<String>> {
        let rest = [self.filesystem()?];
        Some(self.destroy(&["-r", "-R", "-f"], &rest))
    }

    /// `zfs destroy`, one time in six as a dry run.
    fn destroy(&mut self, flags: &[&str], rest: &[String]) -> Vec<String> {
        let start = if self.draw.chance(1, 6) {
            "zfs destroy -n"
        } else {
            "zfs destroy"
        };
        self.command(start, &[flags, &["-v"]].concat(), rest)
    }

    fn destroy_snapshots(&mut self) -> Option<Vec<String>> {
        let first = self.any_snapshot()?;
        let (of, component) = first.split_once('@')?;
        let mut spec = component.to_owned();
        for _ in 0..2 {
            if self.draw.chance(1, 6) {
                spec.push(if self.draw.chance(1, 2) { ',' } else { '%' });
                spec.push_str(self.draw.one(&SNAPSHOTS)?);
            }
        }
        match self.draw.below(24) {
            0 => "%".clone_into(&mut spec),
            1 => spec.push('%'),
            2 => spec.insert(0, '%'),
            3 => spec.insert_str(0, "nosuch,"),
            _ => {}
        }
        let rest = [format!("{of}@{spec}")];
        Some(self.destroy(&["-d", "-r", "-R", "-d"], &rest))
    }

    /// A bookmark of a snapshot, or of another bookmark.
    fn bookmark(&mut self) -> Option<Vec<String>> {
        let source = match self.draw.one(&self.bookmarks).cloned() {
            Some(bookmark) if self.draw.chance(1, 4) => bookmark,
            _ => self.any_snapshot()?,
        };
        let component = *self.draw.one(&BOOKMARKS)?;
        let of = source.split(['@', '#']).next().unwrap_or_default();
        let to = match self.draw.below(3) {
            0 => format!("#{component}"),
            1 => format!("{of}#{component}"),
            _ => format!("{}#{component}", self.draw.one(&self.filesystems)?),
        };
        let to = self.or_wild(Some(to))?;
        Some(self.command("zfs bookmark", &[], &[source, to]))
    }

    fn destroy_bookmark(&mut self) -> Option<Vec<String>> {
        let bookmark = self.draw.one(&self.bookmarks).cloned()?;
        let rest = [self.or_wild(Some(bookmark))?];
        Some(self.command("zfs destroy", &["-f"], &rest))
    }

    fn rename_filesystem(&mut self) -> Option<Vec<String>> {
        let rest = [self.filesystem()?, self.new_filesystem()?];
        Some(self.command("zfs rename", &["-p", "-u", "-f"], &rest))
    }

    fn rename_snapshot(&mut self) -> Option<Vec<String>> {
        let from = self.any_snapshot()?;
        let component = *self.draw.one(&SNAPSHOTS)?;
        let to = if self.draw.chance(1, 2) {
            format!("@{component}")
        } else {
            let of = from.split_once('@').map_or("tank", |(of, _)| of);
            format!("{of}@{component}")
        };
        let to = self.or_wild(Some(to))?;
        Some(self.command("zfs rename", &["-r"], &[from, to]))
    }

    fn promote(&mut self) -> Option<Vec<String>> {
        let clone = self.draw.one(&self.clones).cloned()?;
        let rest = [self.or_wild(Some(clone))?];
        Some(self.command("zfs promote", &[], &rest))
    }

    fn rollback(&mut self) -> Option<Vec<String>> {
        // Nobody rolls back to a bookmark but by mistake.
        let it = match self.draw.one(&self.bookmarks).cloned() {
            Some(bookmark) if self.draw.chance(1, 12) => bookmark,
            _ => self.any_snapshot()?,
        };
        let rest = [it];
        Some(self.command("zfs rollback", &["-r", "-R", "-f"], &rest))
    }

    fn set(&mut self) -> Option<Vec<String>> {
        let mut rest = vec![self.setting()?];
        while rest.len() < 3 && self.draw.chance(1, 6) {
            rest.push(self.setting()?);
        }
        // Whether one of these fits depends on the others.
        while rest.len() < 4 && self.draw.chance(1, 4) {
            let name = self.draw.one(&SIZES)?;
            let value = self.draw.one(&["none", "20M", "100M", "600M", "2G"])?;
            rest.push(format!("{name}={value}"));
        }
        rest.push(self.filesystem()?);
        if self.draw.chance(1, 10) {
            rest.push(self.any_snapshot()?);
        }
        if let Some(volume) = self.draw.one(&self.volumes).cloned()
            && self.draw.chance(1, 6)
        {
            rest.push(volume);
        }
        let flags: &[&str] = if self.draw.chance(1, 4) { &["-u"] } else { &[] };
        Some(self.command("zfs set", flags, &rest))
    }

    fn inherit(&mut self) -> Option<Vec<String>> {
        let property = self.property()?.0.to_owned();
        let rest = [property, self.filesystem()?];
        Some(self.command("zfs inherit", &["-r", "-S"], &rest))
    }

    fn hold(&mut self) -> Option<Vec<String>> {
        let mut rest = vec![(*self.draw.one(&TAGS)?).to_owned(), self.any_snapshot()?];
        if self.draw.chance(1, 6) {
            rest.push(self.any_snapshot()?);
        }
        Some(self.command("zfs hold", &["-r"], &rest))
    }

    fn release(&mut self) -> Option<Vec<String>> {
        // Mostly of what is held.
        let held: Vec<(String, String)> = self
            .snapshots
            .iter()
            .filter_map(|name| {
                let snapshot = self.state.snapshot(self.state.find(name)?)?;
                Some((snapshot.holds.keys().next()?.to_string(), name.clone()))
            })
            .collect();
        let (tag, name) = match self.draw.one(&held) {
            Some(held) if self.draw.chance(5, 6) => held.clone(),
            _ => ((*self.draw.one(&TAGS)?).to_owned(), self.any_snapshot()?),
        };
        Some(self.command("zfs release", &["-r"], &[tag, name]))
    }

    fn holds(&mut self) -> Option<Vec<String>> {
        let rest = [self.any_snapshot()?];
        Some(self.command("zfs holds", &["-H", "-r"], &rest))
    }

    fn mount(&mut self) -> Option<Vec<String>> {
        if self.draw.chance(1, 4) {
            let lines = [
                "zfs mount -a",
                "zfs mount -a",
                "zfs mount",
                "zfs unmount -a",
            ];
            return self.draw.one(&lines).map(|line| words(line));
        }
        let mut rest = vec![self.filesystem()?];
        if self.draw.chance(1, 4) {
            let options = [
                "ro",
                "ro",
                "rw",
                "noatime",
                "nosuid,nodev",
                "remount",
                "remount,ro",
                "relatime,exec",
            ];
            let options = (*self.draw.one(&options)?).to_owned();
            rest.splice(..0, ["-o".to_owned(), options]);
        }
        Some(self.command("zfs mount", &["-O"], &rest))
    }

    fn unmount(&mut self) -> Option<Vec<String>> {
        let mounted = self.draw.one(&self.mounted).cloned();
        let mut it = self.or_wild(mounted)?;
        if self.draw.chance(1, 6)
            && let Some(id) = self.state.find(&it)
            && let Some(mount) = self.state.mounts.first(id)
        {
            it.clone_from(&mount.path);
        }
        let name = if self.draw.chance(1, 2) {
            "zfs unmount"
        } else {
            "zfs umount"
        };
        Some(self.command(name, &["-f"], &[it]))
    }

    /// `mount(8)` and `umount(8)`, as drivers call them.
    fn mount_elsewhere(&mut self) -> Option<Vec<String>> {
        let below: Vec<String> = self
            .state
            .mounts
            .iter()
            .map(|mount| mount.path.clone())
            .filter(|path| path.starts_with("/mnt/m"))
            .collect();
        if let Some(path) = self.draw.one(&below).cloned()
            && self.draw.chance(1, 2)
        {
            return Some(self.command("umount", &["-l"], &[path]));
        }
        let name = self.draw.one(&self.filesystems)?.clone();
        *self.next += 1;
        let path = format!("/mnt/m{}", *self.next);
        Some(if self.draw.chance(1, 3) {
            vec!["mount".into(), "-o".into(), "ro".into(), name, path]
        } else {
            vec!["mount".into(), name, path]
        })
    }

    fn columns(&mut self) -> Option<String> {
        let mut columns = vec![self.column()?];
        while columns.len() < 4 && self.draw.chance(1, 2) {
            columns.push(self.column()?);
        }
        Some(columns.join(","))
    }

    /// One that may tell something, or any other.
    fn column(&mut self) -> Option<&'static str> {
        Some(if self.draw.chance(2, 3) {
            self.draw.one(&COLUMNS)?
        } else {
            self.draw.one(&SETTINGS)?.0
        })
    }

    fn kinds(&mut self) -> Option<String> {
        let kinds = [
            "filesystem",
            "snapshot",
            "all",
            "fs",
            "snap",
            "filesystem,snapshot",
            "bookmark",
            "snap,bookmark",
            "volume",
            "vol,fs",
            "bogus",
        ];
        self.draw.one(&kinds).map(|it| (*it).to_owned())
    }

    fn list(&mut self) -> Option<Vec<String>> {
        let columns = match self.draw.below(10) {
            0 => "space".to_owned(),
            1 => "name".to_owned(),
            _ => format!("name,{}", self.columns()?),
        };
        let mut rest = vec!["-o".to_owned(), columns];
        if self.draw.chance(1, 2) {
            rest.extend(["-t".to_owned(), self.kinds()?]);
        }
        if self.draw.chance(1, 4) {
            rest.extend(["-d".to_owned(), self.draw.below(3).to_string()]);
        }
        if self.draw.chance(1, 4) {
            let order = if self.draw.chance(1, 2) { "-s" } else { "-S" };
            let by = [
                "name",
                "creation",
                "createtxg",
                "type",
                "mountpoint",
                "origin",
                "userrefs",
                "com.example:x",
                "quota",
                "readonly",
                "volsize",
                "nosuch",
            ];
            rest.extend([order.to_owned(), (*self.draw.one(&by)?).to_owned()]);
        }
        while self.draw.chance(1, 2) {
            rest.push(self.filesystem()?);
        }
        if self.draw.chance(1, 5) {
            rest.push(self.any_snapshot()?);
        }
        let start = self.perhaps_json("zfs list");
        Some(self.command(start, &["-H", "-r", "-p"], &rest))
    }

    fn get(&mut self) -> Option<Vec<String>> {
        let mut rest = vec![self.columns()?];
        if self.draw.chance(1, 4) {
            let sources = [
                "local",
                "default",
                "inherited",
                "none",
                "local,received",
                "bogus",
            ];
            let sources = (*self.draw.one(&sources)?).to_owned();
            rest.splice(..0, ["-s".to_owned(), sources]);
        }
        if self.draw.chance(1, 4) {
            let kinds = self.kinds()?;
            rest.splice(..0, ["-t".to_owned(), kinds]);
        }
        if self.draw.chance(1, 6) {
            let fields = [
                "value",
                "name,value",
                "all",
                "property,value,source,received",
                "name,bogus",
            ];
            let fields = (*self.draw.one(&fields)?).to_owned();
            rest.splice(..0, ["-o".to_owned(), fields]);
        }
        rest.push(self.filesystem()?);
        if self.draw.chance(1, 5) {
            rest.push(self.any_snapshot()?);
        }
        if self.draw.chance(1, 6) {
            rest.splice(..0, ["-d".to_owned(), self.draw.below(3).to_string()]);
        }
        let start = self.perhaps_json("zfs get");
        Some(self.command(start, &["-H", "-r", "-p"], &rest))
    }

    /// One time in ten as JSON, which 2.1 has not.
    fn perhaps_json(&mut self, start: &'static str) -> &'static str {
        if self.draw.chance(9, 10) {
            return start;
        }
        match (start, self.draw.chance(1, 3)) {
            ("zfs list", false) => "zfs list -j",
            ("zfs list", true) => "zfs list -j --json-int",
            ("zfs get", false) => "zfs get -j",
            ("zfs get", true) => "zfs get -j --json-int",
            _ => start,
        }
    }

    /// A file of something mounted.
    fn file(&mut self) -> Option<String> {
        let of = self.draw.one(&self.mounted)?.clone();
        Some(format!("{of}:{}", self.draw.one(&FILES)?))
    }

    fn write(&mut self) -> Option<Vec<String>> {
        let file = self.file()?;
        *self.next += 1;
        let length = *self.draw.one(&["1", "10K", "200K"])?;
        Some(words(&format!(
            "write {file} 0 {length} data=random:{}",
            *self.next
        )))
    }

    fn unlink(&mut self) -> Option<Vec<String>> {
        Some(vec!["unlink".to_owned(), self.file()?])
    }

    /// A directory where something may be mounted.
    fn directory(&mut self) -> Option<Vec<String>> {
        let of = self.draw.one(&self.mounted)?.clone();
        let at = format!("{of}:/{}", self.draw.one(&COMPONENTS)?);
        let what = if self.draw.chance(2, 3) {
            "mkdir"
        } else {
            "rmdir"
        };
        Some(vec![what.to_owned(), at])
    }

    fn open(&mut self) -> Option<Vec<String>> {
        let file = self.file()?;
        *self.next += 1;
        Some(words(&format!("open h{} {file} r", *self.next)))
    }

    fn close(&mut self) -> Option<Vec<String>> {
        let handles: Vec<String> = self
            .state
            .open_files
            .iter()
            .map(|(handle, _)| handle.name.to_string())
            .collect();
        Some(vec!["close".to_owned(), self.draw.one(&handles)?.clone()])
    }

    /// Commands that are wrong whatever there is.
    fn wrong_use(&mut self) -> Option<Vec<String>> {
        let lines = [
            "zfs",
            "zfs nosuch",
            "zfs create",
            "zfs create -x tank/a",
            "zfs create -o",
            "zfs create tank/a tank/b",
            "zfs snapshot",
            "zfs clone tank/a@s1",
            "zfs destroy",
            "zfs destroy tank/a tank/b",
            "zfs rename tank/a",
            "zfs rename -rp tank/a@s1 tank/a@s2",
            "zfs promote",
            "zfs rollback",
            "zfs set",
            "zfs set atime=on",
            "zfs set atime tank",
            "zfs inherit atime",
            "zfs hold keep",
            "zfs release keep",
            "zfs holds",
            "zfs mount tank/a tank/b",
            "zfs unmount",
            "zfs version",
            "zpool version",
            "zfs upgrade -x",
            "zfs list -d x tank",
            "zfs list -j -H tank -X",
            "zfs destroy -x tank/a@s1",
            "zfs bookmark tank/a@s1",
            "zfs unmount tank/a tank/b",
            "zfs set atime=on atime=off tank/a",
            "zfs inherit nosuch tank/a",
            "zfs inherit -r mountpoint",
            "zfs create -V tank/a",
            "zfs create -V 8M -b",
            "zfs create -s tank/a",
            "zpool export",
            "zpool import",
            "zpool set comment=x",
            "zpool get",
            "zpool get comment nosuch",
            "zpool status -x nosuch",
            "zpool checkpoint",
            "zpool history nosuch",
            "zfs list -s",
            "zfs get",
            "zfs get -s",
            "zpool",
            "zpool nosuch",
            "zpool create",
            "zpool destroy",
        ];
        self.draw.one(&lines).map(|line| words(line))
    }
}
