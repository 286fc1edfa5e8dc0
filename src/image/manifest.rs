//! Which layers an image has: OCI's index and manifests, and the manifest of `docker save`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::unpack::Digest;
use super::{Error, Store};

/// An image: its layers, the lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// How it is called: a tag, or its digest.
    pub name: String,
    /// `linux/amd64`, if that is told.
    pub platform: String,
    /// Its layers.
    pub layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Where its archive is in the store.
    pub path: String,
    /// What the archive's bytes as they are stored must have, if that is told.
    pub digest: Option<Digest>,
    /// How many bytes that are, if it is told.
    pub size: Option<u64>,
    /// What the unpacked archive must have.
    pub diff_id: Digest,
    /// The command that made it, if that is told.
    pub made_by: String,
}

/// Which image is meant, where there are several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Its tag, whole or the end of it.
    pub tag: Option<String>,
    /// `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
    pub platform: Option<String>,
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: Option<u64>,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

#[derive(Clone, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    /// Of an index that has no media type.
    manifests: Option<Vec<Descriptor>>,
    schema_version: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    rootfs: RootFs,
    history: Option<Vec<History>>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct History {
    #[serde(default)]
    created_by: String,
    #[serde(default)]
    empty_layer: bool,
}

impl Platform {
    fn text(&self) -> String {
        let variant = self
            .variant
            .as_deref()
            .filter(|variant| !variant.is_empty());
        let variant = variant.map(|variant| format!("/{variant}"));
        format!(
            "{}/{}{}",
            self.os,
            self.architecture,
            variant.unwrap_or_default()
        )
    }

    fn is(&self, wanted: &str) -> bool {
        let text = self.text();
        text == wanted
            || text
                .strip_prefix(wanted)
                .is_some_and(|it| it.starts_with('/'))
    }
}

/// What JSON says.
fn json<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Json {
        what: what.to_owned(),
        source,
    })
}

/// A blob that is small, with its digest looked at.
fn blob(store: &Store, descriptor: &Descriptor, by: &str) -> Result<Vec<u8>, Error> {
    let digest = Digest::parse(&descriptor.digest)?;
    let missing = || Error::Missing {
        blob: digest.path(),
        by: by.to_owned(),
    };
    let bytes = store.text(&digest.path())?.ok_or_else(missing)?;
    if let Some(told) = descriptor.size
        && told != bytes.len() as u64
    {
        return Err(Error::Size {
            blob: digest.path(),
            told,
            found: bytes.len() as u64,
        });
    }
    let mut sum = digest.sum();
    sum.update(&bytes);
    let found = sum.text();
    if found != digest.text() {
        return Err(Error::Digest {
            blob: digest.path(),
            found,
        });
    }
    Ok(bytes)
}

/// The image that is meant.
pub fn find(store: &Store, wanted: &Wanted) -> Result<Image, Error> {
    if let Some(bytes) = store.text("index.json")? {
        let index: Index = json(&bytes, "index.json")?;
        if !index.manifests.is_empty() {
            return of_index(store, &index.manifests, wanted);
        }
    }
    if let Some(bytes) = store.text("manifest.json")? {
        return of_saved(store, &json::<Vec<Saved>>(&bytes, "manifest.json")?, wanted);
    }
    Err(Error::NoImage {
        path: store.shown(),
        why: if store.get("repositories")?.is_some() {
            "it is an archive of before Docker 1.10".to_owned()
        } else {
            "it has neither index.json nor manifest.json".to_owned()
        },
    })
}

/// The names that an index gives to an image.
fn names(descriptor: &Descriptor) -> Vec<String> {
    let keys = [
        "io.containerd.image.name",
        "org.opencontainers.image.ref.name",
    ];
    let all = descriptor.annotations.iter().flatten();
    all.filter(|(key, _)| keys.contains(&key.as_str()))
        .map(|(_, name)| name.clone())
        .collect()
}

/// Whether a tag is meant by what was asked for: all of it, or its end.
fn is_named(name: &str, wanted: &str) -> bool {
    name == wanted
        || name
            .strip_suffix(wanted)
            .is_some_and(|rest| rest.ends_with(['/', ':']))
}

/// One of several; what is said of each of them when it is not clear which.
fn only<'a, T>(
    found: Vec<(&'a T, String)>,
    all: &str,
    option: &str,
) -> Result<(&'a T, String), Error> {
    match found.len() {
        1 => Ok(found.into_iter().next().unwrap_or_else(|| unreachable!())),
        0 => Err(Error::Choice(format!(
            "there is no such image; {option} names one of {all}"
        ))),
        _ => Err(Error::Choice(format!(
            "there are several images; {option} names one of {all}"
        ))),
    }
}

/// Whether something is an index, and not a manifest.
fn is_index(media_type: &str) -> bool {
    media_type.contains("image.index") || media_type.contains("manifest.list")
}

/// What is no image but says something of one.
fn is_attestation(descriptor: &Descriptor) -> bool {
    let annotations = descriptor.annotations.iter().flatten();
    let mut keys = annotations.map(|(key, _)| key.as_str());
    let unknown = |platform: &Platform| platform.os == "unknown";
    keys.any(|key| key == "vnd.docker.reference.type")
        || descriptor.platform.as_ref().is_some_and(unknown)
}

fn of_index(store: &Store, all: &[Descriptor], wanted: &Wanted) -> Result<Image, Error> {
    // First the name, then, in what it leads to, the platform.
    let mut candidates: Vec<&Descriptor> = all.iter().filter(|it| !is_attestation(it)).collect();
    let mut name = String::new();
    if let Some(tag) = &wanted.tag {
        candidates.retain(|it| names(it).iter().any(|name| is_named(name, tag)));
        if candidates.is_empty() {
            let all: Vec<String> = all.iter().flat_map(names).collect();
            return Err(Error::Choice(format!(
                "there is no image '{tag}'; there are: {}",
                all.join(", ")
            )));
        }
    } else {
        let mut tags: Vec<Vec<String>> = candidates.iter().map(|it| names(it)).collect();
        tags.sort();
        tags.dedup();
        if tags.len() > 1 {
            let all: Vec<String> = tags.into_iter().flatten().collect();
            return Err(Error::Choice(format!(
                "there are several images; --tag names one of {}",
                all.join(", ")
            )));
        }
    }
    if let Some(first) = candidates.first() {
        name = names(first)
            .first()
            .cloned()
            .unwrap_or_else(|| first.digest.clone());
    }
    let owned: Vec<Descriptor> = candidates.into_iter().cloned().collect();
    let (manifest, platform) = choose(store, &owned, wanted, "index.json", 0)?;
    of_manifest(store, &manifest, name, platform)
}

/// The manifest for the platform that is wanted, in an index or one that is in it.
fn choose(
    store: &Store,
    all: &[Descriptor],
    wanted: &Wanted,
    by: &str,
    depth: usize,
) -> Result<(Descriptor, String), Error> {
    if depth > 8 {
        return Err(Error::Choice(format!(
            "{by} is in an index that goes too deep"
        )));
    }
    let mut manifests: Vec<(Descriptor, String)> = Vec::new();
    for descriptor in all.iter().filter(|it| !is_attestation(it)) {
        let mut inner = None;
        if is_index(&descriptor.media_type) || descriptor.media_type.is_empty() {
            let bytes = blob(store, descriptor, by)?;
            inner = json::<Manifest>(&bytes, &descriptor.digest)?.manifests;
        }
        match inner {
            Some(inner) => {
                let by = &descriptor.digest;
                if depth > 8 {
                    return Err(Error::Choice(format!("{by} goes too deep")));
                }
                for it in inner.iter().filter(|it| !is_attestation(it)) {
                    if is_index(&it.media_type) {
                        let found = choose(store, std::slice::from_ref(it), wanted, by, depth + 1)?;
                        manifests.push(found);
                    } else {
                        manifests.push((it.clone(), String::new()));
                    }
                }
            }
            None => manifests.push((descriptor.clone(), String::new())),
        }
    }
    let told: Vec<String> = manifests
        .iter()
        .filter_map(|(it, _)| Some(it.platform.as_ref()?.text()))
        .collect();
    let told = told.join(", ");
    let is = |descriptor: &Descriptor, platform: &str| {
        let of = descriptor.platform.as_ref();
        of.is_some_and(|it| it.is(platform))
    };
    if let Some(platform) = &wanted.platform {
        let mut found: Vec<_> = manifests
            .iter()
            .filter(|(it, _)| is(it, platform))
            .collect();
        if found.is_empty() && manifests.len() == 1 && manifests[0].0.platform.is_none() {
            found = manifests.iter().collect();
        }
        let found = found.into_iter().map(|it| (it, platform.clone())).collect();
        let ((descriptor, _), platform) = only(found, &told, "--platform")?;
        return Ok((descriptor.clone(), platform));
    }
    if let [(descriptor, _)] = &manifests[..] {
        let platform = descriptor.platform.as_ref().map(Platform::text);
        return Ok((descriptor.clone(), platform.unwrap_or_default()));
    }
    // What a daemon on a common machine would take.
    let found: Vec<_> = manifests
        .iter()
        .filter(|(it, _)| is(it, "linux/amd64"))
        .map(|it| (it, "linux/amd64".to_owned()))
        .collect();
    let ((descriptor, _), platform) = only(found, &told, "--platform")?;
    Ok((descriptor.clone(), platform))
}

fn of_manifest(
    store: &Store,
    descriptor: &Descriptor,
    name: String,
    platform: String,
) -> Result<Image, Error> {
    let bytes = blob(store, descriptor, "the index")?;
    let manifest: Manifest = json(&bytes, &descriptor.digest)?;
    let (Some(config), Some(layers)) = (manifest.config, manifest.layers) else {
        return Err(Error::NoImage {
            path: store.shown(),
            why: match manifest.schema_version {
                Some(1) => format!("{} is a manifest of schema 1", descriptor.digest),
                _ => format!("{} is no manifest of an image", descriptor.digest),
            },
        });
    };
    let by = &descriptor.digest;
    let bytes = blob(store, &config, by)?;
    let told: Config = json(&bytes, &config.digest)?;
    let layers: Result<Vec<_>, Error> = layers
        .into_iter()
        .map(|layer| {
            let digest = Digest::parse(&layer.digest)?;
            let path = digest.path();
            if store.get(&path)?.is_none() {
                // Such a layer is fetched from where it tells, if anywhere.
                let elsewhere = layer.urls.iter().flatten().next().is_some();
                let by = if elsewhere {
                    format!("{by}, as one to be had elsewhere,")
                } else {
                    by.clone()
                };
                return Err(Error::Missing { blob: path, by });
            }
            Ok((path, Some(digest), layer.size))
        })
        .collect();
    image(name, platform, layers?, told)
}

fn of_saved(store: &Store, all: &[Saved], wanted: &Wanted) -> Result<Image, Error> {
    let tags = |saved: &Saved| {
        let tags = saved.repo_tags.clone().unwrap_or_default();
        if tags.is_empty() {
            vec![saved.config.trim_end_matches(".json").to_owned()]
        } else {
            tags
        }
    };
    let told: Vec<String> = all.iter().flat_map(tags).collect();
    let found: Vec<_> = all
        .iter()
        .filter_map(|saved| {
            let tags = tags(saved);
            let name = match &wanted.tag {
                None => tags.into_iter().next(),
                Some(tag) => tags.into_iter().find(|name| is_named(name, tag)),
            };
            Some((saved, name?))
        })
        .collect();
    let (saved, name) = only(found, &told.join(", "), "--tag")?;
    let missing = |blob: &str| Error::Missing {
        blob: blob.to_owned(),
        by: "manifest.json".to_owned(),
    };
    let bytes = store.text(&saved.config)?;
    let bytes = bytes.ok_or_else(|| missing(&saved.config))?;
    let config: Config = json(&bytes, &saved.config)?;
    let platform = format!("{}/{}", config.os, config.architecture);
    if let Some(wanted) = &wanted.platform
        && !platform.starts_with(wanted.as_str())
    {
        return Err(Error::Choice(format!(
            "'{name}' is for {platform}, not for {wanted}"
        )));
    }
    let mut layers = Vec::new();
    for path in &saved.layers {
        if store.get(path)?.is_none() {
            return Err(missing(path));
        }
        layers.push((path.clone(), None, None));
    }
    image(name, platform, layers, config)
}

/// The layers with what the configuration tells of them.
fn image(
    name: String,
    platform: String,
    layers: Vec<(String, Option<Digest>, Option<u64>)>,
    config: Config,
) -> Result<Image, Error> {
    let ids = config.rootfs.diff_ids.unwrap_or_default();
    if ids.len() != layers.len() {
        return Err(Error::Layers {
            layers: layers.len(),
            told: ids.len(),
        });
    }
    let platform = if platform.is_empty() && !config.os.is_empty() {
        format!("{}/{}", config.os, config.architecture)
    } else {
        platform
    };
    let history = config.history.into_iter().flatten();
    let mut made_by = history.filter(|it| !it.empty_layer).map(|it| it.created_by);
    let layers: Result<Vec<Layer>, Error> = layers
        .into_iter()
        .zip(ids)
        .map(|((path, digest, size), id)| {
            Ok(Layer {
                path,
                digest,
                size,
                diff_id: Digest::parse(&id)?,
                made_by: made_by.next().unwrap_or_default(),
            })
        })
        .collect();
    Ok(Image {
        name,
        platform,
        layers: layers?,
    })
}
