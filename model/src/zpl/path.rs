//! Absolute paths of the machine: symbolic links on the way, as far as they lie in mounted datasets.

use std::cell::RefCell;

use crate::machine::State;
use crate::outcome::Errno;
use crate::zpl::fold::Folding;
use crate::zpl::permission::Credentials;
use crate::zpl::walk::{MAX_LINKS, Walk};
use crate::zpl::znode::Body;

/// A part of a path that is still to go.
struct Component {
    name: String,
    /// Whether a symbolic link led here: then it has to exist.
    of_link: bool,
}

/// The components of a path, the last one first.
fn components(path: &str, of_link: bool) -> impl Iterator<Item = Component> {
    path.rsplit('/')
        .filter(|name| !matches!(*name, "" | "."))
        .map(move |name| Component {
            name: name.to_owned(),
            of_link,
        })
}

impl State {
    /// Where an absolute path leads when the symbolic links on it are followed, with `follow` also one at
    /// its end. `ENOENT` when a link leads to nothing, or `..` out of it; what else is missing on the way is left
    /// as it is.
    pub fn resolve(&self, path: &str, follow: bool) -> Result<String, Errno> {
        let mut done = String::new();
        let mut rest: Vec<Component> = components(path, false).collect();
        let mut links = 0;
        while let Some(Component { name, of_link }) = rest.pop() {
            if name == ".." {
                self.link_at(&done)?;
                done.truncate(done.rfind('/').unwrap_or(0));
                continue;
            }
            let here = format!("{done}/{name}");
            match self.link_at(&here) {
                Ok(Some(target)) if follow || !rest.is_empty() => {
                    if links == MAX_LINKS {
                        return Err(Errno::ELOOP);
                    }
                    links += 1;
                    if target.starts_with('/') {
                        done.clear();
                    }
                    rest.extend(components(&target, true));
                }
                Err(errno) if of_link => return Err(errno),
                _ => done = here,
            }
        }
        Ok(if done.is_empty() {
            "/".to_owned()
        } else {
            done
        })
    }

    /// What the symbolic link at a path holds, when it is one. The path has none in front of its last name.
    fn link_at(&self, path: &str) -> Result<Option<String>, Errno> {
        let place = self.mounts.locate(path);
        let Some(mount) = place.mount.filter(|_| place.inside != "/") else {
            return Ok(None);
        };
        let dataset = self.dataset(mount.dataset).ok_or(Errno::ENOENT)?;
        let walk = Walk {
            objset: &dataset.objset,
            crosses: &|_| false,
            folding: Folding::of(self, mount.dataset),
            user: &Credentials::default(),
            has_control: false,
            trail: RefCell::default(),
        };
        let object = walk.find_link(place.inside)?;
        Ok(match dataset.objset.get(object).map(|znode| &znode.body) {
            Some(Body::Link(target)) => Some(target.to_string()),
            _ => None,
        })
    }
}
