//! Builds the corpus of traces into the program.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn traces(directory: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    // Cargo runs this again when something in a directory that it watches changes.
    println!("cargo::rerun-if-changed={}", directory.display());
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            traces(&path, found)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "trace")
        {
            found.push(path);
        }
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let mut found = Vec::new();
    if root.join("traces").is_dir() {
        traces(&root.join("traces"), &mut found)?;
    } else {
        println!("cargo::rerun-if-changed=traces");
    }
    found.sort_unstable();
    let mut code = String::from("&[\n");
    for path in found {
        let name = path
            .strip_prefix(&root)?
            .to_str()
            .ok_or("a trace's name is not UTF-8")?;
        let path = path.to_str().ok_or("the path of a trace is not UTF-8")?;
        writeln!(code, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    code.push_str("]\n");
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("corpus.rs"), code)?;
    Ok(())
}
