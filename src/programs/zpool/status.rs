//! `zpool status` (`zpool_do_status`, `status_callback`).

use std::fmt::Write as _;

use ztwin_model::Release;
use ztwin_model::dsl::properties::{Key, Property};
use ztwin_model::spa::Pool;
use ztwin_model::spa::feature::Feature;
use ztwin_model::spa::scan::{Function, Scan};

use super::checkpoint::WHETHER_DISCARDED;
use super::info::flat;
use super::scrub::check_scanned;
use super::{draid, named, named_vdevs, repeat};
use crate::compare::SPACE;
use crate::programs::args::{self, Given, LongOption};
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::json::{self, Flags, Object};
use crate::programs::values::Clock;

const LONG: &[LongOption] = &[
    ("power", '\0'),
    ("json", 'j'),
    ("json-int", json::INT),
    ("json-flat-vdevs", json::FLAT_VDEVS),
    ("json-pool-key-guid", json::POOL_KEY_GUID),
];

/// What more is shown.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a subcommand's flags are what they are"
)]
struct Shown {
    exact: bool,
    healthy: bool,
    slow: bool,
    direct: bool,
    initialized: bool,
    trimmed: bool,
    only_unhealthy: bool,
    by_guid: bool,
    duplicates: bool,
    clock: Option<Clock>,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let mut args = if console.release() == Release::V2_1 {
        args::parse(words, "c:igLpPsvxDtT:")
    } else {
        args::parse_long(words, "c:jdDegiLpPstT:vx", LONG)
    };
    let mut shown = Shown::default();
    let mut flags = Flags::default();
    for given in args.given {
        match given {
            // The paths of vdev files are shown whole, and are no links.
            Given::Flag('L' | 'P' | 'v') => {}
            Given::Flag('x') => shown.healthy = true,
            Given::Flag('p') => shown.exact = true,
            Given::Flag('s') => shown.slow = true,
            Given::Flag('d') => shown.direct = true,
            Given::Flag('i') => shown.initialized = true,
            Given::Flag('t') => shown.trimmed = true,
            Given::Flag('e') => shown.only_unhealthy = true,
            Given::Flag('g') => shown.by_guid = true,
            Given::Flag('D') => shown.duplicates = true,
            Given::Value('T', text) => match repeat::clock(&text) {
                Some(clock) => shown.clock = Some(clock),
                None => return Ok(console.usage("")),
            },
            Given::Flag(letter) if flags.take(letter) => shown.exact |= flags.as_number,
            Given::Flag(letter) | Given::Value(letter, _) => {
                let letter = letter.escape_default();
                return Err(NotModelled(format!("zpool status -{letter}")));
            }
            Given::NoValue(letter) | Given::Unknown(letter) => {
                if letter == 'c' {
                    return Err(NotModelled("zpool status -c".to_owned()));
                }
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let Some(repeat) = console.repeat(&mut args.operands)? else {
        return Ok(WRONG_USE);
    };
    if let Some(complaint) = flags.misused() {
        return Ok(console.usage(complaint));
    }
    if flags.json && flags.flat && (shown.by_guid || shown.only_unhealthy) {
        return Err(NotModelled(
            "zpool status -j with flat vdevs and -g or -e".to_owned(),
        ));
    }
    let mut first = true;
    for time in 0..repeat.times {
        let after = repeat.after(time);
        let code = show(console, &args.operands, &shown, flags, after, &mut first)?;
        if code != 0 {
            return Ok(code);
        }
    }
    Ok(0)
}

/// Shows it once, so many seconds after the beginning. Behind the first pool a blank line stands in front of
/// each.
fn show(
    console: &mut Console<'_>,
    operands: &[String],
    shown: &Shown,
    flags: Flags,
    after: u64,
    first: &mut bool,
) -> Ended {
    if !flags.json {
        console.say_time(shown.clock, after);
    }
    let (pools, code) = named(console, operands);
    if flags.json {
        if code == 0 {
            let mut whole = as_json(console, &pools, shown, flags)?;
            console.add_time(&mut whole, shown.clock, after, flags.as_number);
            console.say_json(&whole)?;
        }
        return Ok(code);
    }
    let all = operands.is_empty();
    if all && pools.is_empty() {
        console.complain("no pools available");
        return Ok(0);
    }
    if shown.healthy {
        if all {
            console.say("all pools are healthy");
        } else {
            for pool in pools {
                console.say(&format!("pool '{pool}' is healthy"));
            }
        }
        return Ok(code);
    }
    for name in &pools {
        if !std::mem::take(first) {
            console.say("");
        }
        let text = match console.state().pools.get(name) {
            Some(pool) => status(console, pool, shown)?,
            None => continue,
        };
        console.out.push_str(&text);
    }
    Ok(code)
}

/// The status of pools as JSON (`status_callback_json`).
fn as_json(
    console: &Console<'_>,
    pools: &[String],
    shown: &Shown,
    flags: Flags,
) -> Result<Object, NotModelled> {
    let mut every = Object::default();
    let as_number = flags.as_number;
    // With -x only of those that are not healthy.
    for name in pools.iter().filter(|_| !shown.healthy) {
        let Some(pool) = console.state().pools.get(name) else {
            continue;
        };
        check(console, pool)?;
        if draid::is_in(pool) {
            return Err(NotModelled("a draid in JSON".to_owned()));
        }
        if pool.vdevs.len() > pool.first_vdevs {
            return Err(NotModelled("what is in a new vdev, in JSON".to_owned()));
        }
        let mut item = console.info(pool, false, as_number);
        let space = |name| console.of_pool(&pool.name, name, SPACE.marker, shown.exact);
        if let Some(scan) = pool.scan {
            let scan = scan_as_json(console, pool, scan, shown.exact, as_number)?;
            item.object("scan_stats", scan);
        }
        if let Some(checkpoint) = &pool.checkpoint {
            let clock = if shown.exact {
                Clock::Exact
            } else {
                Clock::Zoned
            };
            let mut members = Object::default();
            members.text("state", "EXISTS");
            members.number(
                "start_time",
                console.time(checkpoint.created, clock),
                as_number,
            );
            members.number("space", space("checkpoint"), as_number);
            item.object("checkpoint_stats", members);
        }
        let statistics = |members: &mut Object, used: bool, sized: bool, leaf: bool| {
            if used {
                // Nothing is counted in a pool that is read-only, and no zero is told.
                if !pool.is_read_only() {
                    members.number("alloc_space", space("allocated"), as_number);
                }
                members.number("total_space", space("size"), as_number);
                members.number("def_space", space("size"), as_number);
            }
            if sized {
                members.number("rep_dev_size", space("size"), as_number);
            }
            if leaf {
                members.number("phys_space", space("size"), as_number);
            }
            for name in ["read_errors", "write_errors", "checksum_errors"] {
                members.number(name, "0", as_number);
            }
            if used && sized && pool.checkpoint.is_some() {
                members.number("checkpoint_space", space("checkpoint"), as_number);
            }
            if leaf {
                members.number("slow_ios", "0", as_number);
            }
            if shown.direct {
                members.number("dio_verify_errors", "0", as_number);
            }
            if leaf && shown.initialized {
                members.text("init_state", "UNINITIALIZED");
            }
            if leaf && shown.trimmed {
                members.text("trim_state", "UNTRIMMED");
                members.number("trim_notsup", "0", as_number);
            }
        };
        let mut root = Object::default();
        root.text("name", pool.name.as_str());
        root.text("vdev_type", "root");
        root.number("guid", console.guid_of_pool(pool), as_number);
        root.text("class", "normal");
        root.text("state", "ONLINE");
        statistics(&mut root, true, false, false);
        let vdevs = console.vdevs_as_json(pool, shown.by_guid, as_number, &|line, members| {
            if flags.flat {
                members.text("parent", line.parent.as_str());
            }
            statistics(members, line.depth == 1, true, line.is_device());
            Ok(())
        })?;
        let (vdevs, mut roots) = if flags.flat {
            let vdevs = flat(&vdevs);
            (vdevs.clone(), vdevs)
        } else {
            (vdevs, Object::default())
        };
        if !shown.only_unhealthy {
            root.object("vdevs", vdevs);
        }
        roots.object(pool.name.as_str(), root);
        item.object("vdevs", roots);
        if shown.duplicates {
            check_duplicates(pool)?;
            let mut members = Object::default();
            members.number("obj_count", "0", as_number);
            members.object("ddt_object_stats", Object::default());
            item.object("dedup_stats", members);
        }
        item.number("error_count", "0", as_number);
        every.object(flags.key(console, pool), item);
    }
    let mut whole = json::of_command("zpool status");
    whole.object("pools", every);
    Ok(whole)
}

/// The last scrub (`scan_status_nvlist`).
fn scan_as_json(
    console: &Console<'_>,
    pool: &Pool,
    scan: Scan,
    exact: bool,
    as_number: bool,
) -> Result<Object, NotModelled> {
    if scan.function == Function::Resilver {
        return Err(NotModelled("what a resilver copied, in JSON".to_owned()));
    }
    let ended = scan.ended.unwrap_or(scan.began);
    let clock = if exact { Clock::Exact } else { Clock::Zoned };
    let space = || console.of_pool(&pool.name, "allocated", SPACE.marker, exact);
    let none = if exact { "0" } else { "0B" };
    let mut members = Object::default();
    members.text("function", "SCRUB");
    members.text("state", "FINISHED");
    members.number("start_time", console.time(scan.began, clock), as_number);
    members.number("end_time", console.time(ended, clock), as_number);
    members.number("to_examine", space(), as_number);
    members.number("examined", space(), as_number);
    members.number("skipped", space(), as_number);
    members.number("processed", none, as_number);
    members.number("errors", "0", as_number);
    members.number("bytes_per_scan", none, as_number);
    members.number(
        "pass_start",
        console.time(scan.began, Clock::Exact),
        as_number,
    );
    members.number("scrub_pause", if exact { "0" } else { "-" }, as_number);
    members.number("scrub_spent_paused", "0", as_number);
    members.number("issued_bytes_per_scan", space(), as_number);
    members.number("issued", space(), as_number);
    Ok(members)
}

/// Whether all is well with a pool, and known.
fn check(console: &Console<'_>, pool: &Pool) -> Result<(), NotModelled> {
    if Feature::of_upgrades(console.release()).any(|it| !pool.features.contains(it.name)) {
        return Err(NotModelled(
            "what zpool status says of features that are not enabled".to_owned(),
        ));
    }
    if pool.discarding {
        return Err(NotModelled(WHETHER_DISCARDED.to_owned()));
    }
    check_scanned(console, &pool.name)?;
    Ok(())
}

/// Whether it is known that nothing was ever written with `dedup`.
fn check_duplicates(pool: &Pool) -> Result<(), NotModelled> {
    let is_dedup = |key: &Key| *key == Key::Native(Property::Dedup);
    let mut commands = pool.history.values().map(|(_, command)| command);
    if commands.any(|command| command.contains("dedup="))
        || pool
            .datasets
            .values()
            .any(|dataset| dataset.settings.keys().any(is_dedup))
    {
        return Err(NotModelled("a table of duplicate blocks".to_owned()));
    }
    Ok(())
}

/// Whether the last scan left out what only the checkpoint has, as it was there already
/// (`print_checkpoint_scan_warning`).
fn skipped_by_scan(console: &Console<'_>, pool: &Pool) -> Result<bool, NotModelled> {
    let ended = pool.scan.and_then(|scan| scan.ended);
    let (Some(ended), Some(checkpoint)) = (ended, &pool.checkpoint) else {
        return Ok(false);
    };
    if ended < checkpoint.created && !console.has_own_clock() {
        return Err(NotModelled(
            "whether a scrub and a checkpoint were in the same second".to_owned(),
        ));
    }
    Ok(ended >= checkpoint.created)
}

/// The status of one pool.
fn status(console: &Console<'_>, pool: &Pool, shown: &Shown) -> Result<String, NotModelled> {
    check(console, pool)?;
    let lines = named_vdevs(console, pool, shown.by_guid);
    let widest = lines.iter().map(|line| line.name.len() + 2 * line.depth);
    let mut spares = draid::spares(pool);
    for spare in spares.iter_mut().filter(|_| shown.by_guid) {
        *spare = console.vdev_guid();
    }
    let widest = widest.chain(spares.iter().map(|spare| spare.len() + 2));
    let width = widest.chain([pool.name.len(), 10]).max().unwrap_or(10);
    let mut text = format!("  pool: {}\n state: ONLINE\n", pool.name);
    if let Some(Scan {
        function,
        began,
        ended: Some(ended),
    }) = pool.scan
    {
        let what = match function {
            Function::Scrub => "scrub repaired 0B".to_owned(),
            Function::Resilver => {
                format!("resilvered {}", console.space(|_| "0B".to_owned()))
            }
        };
        let took = console.duration(ended - began);
        let ended = console.time(ended, Clock::Seconds);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  scan: {what} in {took} with 0 errors on {ended}");
    }
    if skipped_by_scan(console, pool)? {
        text.push_str(
            "    scan warning: skipped blocks that are only referenced by the checkpoint.\n",
        );
    }
    if let Some(checkpoint) = &pool.checkpoint {
        let created = console.time(checkpoint.created, Clock::Seconds);
        let consumed = console.space(|_| "0".to_owned());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "checkpoint: created {created}, consumes {consumed}");
    }
    text.push_str("config:\n\n");
    let row = |text: &mut String, name: &str, depth: usize, state: &str, counts: &[&str]| {
        let width = width - 2 * depth;
        let indent = 2 * depth;
        // Writing to a string cannot fail.
        let _ = write!(text, "\t{:indent$}{name:<width$}  {state:<8}", "");
        for count in counts {
            let _ = write!(text, " {count:>5}");
        }
    };
    let mut heads = vec!["READ", "WRITE", "CKSUM"];
    heads.extend(shown.slow.then_some("SLOW"));
    heads.extend(shown.direct.then_some("DIO"));
    row(&mut text, "NAME", 0, "STATE", &heads);
    text.push('\n');
    let counts = |leaf: bool| {
        let mut counts = vec!["0"; heads.len()];
        if shown.slow && !leaf && !shown.exact {
            counts[3] = "-";
        }
        counts
    };
    row(&mut text, &pool.name, 0, "ONLINE", &counts(false));
    text.push('\n');
    for line in lines.iter().filter(|_| !shown.only_unhealthy) {
        row(
            &mut text,
            &line.name,
            line.depth,
            "ONLINE",
            &counts(line.is_device()),
        );
        if line.is_device() && shown.initialized {
            text.push_str("  (uninitialized)");
        }
        if line.is_device() && shown.trimmed {
            text.push_str("  (untrimmed)");
        }
        text.push('\n');
    }
    if !spares.is_empty() {
        text.push_str("\tspares\n");
        for spare in spares {
            row(&mut text, &spare, 1, "AVAIL", &[]);
            text.push('\n');
        }
    }
    text.push_str("\nerrors: No known data errors\n");
    if shown.duplicates {
        check_duplicates(pool)?;
        text.push_str("\n dedup: no DDT entries\n");
    }
    Ok(text)
}
