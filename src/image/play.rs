//! An image unpacked layer by layer on the model, as a driver does it, and the trace of that.

use std::io;
use std::sync::Arc;

use ztwin_model::Release;
use ztwin_model::layer::{Daemon, Member, plan, unpacked_size};

use super::manifest::{Image, Layer};
use super::steps::{Named, words};
use super::unpack::{Form, Limited, Summed, TooLong, decoder, form, peek};
use super::{Error, Store};
use crate::drivers::tar;
use crate::pools::{Blobs, Command, ModelPools, Printed, Session, Verb};
use crate::trace::{Item, Step, Trace, quote};

/// Whose driver unpacks the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// Docker's graph driver.
    #[default]
    Docker,
    /// That of Docker 20.10.
    Docker20,
    /// containerd's snapshotter.
    Containerd,
}

/// The pool that the image is unpacked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// `recordsize`, as `zfs` takes it.
    pub recordsize: String,
    /// `compression`.
    pub compression: String,
    /// `ashift`.
    pub ashift: String,
    /// The size of its device, in bytes.
    pub size: u64,
}

/// What a layer costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Its dataset.
    pub dataset: String,
    /// How many entries its archive has.
    pub entries: usize,
    /// How many bytes the daemon counts for it: what its archive's entries have.
    pub size: u64,
    /// `used`, as the model prints it: a number, or a marker where it is not known.
    pub used: String,
    /// `referenced`.
    pub referenced: String,
    /// `logicalused`.
    pub logical_used: String,
}

/// An image on a pool.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// The steps that put it there.
    pub trace: Trace,
    /// The bytes that steps name by their hash.
    pub blobs: Named,
    /// What each layer costs, the lowest first.
    pub costs: Vec<Cost>,
}

/// What is told while an image is played: the layer, from 1, and how many bytes of the image were read.
/// Whether to go on.
pub type Seen<'a> = &'a mut dyn FnMut(usize, u64) -> bool;

/// Reads a layer, and looks whether it is what the image says. `left` is how many bytes may still come, and
/// less of them afterwards.
fn unpack(
    store: &Store,
    layer: &Layer,
    number: usize,
    left: &mut u64,
    most: u64,
) -> Result<Vec<Member>, Error> {
    let read = |source| Error::Read {
        path: format!("{} in {}", layer.path, store.shown()),
        source,
    };
    let failed = |source: io::Error| {
        let is_too_long = source
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooLong>);
        if is_too_long {
            Error::TooLarge {
                layer: number,
                most,
            }
        } else {
            Error::Unpack {
                layer: number,
                source,
            }
        }
    };
    let missing = || Error::Missing {
        blob: layer.path.clone(),
        by: "the image".to_owned(),
    };
    // Once for what is stored, which a reader of archives may not read to its end.
    if let Some(digest) = &layer.digest {
        let stored = store.get(&layer.path)?.ok_or_else(missing)?;
        let mut stored = Summed::new(stored.bytes, digest.sum());
        io::copy(&mut stored, &mut io::sink()).map_err(read)?;
        if let Some(told) = layer.size
            && told != stored.count
        {
            return Err(Error::Size {
                blob: layer.path.clone(),
                told,
                found: stored.count,
            });
        }
        let found = stored.sum.text();
        if found != digest.text() {
            return Err(Error::Digest {
                blob: layer.path.clone(),
                found,
            });
        }
    }
    let stored = store.get(&layer.path)?.ok_or_else(missing)?;
    let (start, whole) = peek(stored.bytes).map_err(read)?;
    let form = form(&start);
    if let Form::Unread(how) = form {
        return Err(Error::Compression { layer: number, how });
    }
    let plain = decoder(form, whole);
    let limited = Limited::new(plain, *left);
    let mut summed = Summed::new(limited, layer.diff_id.sum());
    let members = tar::read(&mut summed).map_err(|source| match source {
        tar::Error::Broken {
            source: crate::archive::Error::Io(source),
            ..
        } => failed(source),
        source => Error::Layer {
            layer: number,
            source,
        },
    })?;
    io::copy(&mut summed, &mut io::sink()).map_err(failed)?;
    *left -= summed.count;
    // Holes take no room in an archive, but a daemon writes them as zeros.
    if unpacked_size(&members) > most {
        return Err(Error::TooLarge {
            layer: number,
            most,
        });
    }
    let found = summed.sum.text();
    if found != layer.diff_id.text() {
        return Err(Error::DiffId {
            layer: number,
            told: layer.diff_id.text().to_owned(),
            found,
        });
    }
    Ok(members)
}

/// The steps so far, on the model.
struct Stage<S> {
    session: S,
    played: Played,
}

impl<S: Session> Stage<S> {
    fn note(&mut self, words: Vec<String>) {
        let command = Command {
            words,
            ..Command::default()
        };
        self.played.trace.items.push(Item::Step(Step::new(command)));
    }

    fn prose(&mut self, line: &str) {
        self.played
            .trace
            .items
            .push(Item::Prose(line.trim().to_owned()));
    }

    fn expect(words: &[&str], printed: &Printed) -> Result<(), Error> {
        if printed.succeeded() {
            return Ok(());
        }
        let step: Vec<String> = words.iter().map(|word| quote(word)).collect();
        Err(Error::Step {
            step: step.join(" "),
            said: String::from_utf8_lossy(&printed.err).trim().to_owned(),
        })
    }

    /// A step; what it printed.
    fn step(&mut self, words: &[&str]) -> Result<String, Error> {
        self.note(words.iter().map(|&word| word.to_owned()).collect());
        let printed = self.session.run(words)?;
        Self::expect(words, &printed)?;
        Ok(String::from_utf8_lossy(&printed.out).into_owned())
    }
}

/// Unpacks an image on the model of `release`. No more than `most` bytes come out of its layers.
pub fn play(
    store: &Store,
    image: &Image,
    pool: &Pool,
    driver: Driver,
    release: Release,
    most: u64,
    seen: Seen<'_>,
) -> Result<Played, Error> {
    let mut stage = Stage {
        session: ModelPools::new(release, Blobs::default()).session(),
        played: Played::default(),
    };
    let platform = match &*image.platform {
        "" => String::new(),
        platform => format!(", for {platform}"),
    };
    stage.prose(&format!(
        "The image {}{platform}, unpacked layer by layer.",
        one_line(&image.name)
    ));
    stage.prose("");
    let device_size = crate::capture::change::size(pool.size);
    stage.step(&["vdev", "/v/image", &device_size])?;
    let (root, daemon) = match driver {
        Driver::Docker => ("tank/docker", Daemon::Docker26),
        Driver::Docker20 => ("tank/docker", Daemon::Docker20),
        Driver::Containerd => ("tank/containerd", Daemon::Containerd2),
    };
    stage.step(&[
        "zpool",
        "create",
        "-o",
        &format!("ashift={}", pool.ashift),
        "-O",
        "atime=off",
        "-O",
        &format!("compression={}", pool.compression),
        "-O",
        &format!("recordsize={}", pool.recordsize),
        "tank",
        "/v/image",
    ])?;
    stage.step(&["zfs", "create", root])?;
    let start: &[&str] = match driver {
        Driver::Docker => &["docker", "init", root],
        Driver::Docker20 => &["docker", "init", root, "version=20.10"],
        Driver::Containerd => &["containerd", "init", root],
    };
    stage.step(start)?;
    let (mut left, mut done) = (most, 0);
    for (index, layer) in image.layers.iter().enumerate() {
        let number = index + 1;
        if !seen(number, done) {
            return Err(Error::Interrupted);
        }
        let members = unpack(store, layer, number, &mut left, most)?;
        done += store.get(&layer.path)?.map_or(0, |stored| stored.len);
        if !seen(number, done) {
            return Err(Error::Interrupted);
        }
        stage.prose("");
        let made_by = match one_line(&layer.made_by) {
            it if it.is_empty() => it,
            it => format!(", by: {it}"),
        };
        stage.prose(&format!(
            "Layer {number} of {}, {}{made_by}",
            image.layers.len(),
            layer.diff_id.text()
        ));
        stage.prose("");
        let dataset = stage.start(driver, root, number)?;
        stage.fill(&dataset, &members, daemon, number)?;
        stage.end(driver, number)?;
        stage.played.costs.push(Cost {
            dataset,
            entries: members.len(),
            size: unpacked_size(&members),
            used: String::new(),
            referenced: String::new(),
            logical_used: String::new(),
        });
    }
    stage.prose("");
    stage.prose("What each layer costs.");
    stage.prose("");
    // It closes the transaction group; behind a `zpool sync` `ztwin diff` would look at everything first, and
    // mount each layer for that.
    stage.step(&["zfs", "snapshot", &format!("{root}@unpacked")])?;
    let columns = "name,used,referenced,logicalused";
    let listed = stage.step(&["zfs", "list", "-Hp", "-r", "-o", columns, root])?;
    for cost in &mut stage.played.costs {
        let row = listed
            .lines()
            .map(|line| line.split('\t').collect::<Vec<_>>())
            .find(|row| row.first() == Some(&cost.dataset.as_str()));
        if let Some([_, used, referenced, logical_used]) = row.as_deref() {
            (*used).clone_into(&mut cost.used);
            (*referenced).clone_into(&mut cost.referenced);
            (*logical_used).clone_into(&mut cost.logical_used);
        }
    }
    Ok(stage.played)
}

/// A text that may have several lines, on one.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(200).collect();
    line.replace(|c: char| c.is_control(), "?")
}

impl<S: Session> Stage<S> {
    /// Makes a layer that can be written; its dataset.
    fn start(&mut self, driver: Driver, root: &str, number: usize) -> Result<String, Error> {
        let below = format!("l{}", number - 1);
        let from: &[&str] = if number == 1 { &[] } else { &["from", &below] };
        match driver {
            Driver::Docker | Driver::Docker20 => {
                let id = format!("l{number}");
                self.step(&[&["docker", "create", &id], from].concat())?;
                self.step(&["docker", "get", &id])?;
                Ok(format!("{root}/{id}"))
            }
            Driver::Containerd => {
                let key = format!("k{number}");
                self.step(&[&["containerd", "prepare", &key], from].concat())?;
                let dataset = format!("{root}/{number}");
                self.step(&["mount", &dataset, &format!("/mnt/l{number}")])?;
                Ok(dataset)
            }
        }
    }

    /// Unpacks a layer's archive.
    fn fill(
        &mut self,
        dataset: &str,
        members: &[Member],
        daemon: Daemon,
        number: usize,
    ) -> Result<(), Error> {
        let tree = self.session.tree(dataset)?.map_err(|errno| Error::Step {
            step: format!("tree {dataset}"),
            said: errno.name().to_owned(),
        })?;
        let dataset: Arc<str> = dataset.into();
        let calls = plan(&dataset, &tree, members, daemon).map_err(|source| Error::Refused {
            layer: number,
            source,
        })?;
        for call in calls {
            let Some(words) = words(&call, &mut self.played.blobs) else {
                continue;
            };
            let printed = self.session.verb("", &Verb::File(call))?;
            let told: Vec<&str> = words.iter().map(String::as_str).collect();
            Self::expect(&told, &printed)?;
            self.note(words);
        }
        Ok(())
    }

    /// Leaves a layer that is whole.
    fn end(&mut self, driver: Driver, number: usize) -> Result<(), Error> {
        let id = format!("l{number}");
        match driver {
            Driver::Docker | Driver::Docker20 => self.step(&["docker", "put", &id])?,
            Driver::Containerd => {
                self.step(&["umount", &format!("/mnt/{id}")])?;
                self.step(&["containerd", "commit", &id, &format!("k{number}")])?
            }
        };
        Ok(())
    }
}
