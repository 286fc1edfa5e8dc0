//! `zfs diff` (`zfs_do_diff`, `libzfs_diff.c`).

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::fault::Fault;
use ztwin_model::zpl::diff::{Difference, What, differences};
use ztwin_model::zpl::op::FileKind;
use ztwin_model::zpl::znode::Special;

use crate::compare::TIME;
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};

/// What is compared.
struct Sides {
    /// The filesystem that paths are told of.
    filesystem: String,
    from: String,
    /// None: what the filesystem holds now.
    to: Option<String>,
    /// The filesystem descends from a clone of the other snapshot.
    is_clone: bool,
}

/// How it is told.
#[derive(Clone, Copy)]
struct Form {
    types: bool,
    tabs: bool,
    times: bool,
    literally: bool,
}

/// The name of the snapshot that is made for the moment.
const MOMENT: &str = "zfs-diff";

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "FHth") else {
        return Ok(WRONG_USE);
    };
    let form = Form {
        types: flags.has('F'),
        tabs: flags.has('H'),
        times: flags.has('t'),
        literally: flags.has('h'),
    };
    let (from, to) = match flags.operands.as_slice() {
        [] => return Ok(console.usage("must provide at least one snapshot name")),
        [from] => (from.as_str(), None),
        [from, to] => (from.as_str(), Some(to.as_str())),
        _ => return Ok(console.usage("too many arguments")),
    };
    let named = match (from.starts_with('@'), to) {
        (true, Some(to)) => to,
        (true, None) => return Ok(console.usage("")),
        (false, _) => from,
    };
    let named = named.split('@').next().unwrap_or_default();
    if console.open_filesystem(named).is_none() {
        return Ok(1);
    }
    let sides = match sides(console, from, to)? {
        Ok(sides) => sides,
        Err(complaint) => {
            console.complain(&complaint);
            return Ok(1);
        }
    };
    show(console, &sides, form)
}

/// `get_snapshot_names`
fn sides(
    console: &mut Console<'_>,
    from: &str,
    to: Option<&str>,
) -> Result<Result<Sides, String>, NotModelled> {
    let Some(to) = to else {
        let Some((filesystem, _)) = from.split_once('@') else {
            return Err(NotModelled("zfs diff of something without '@'".to_owned()));
        };
        return Ok(Ok(Sides {
            filesystem: filesystem.to_owned(),
            from: from.to_owned(),
            to: None,
            is_clone: false,
        }));
    };
    let parts = |name: &str| {
        let at = name.find('@').unwrap_or(name.len());
        (name[..at].to_owned(), name[at..].to_owned())
    };
    let ((from_set, from_name), (to_set, to_name)) = (parts(from), parts(to));
    let unsure = "Unable to determine which snapshots to compare: invalid name".to_owned();
    if from_name.len() <= 1 || to_name.len() == 1 || from_set.is_empty() && to_set.is_empty() {
        return Ok(Err(unsure));
    }
    let is_clone = !from_set.is_empty() && !to_set.is_empty() && from_set != to_set;
    if is_clone && !descends(console, &to_set, from) {
        let complaint = "Not an earlier snapshot from the same fs: invalid name";
        return Ok(Err(complaint.to_owned()));
    }
    let filesystem = if is_clone || from_set.is_empty() {
        to_set
    } else {
        from_set.clone()
    };
    let from = if is_clone {
        from.to_owned()
    } else {
        format!("{filesystem}{from_name}")
    };
    let to = (!to_name.is_empty()).then(|| format!("{filesystem}{to_name}"));
    Ok(Ok(Sides {
        filesystem,
        from,
        to,
        is_clone,
    }))
}

/// Whether a filesystem is a clone, over others or not, of something whose name begins as that of the snapshot.
fn descends(console: &Console<'_>, filesystem: &str, from: &str) -> bool {
    let begin = from.split('@').nth(1).map_or(0, |name| name.len() + 1);
    let state = console.state();
    let mut at = state.find(filesystem);
    while let Some(origin) = at.and_then(|id| state.origin_of(id)) {
        let name = state.name_of(origin).unwrap_or_default();
        // As many bytes are compared as the name of the snapshot has.
        if name.get(..begin) == from.get(..begin) {
            return true;
        }
        at = state.filesystem_of(origin);
    }
    false
}

fn show(console: &mut Console<'_>, sides: &Sides, form: Form) -> Ended {
    let made = match &sides.to {
        Some(_) => None,
        None => Some(format!("{}@{MOMENT}", sides.filesystem)),
    };
    if let Some(made) = &made {
        // `ZFS_IOC_TMP_SNAPSHOT`
        let snapshot = DslOp::Snapshot {
            names: vec![made.as_str().into()],
            settings: Vec::new(),
        };
        if console.dataset(snapshot).is_err() {
            return Err(NotModelled(
                "a snapshot for zfs diff that is refused".to_owned(),
            ));
        }
    }
    let ended = show_between(console, sides, made.as_deref(), form);
    if let Some(made) = made {
        // It goes with the program.
        let _ = console.dataset(DslOp::DestroySnapshots {
            names: vec![made.as_str().into()],
            defer: false,
        });
    }
    ended
}

fn show_between(console: &mut Console<'_>, sides: &Sides, made: Option<&str>, form: Form) -> Ended {
    let mounted = |console: &Console<'_>, name: &str| {
        let id = console.state().find(name)?;
        Some(console.state().mounts.first(id)?.path.clone())
    };
    let from_set = sides.from.split('@').next().unwrap_or_default().to_owned();
    let place = mounted(console, &sides.filesystem);
    let from_is_mounted = !sides.is_clone || mounted(console, &from_set).is_some();
    let Some(place) = place.filter(|_| from_is_mounted) else {
        console.complain(
            "Cannot diff an unmounted snapshot: operation not applicable to datasets of this type",
        );
        return Ok(1);
    };
    let place = if place == "/" { String::new() } else { place };
    let to = sides.to.as_deref().or(made).unwrap_or_default();
    let (from_id, to_id) = (console.state().find(&sides.from), console.state().find(to));
    let (Some(from_id), Some(to_id)) = (from_id, to_id) else {
        console.complain("Unable to obtain diffs: No such file or directory");
        return Ok(1);
    };
    if !console.state().is_before(from_id, to_id) {
        console.complain("Unable to obtain diffs: ");
        console.complain("   Not an earlier snapshot from the same fs");
        return Ok(1);
    }
    let misses_moves = console.state().faulty(Fault::DiffMissesMoves);
    let misses_renames = console.state().faulty(Fault::DiffMissesRenames);
    for mut difference in compared(console, from_id, to_id)? {
        let last = |path: &str| path.rsplit('/').next().map(str::to_owned);
        if let What::Renamed(to) = &difference.what
            && (misses_renames || misses_moves && last(to) == last(&difference.path))
        {
            difference.what = What::Modified;
        }
        let line = line(&difference, &place, form);
        console.say(&line);
    }
    Ok(0)
}

fn compared(
    console: &Console<'_>,
    from: DatasetId,
    to: DatasetId,
) -> Result<Vec<Difference>, NotModelled> {
    let objset = |id| console.state().dataset(id).map(|it| &it.objset);
    let (Some(from), Some(to)) = (objset(from), objset(to)) else {
        return Ok(Vec::new());
    };
    differences(from, to).map_err(|what| NotModelled(what.to_owned()))
}

fn line(difference: &Difference, place: &str, form: Form) -> String {
    let shown = |path: &str| {
        if form.literally {
            format!("{place}{path}")
        } else {
            escaped(place) + &escaped(path)
        }
    };
    let letter = match difference.what {
        What::Added => '+',
        What::Removed => '-',
        What::Modified | What::Links(_) => 'M',
        What::Renamed(_) => 'R',
    };
    let mut line = String::new();
    if form.times {
        line += TIME.marker;
        line.push('\t');
    }
    line.push(letter);
    line.push('\t');
    if form.types {
        line.push(of_kind(difference.kind));
        line.push('\t');
    }
    line += &shown(&difference.path);
    match &difference.what {
        What::Renamed(after) => {
            line += if form.tabs { "\t" } else { " -> " };
            line += &shown(after);
        }
        What::Links(delta) => {
            let delta = format!("\t({delta:+})");
            line += &delta;
        }
        _ => {}
    }
    line
}

/// `get_what`
fn of_kind(kind: FileKind) -> char {
    match kind {
        FileKind::File => 'F',
        FileKind::Directory => '/',
        FileKind::Link => '@',
        FileKind::Special(Special::CharacterDevice(..)) => 'C',
        FileKind::Special(Special::BlockDevice(..)) => 'B',
        FileKind::Special(Special::Fifo) => '|',
        FileKind::Special(Special::Socket) => '=',
    }
}

/// `stream_bytes`
fn escaped(path: &str) -> String {
    let shown = path.bytes().map(|byte| {
        if byte > b' ' && byte != b'\\' && byte < 0x7f {
            char::from(byte).to_string()
        } else {
            format!("\\{byte:04o}")
        }
    });
    shown.collect::<Vec<_>>().concat()
}
