//! `zpool status` (`zpool_do_status`, `status_callback`).

use std::fmt::Write as _;

use ztwin_model::Release;
use ztwin_model::spa::Pool;
use ztwin_model::spa::feature::Feature;

use super::checkpoint::WHETHER_DISCARDED;
use super::info::flat;
use super::{named, named_vdevs, no_interval};
use crate::compare::SPACE;
use crate::programs::args::{self, Given, LongOption};
use crate::programs::console::{Console, Ended, NotModelled};
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
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
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
    no_interval(&args.operands)?;
    let (pools, code) = named(console, &args.operands);
    let all = args.operands.is_empty();
    if let Some(complaint) = flags.misused() {
        return Ok(console.usage(complaint));
    }
    if flags.json && (shown.by_guid || flags.flat && shown.only_unhealthy) {
        return Err(NotModelled(
            "zpool status -j with -g, or with flat vdevs and -e".to_owned(),
        ));
    }
    if flags.json {
        if code == 0 {
            let whole = as_json(console, &pools, &shown, flags)?;
            console.say_json(&whole)?;
        }
        return Ok(code);
    }
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
    for (at, name) in pools.iter().enumerate() {
        if at > 0 {
            console.say("");
        }
        let text = match console.state().pools.get(name) {
            Some(pool) => status(console, pool, &shown)?,
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
        if pool.checkpoint.is_some() {
            return Err(NotModelled("a checkpoint in JSON".to_owned()));
        }
        let mut item = console.info(pool, false, as_number);
        let space = |name| console.of_pool(&pool.name, name, SPACE.marker, shown.exact);
        let statistics = |members: &mut Object, used: bool, sized: bool, leaf: bool| {
            if used {
                members.number("alloc_space", space("allocated"), as_number);
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
        root.number("guid", console.guid(pool.root), as_number);
        root.text("class", "normal");
        root.text("state", "ONLINE");
        statistics(&mut root, true, false, false);
        let vdevs = console.vdevs_as_json(pool, as_number, &|line, members| {
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
        item.number("error_count", "0", as_number);
        every.object(flags.key(console, pool), item);
    }
    let mut whole = json::of_command("zpool status");
    whole.object("pools", every);
    Ok(whole)
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
    Ok(())
}

/// The status of one pool.
fn status(console: &Console<'_>, pool: &Pool, shown: &Shown) -> Result<String, NotModelled> {
    check(console, pool)?;
    let lines = named_vdevs(console, pool, shown.by_guid);
    let widest = lines.iter().map(|line| line.name.len() + 2 * line.depth);
    let width = widest.chain([pool.name.len(), 10]).max().unwrap_or(10);
    let mut text = format!("  pool: {}\n state: ONLINE\n", pool.name);
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
    text.push_str("\nerrors: No known data errors\n");
    Ok(text)
}
