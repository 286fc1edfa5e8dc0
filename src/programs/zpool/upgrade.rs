//! `zpool upgrade` (`zpool_do_upgrade`).

use ztwin_model::spa::feature::Feature;
use ztwin_model::spa::op::PoolOp;

use super::named;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, ":avV:");
    let mut all = false;
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag(letter) | Given::Value(letter, _) => {
                return Err(NotModelled(format!("zpool upgrade -{letter}")));
            }
            Given::NoValue(letter) => {
                return Ok(console.usage(&format!("missing argument for '{letter}' option")));
            }
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if all && !args.operands.is_empty() {
        return Ok(console.usage("-a option should not be used along with a pool name"));
    }
    console.say("This system supports ZFS pool feature flags.\n");
    let (pools, code) = named(console, &args.operands);
    if !all && args.operands.is_empty() {
        return list(console, &pools);
    }
    let mut upgraded = false;
    for pool in &pools {
        let missing = missing(console, pool, Feature::of_upgrades(console.release()));
        if !missing.is_empty() {
            upgraded = true;
            enable(console, pool, &missing);
        } else if !all {
            console.say(&format!(
                "Pool '{pool}' already has all supported and requested features enabled."
            ));
        }
    }
    if all && !upgraded {
        console.say("All pools are already formatted using feature flags.\n");
        console.say(
            "Every feature flags pool already has all supported and requested features enabled.",
        );
    }
    Ok(code)
}

/// The features that a pool does not have.
fn missing(
    console: &Console<'_>,
    pool: &str,
    features: impl Iterator<Item = Feature>,
) -> Vec<&'static str> {
    let Some(pool) = console.state().pools.get(pool) else {
        return Vec::new();
    };
    features
        .map(|feature| feature.name)
        .filter(|name| !pool.features.contains(name))
        .collect()
}

/// `upgrade_enable_all`
fn enable(console: &mut Console<'_>, pool: &str, features: &[&str]) {
    console.say(&format!("Enabled the following features on '{pool}':"));
    for feature in features {
        let op = PoolOp::Set {
            pool: pool.into(),
            name: format!("feature@{feature}").into(),
            text: "enabled".into(),
        };
        // One that the release has can always be enabled.
        let _ = console.pool(op);
        console.say(&format!("  {feature}"));
    }
    console.say("");
}

/// Without a name: says which pools could be upgraded.
fn list(console: &mut Console<'_>, pools: &[String]) -> Ended {
    let all = || Feature::all(console.release());
    if pools
        .iter()
        .any(|pool| !missing(console, pool, all()).is_empty())
    {
        return Err(NotModelled(
            "what zpool upgrade says of features that are not enabled".to_owned(),
        ));
    }
    console.say("All pools are formatted using feature flags.\n");
    console.say("Every feature flags pool has all supported and requested features enabled.");
    Ok(0)
}
