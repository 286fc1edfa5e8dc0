//! A small store of layers that does as ZFS does: a thousand sequences of operations find no difference.
//!
//! `cargo run --example store`

#[path = "store/mod.rs"]
mod store;

use ztwin_model::oracle::{Divergence, Search};

fn main() -> Result<(), Box<Divergence>> {
    let compared = Search::default().run(|| store::Store::new(false))?;
    println!("no difference: {compared}");
    Ok(())
}
