//! `ztwin vm`: the images of guests.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Context, Exit, Failure};
use crate::guest::boot::{self, Options};
use crate::guest::build::{self, Built, MIRROR, Plan};
use crate::guest::image::{Cache, Info, Name, Spec, With, newer_than_recorded};
use crate::guest::{Error, interrupt};

/// Build, list, enter and remove the images of guests with real OpenZFS
///
/// Images are kept in `$ZTWIN_CACHE`, else `$XDG_CACHE_HOME/ztwin`, else `~/.cache/ztwin`.
#[derive(Clone, Debug, clap::Args)]
pub struct Vm {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum What {
    /// Build an image from Debian's packages (about 5 minutes, 3 GB of temporary space)
    Build {
        /// trixie (OpenZFS 2.3), trixie-backports (2.4), bookworm (2.1) or bookworm-backports (2.3)
        #[arg(value_parser = name)]
        name: Name,
        /// What to install besides OpenZFS
        #[arg(long, value_enum, value_delimiter = ',')]
        with: Vec<With>,
        /// Build it also when it is there
        #[arg(long)]
        force: bool,
        /// Debian's mirror
        #[arg(long, value_name = "URL", default_value = MIRROR)]
        mirror: String,
    },
    /// List the images that are built
    List,
    /// Boot an image with its console on this terminal
    Shell {
        /// The image, as `vm list` names it
        #[arg(value_parser = spec)]
        image: Spec,
    },
    /// Remove an image
    Rm {
        /// The image, as `vm list` names it
        #[arg(value_parser = spec)]
        image: Spec,
    },
}

fn name(text: &str) -> Result<Name, String> {
    Name::ALL
        .into_iter()
        .find(|name| name.text() == text)
        .ok_or_else(|| format!("there are {}", Name::ALL.map(Name::text).join(", ")))
}

fn spec(text: &str) -> Result<Spec, String> {
    text.parse().map_err(|e: Error| e.to_string())
}

impl Vm {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let cache = Cache::of_user().map_err(unavailable)?;
        match &self.what {
            What::Build {
                name,
                with,
                force,
                mirror,
            } => {
                let spec = Spec {
                    name: *name,
                    with: with.iter().copied().collect(),
                };
                build(
                    &cache,
                    &Plan {
                        spec,
                        mirror: mirror.clone(),
                        force: *force,
                    },
                    context,
                )?;
            }
            What::List => list(&cache, context)?,
            What::Shell { image } => shell(image, context)?,
            What::Rm { image } => {
                cache.remove(image).map_err(unavailable)?;
                writeln!(context.out, "{image} removed")?;
            }
        }
        Ok(Exit::Agree)
    }
}

fn unavailable(error: Error) -> Failure {
    Failure::Unavailable(error.into())
}

/// Signals do more here than to ask: whoever waits for a builder does not look.
fn end_on_signals() -> Result<(), Failure> {
    interrupt::install()
        .map_err(Error::io("watching for signals"))
        .map_err(unavailable)
}

fn build(cache: &Cache, plan: &Plan, context: &mut Context<'_>) -> Result<(), Failure> {
    end_on_signals()?;
    let bar = if context.progress {
        ProgressBar::new_spinner()
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    let visible = context.progress;
    let built = build::build(cache, plan, &|line| {
        if visible {
            bar.set_message(line.to_owned());
        } else {
            eprintln!("{}: {line}", plan.spec);
        }
    });
    bar.finish_and_clear();
    let (image, word) = match built.map_err(unavailable)? {
        Built::New(image) => (image, "built"),
        Built::There(image) => (image, "is already built; --force builds it anew"),
    };
    let (out, info) = (&mut context.out, &image.info);
    writeln!(out, "{} {word}", image.spec)?;
    writeln!(
        out,
        "  OpenZFS {} on Linux {}, Debian {}, {}",
        info.openzfs, info.kernel, info.suite, info.built
    )?;
    writeln!(out, "  {} ({} MB)", image.dir.display(), size_mb(info))?;
    if let Some(newer) = newer_than_recorded(&info.openzfs) {
        writeln!(out, "  {newer}")?;
    }
    Ok(())
}

fn size_mb(info: &Info) -> u64 {
    info.files.values().map(|file| file.size).sum::<u64>() / 1_000_000
}

fn list(cache: &Cache, context: &mut Context<'_>) -> Result<(), Failure> {
    let all = cache.list().map_err(unavailable)?;
    let out = &mut context.out;
    if all.is_empty() {
        let dir = cache.dir().display();
        writeln!(
            out,
            "no images in {dir}; `ztwin vm build trixie` builds one"
        )?;
    }
    let width = all
        .iter()
        .map(|(spec, _)| spec.to_string().len())
        .max()
        .unwrap_or(0);
    for (spec, info) in all {
        let name = spec.to_string();
        match info {
            Ok(info) => writeln!(
                out,
                "{name:width$}  OpenZFS {}  Linux {}  {} MB  {}",
                info.openzfs,
                info.kernel,
                size_mb(&info),
                info.built
            ),
            Err(error) => writeln!(out, "{name:width$}  {error}"),
        }?;
    }
    Ok(())
}

fn shell(spec: &Spec, context: &mut Context<'_>) -> Result<(), Failure> {
    end_on_signals()?;
    context.out.flush()?;
    let options = Options::of_user().map_err(unavailable)?;
    boot::shell(spec, &options, &mut |text| eprintln!("{text}")).map_err(unavailable)
}
