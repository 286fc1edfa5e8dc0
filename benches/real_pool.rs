//! The same traces on the model and on a real pool, one after the other in one run, and how many times faster
//! the model is.
//!
//! `ZTWIN_REAL_POOL=vm:trixie cargo bench --features real-pool --bench real_pool`; docs/performance.md has the
//! figures.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ztwin::guest::boot::Options;
use ztwin::guest::image::{Cache, Spec};
use ztwin::pools::{self, Blobs, Command, GuestPools, Pools};
use ztwin::trace::Trace;

/// What drivers do, and what people do.
const TRACES: [&str; 4] = [
    "traces/docker/life.trace",
    "traces/containerd/layers.trace",
    "traces/promote",
    "traces/layers",
];

fn commands(path: &Path) -> Result<Vec<Vec<Command>>, Box<dyn Error>> {
    if !path.is_dir() {
        let name = path.to_string_lossy();
        return Ok(vec![Trace::parse(&name, &fs::read(path)?)?.commands()]);
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(path)? {
        all.extend(commands(&entry?.path())?);
    }
    Ok(all)
}

/// How long all of them take, one after the other.
fn time(pools: &mut dyn Pools, traces: &[Vec<Command>]) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    for trace in traces {
        pools.play(trace, &mut |_, _| {})?;
    }
    Ok(start.elapsed())
}

/// A guest runs the program itself, which is not this one.
fn open(name: &str) -> Result<Box<dyn Pools>, Box<dyn Error>> {
    let Some(image) = name.strip_prefix("vm:") else {
        return Ok(pools::open(name, None)?);
    };
    let program = Path::new(env!("CARGO_BIN_EXE_ztwin")).to_owned();
    let options = Options::new(Cache::of_user()?, program);
    let blobs = Blobs::in_directory(Path::new("traces/data"));
    let notice = Box::new(|text: &str| eprintln!("{text}"));
    let image: Spec = image.parse()?;
    Ok(Box::new(GuestPools::start(&image, options, blobs, notice)?))
}

fn main() -> Result<(), Box<dyn Error>> {
    let Ok(name) = std::env::var("ZTWIN_REAL_POOL") else {
        println!("ZTWIN_REAL_POOL says which pool");
        return Ok(());
    };
    let mut real = open(&name)?;
    let mut model = pools::open("model", Some(real.release()))?;
    println!("the model and OpenZFS {} in {name}", real.version());
    for path in TRACES {
        let traces = commands(Path::new(path))?;
        let steps: usize = traces.iter().map(Vec::len).sum();
        // A real pool is slow enough to be measured once.
        let of_real = time(real.as_mut(), &traces)?;
        let times = 20;
        let mut of_model = Duration::ZERO;
        for _ in 0..times {
            of_model += time(model.as_mut(), &traces)?;
        }
        let of_model = of_model / times;
        let ratio = of_real.as_secs_f64() / of_model.as_secs_f64();
        println!("{path}: {steps} steps, {of_model:?} and {of_real:?}: {ratio:.0} times");
    }
    Ok(())
}
