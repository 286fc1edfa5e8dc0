use ztwin::generate::{Mix, trace};
use ztwin_model::Release;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let r = match a[1].as_str() {
        "2.1" => Release::V2_1,
        "2.3" => Release::V2_3,
        _ => Release::V2_4,
    };
    print!(
        "{}",
        trace(
            Mix::Files,
            a[2].parse().unwrap(),
            r,
            Some(a[3].parse().unwrap())
        )
        .unwrap()
    );
}
