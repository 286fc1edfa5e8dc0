//! Draids: what `zpool create` reads and makes of their settings, and their names.

use ztwin_model::spa::{Draid, Pool, Shape, Vdev};

/// The sectors of data in a row, where nothing else is said and there are so many devices.
const USUAL: u64 = 8;

/// The most spares.
const MOST_SPARES: u64 = 100;

/// The sectors of parity that a keyword asks for, if it is one of a draid (`get_parity`).
pub(super) fn parity(word: &str) -> Option<u64> {
    let rest = word.strip_prefix("draid")?;
    match rest.split(':').next()? {
        "" | "1" => Some(1),
        "2" => Some(2),
        "3" => Some(3),
        _ => None,
    }
}

/// Whether a word names a spare that lies in a draid (`zpool_is_draid_spare`).
pub(super) fn is_spare(word: &str) -> bool {
    let numbers = word.strip_prefix("draid").map(|rest| rest.split('-'));
    numbers.is_some_and(|numbers| {
        let all: Vec<_> = numbers.map(str::parse::<u64>).collect();
        all.len() == 3 && all.iter().all(Result::is_ok)
    })
}

/// The settings behind a keyword, of a draid of so many devices, or what is wrong with them
/// (`draid_config_by_type`).
pub(super) fn shape(word: &str, devices: u64) -> Result<Draid, String> {
    let parity = parity(word).unwrap_or(1);
    let (mut data, mut spares) = (None, 0);
    for part in word.split(':').skip(1) {
        let end = part.bytes().take_while(u8::is_ascii_digit).count();
        let number = part[..end].parse::<u64>().ok();
        let suffix = part[end..].bytes().next().map(|it| it.to_ascii_lowercase());
        match (number.filter(|it| i64::try_from(*it).is_ok()), suffix) {
            (Some(number), Some(b'c')) if number == devices => {}
            (Some(number), Some(b'c')) => {
                return Err(format!(
                    "invalid number of dRAID children; {number} required but {devices} provided"
                ));
            }
            (Some(number), Some(b'd')) => data = Some(number),
            (Some(number), Some(b's')) => spares = number,
            _ => {
                return Err(format!(
                    "invalid dRAID syntax; expected [:<number><c|d|s>] not '{word}'"
                ));
            }
        }
    }
    let data = match data {
        Some(data) => data,
        None if devices > spares.saturating_add(parity) => (devices - spares - parity).min(USUAL),
        None => {
            return Err(format!(
                "request number of distributed spares {spares} and parity level {parity}\n\
                 leaves no disks available for data"
            ));
        }
    };
    // As OpenZFS counts, below nothing it goes on from above.
    let left = devices.wrapping_sub(spares);
    if data == 0 || data.wrapping_add(parity) > left {
        let most = left.wrapping_sub(parity);
        return Err(format!(
            "requested number of dRAID data disks per group {data} is too high,\n\
             at most {most} disks are available for data"
        ));
    }
    if spares > MOST_SPARES || spares > devices.wrapping_sub(data.wrapping_add(parity)) {
        return Err(format!(
            "invalid number of dRAID spares {spares}; additional disks would be required"
        ));
    }
    Ok(Draid {
        parity,
        data,
        spares,
    })
}

/// A draid with its settings (`zpool_draid_name`).
pub(super) fn name(draid: Draid, devices: usize) -> String {
    let Draid {
        parity,
        data,
        spares,
    } = draid;
    format!("draid{parity}:{data}d:{devices}c:{spares}s")
}

pub(super) fn is_draid(vdev: &Vdev) -> bool {
    matches!(vdev.shape, Shape::Draid(_))
}

/// Whether a pool has one.
pub(super) fn is_in(pool: &Pool) -> bool {
    pool.vdevs.iter().any(is_draid)
}

/// The spares that lie in the draids of a pool (`vdev_draid_spare_create`).
pub(super) fn spares(pool: &Pool) -> Vec<String> {
    let mut names = Vec::new();
    for (at, vdev) in pool.vdevs.iter().enumerate() {
        if let Shape::Draid(Draid { parity, spares, .. }) = vdev.shape {
            names.extend((0..spares).map(|number| format!("draid{parity}-{at}-{number}")));
        }
    }
    names
}
