//! The same store with a bug, which the oracle finds and makes small.
//!
//! `cargo run --example store_with_a_bug`

#[path = "store/mod.rs"]
mod store;

use ztwin_model::oracle::Search;

fn main() {
    match Search::default().run(|| store::Store::new(true)) {
        Ok(compared) => println!("the bug was not found: {compared}"),
        Err(found) => println!("{found}"),
    }
}
