//! `ztwin image`: an image of a container as a trace, and what its layers cost.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ztwin_model::Release;

use super::progress::Progress;
use super::{Context, Exit, Failure, input};
use crate::image::{self, Cost, Driver, Image as Found, Played, Pool, Store, Wanted};
use crate::pools::verb;
use crate::programs::nice_bytes;

/// Show what each layer of a container's image costs on ZFS, and write the image as a trace
///
/// FILE is an OCI layout (a directory, or a tar of one) or what `docker save` wrote, compressed or not. Its layers
/// are unpacked on the model, each in a clone of the one below, as Docker's or containerd's driver does it. The
/// trace with these steps replays on the model and on real pools; contents go to the directory of --data.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Image {
    /// The image
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the trace
    #[arg(short, long, value_name = "TRACE")]
    pub out: Option<PathBuf>,
    /// Where the trace's contents go, by their hash
    #[arg(long, value_name = "DIR", default_value = "traces/data")]
    pub data: PathBuf,
    /// Which image, if there are several: its tag, or the end of it
    #[arg(long, value_name = "NAME")]
    pub tag: Option<String>,
    /// Which platform, if the image is for several: `linux/arm64` [default: linux/amd64]
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<String>,
    /// Whose driver unpacks the layers
    #[arg(long, value_enum, value_name = "DRIVER", default_value = "docker")]
    pub driver: DriverName,
    /// The largest block of a file
    #[arg(long, value_name = "SIZE", default_value = "128K")]
    pub recordsize: String,
    /// How blocks are compressed: `off`, `lz4`, `zstd`, `gzip-6`...
    #[arg(long, value_name = "HOW", default_value = "lz4")]
    pub compression: String,
    /// The size of the devices' sectors, as a power of two
    #[arg(long, value_name = "N", default_value = "12")]
    pub ashift: String,
    /// The size of the pool's device [default: what the layers need]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub size: Option<u64>,
    /// The release whose rules apply [default: the newest]
    #[arg(long, value_name = "2.1|2.3|2.4", value_parser = input::release)]
    pub openzfs: Option<Release>,
    /// How many bytes the layers may unpack to
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "8G")]
    pub max_size: u64,
    /// Print bytes instead of rounded numbers
    #[arg(short = 'p', long)]
    pub exact: bool,
}

/// A driver, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DriverName {
    /// Docker's graph driver.
    #[default]
    Docker,
    /// That of Docker 20.10.
    #[value(name = "docker-20.10")]
    Docker20,
    /// containerd's snapshotter.
    Containerd,
}

fn size(text: &str) -> Result<u64, &'static str> {
    verb::size(text).ok_or("expected a number of bytes, or one with K, M, G or T behind it")
}

impl Image {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let store = Store::open(&self.file, self.max_size).map_err(|error| failure(&error))?;
        let wanted = Wanted {
            tag: self.tag.clone(),
            platform: self.platform.clone(),
        };
        let found = image::find(&store, &wanted).map_err(|error| failure(&error))?;
        let played = self.play(context, &store, &found)?;
        if let Some(path) = &self.out {
            self.write(path, &played)?;
        }
        writeln!(context.out, "{}", head(&found, &played))?;
        write!(context.out, "{}", table(&found, &played.costs, self.exact))?;
        Ok(Exit::Agree)
    }

    fn play(&self, context: &Context<'_>, store: &Store, found: &Found) -> Result<Played, Failure> {
        let mut total = 0;
        for layer in &found.layers {
            let stored = store.get(&layer.path).map_err(|error| failure(&error))?;
            total += stored.map_or(0, |stored| stored.len);
        }
        // ZFS wants room for 24 times of what is being written, and what is packed unpacks to some times of
        // its size. A device takes no memory for what is not written.
        let needed = (total.saturating_mul(128) >> 30).saturating_add(1) << 30;
        let pool = Pool {
            recordsize: self.recordsize.clone(),
            compression: self.compression.clone(),
            ashift: self.ashift.clone(),
            size: self.size.unwrap_or(needed),
        };
        let driver = match self.driver {
            DriverName::Docker => Driver::Docker,
            DriverName::Docker20 => Driver::Docker20,
            DriverName::Containerd => Driver::Containerd,
        };
        let kib = |bytes: u64| usize::try_from(bytes.div_ceil(1024)).unwrap_or(usize::MAX);
        let progress = Progress::start(context.progress, kib(total));
        let layers = found.layers.len();
        let interrupt = context.interrupt;
        let played = image::play(
            store,
            found,
            &pool,
            driver,
            self.openzfs.unwrap_or_default(),
            self.max_size,
            &mut |layer, done| {
                progress.set(kib(done));
                progress.show(&format!("KiB, layer {layer} of {layers}"));
                !interrupt.requested()
            },
        );
        progress.finish();
        played.map_err(|error| failure(&error))
    }

    fn write(&self, path: &Path, played: &Played) -> Result<(), Failure> {
        let write = |path: PathBuf, bytes: &[u8]| {
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            let written = made.and_then(|()| fs::write(&path, bytes));
            written.map_err(|error| Failure::File("write", path, error))
        };
        for (hash, bytes) in &played.blobs {
            let path = self.data.join(hash);
            if !path.exists() {
                write(path, bytes)?;
            }
        }
        write(path.to_owned(), played.trace.to_string().as_bytes())
    }
}

fn failure(error: &image::Error) -> Failure {
    match error {
        image::Error::Interrupted => Failure::Interrupted("nothing was written".to_owned()),
        error => Failure::Usage(error.to_string()),
    }
}

/// A line about the image.
fn head(found: &Found, played: &Played) -> String {
    let platform = match &*found.platform {
        "" => String::new(),
        platform => format!(" for {platform}"),
    };
    let (layers, steps) = (found.layers.len(), played.trace.steps().count());
    let s = if layers == 1 { "" } else { "s" };
    format!("{}{platform}: {layers} layer{s}, {steps} steps", found.name)
}

/// A figure of the model: a number, its bounds, or a question mark.
fn figure(text: &str, exact: bool) -> String {
    let number = |text: &str| {
        let number: u64 = text.parse().ok()?;
        Some(if exact {
            number.to_string()
        } else {
            nice_bytes(number)
        })
    };
    let bounds = text
        .strip_prefix("<between:")
        .and_then(|it| it.strip_suffix('>'))
        .and_then(|it| it.split_once(".."));
    let figure = match bounds {
        None => number(text),
        Some((least, most)) => match (number(least), number(most)) {
            (Some(least), Some(most)) if least == most => Some(least),
            (Some(least), Some(most)) => Some(format!("{least}..{most}")),
            _ => None,
        },
    };
    figure.unwrap_or_else(|| "?".to_owned())
}

const LEGEND: &str = "\
SIZE   what the daemon says     USED   what the layer is charged for, and frees with those above it
REFER  all that it holds        LUSED  USED without compression and padding
";

/// What each layer costs.
fn table(found: &Found, costs: &[Cost], exact: bool) -> String {
    let mut rows = vec![
        [
            "LAYER", "ENTRIES", "SIZE", "USED", "REFER", "LUSED", "MADE BY",
        ]
        .map(str::to_owned),
    ];
    for (cost, layer) in costs.iter().zip(&found.layers) {
        let number = |bytes: u64| figure(&bytes.to_string(), exact);
        let made_by: Vec<&str> = layer.made_by.split_whitespace().collect();
        rows.push([
            cost.dataset.clone(),
            cost.entries.to_string(),
            number(cost.size),
            figure(&cost.used, exact),
            figure(&cost.referenced, exact),
            figure(&cost.logical_used, exact),
            made_by.join(" ").chars().take(60).collect(),
        ]);
    }
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for [name, figures @ .., made_by] in &rows {
        let mut line = format!("{name:<0$}", widths[0]);
        for (figure, width) in figures.iter().zip(&widths[1..]) {
            // Writing to a string does not fail.
            let _ = write!(line, "  {figure:>width$}");
        }
        let _ = write!(line, "  {made_by}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(LEGEND);
    text
}
