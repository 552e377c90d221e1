//! Published weights by their name on the Hugging Face hub, fetched once into the user's cache folder.
//!
//! The hub names the SHA-256 of large files, which is checked. The hash of every file is written next to it
//! when it arrives, in the format of `sha256sum`, and checked before each use: the weights of a name never
//! change silently.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{DownloadError, cache_folder, hash_file, hex};

/// Where the files of a name are: `{HUB}/{name}/resolve/main/{file}`.
#[cfg(feature = "download")]
const HUB: &str = "https://huggingface.co";

/// The folder of all weights, in the cache.
const FOLDER: &str = "weights";

/// The files of a name, the largest first.
pub const HUB_FILES: [&str; 2] = ["model.safetensors", "config.json"];

/// How much of a file has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubProgress<'a> {
    /// Its name.
    pub file: &'a str,
    /// Bytes that have arrived.
    pub bytes: u64,
    /// All of them, if the hub says how many.
    pub total: Option<u64>,
}

/// Errors of fetching weights.
#[derive(Debug, Error)]
pub enum HubError {
    /// No name has this form.
    #[error(
        "`{name}` is neither a folder nor a name on the Hugging Face hub, as in \
         `timm/efficientnet_lite0.ra_in1k`"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// There is no cache folder.
    #[error(transparent)]
    Cache(#[from] DownloadError),
    /// A file is not what was fetched.
    #[error(
        "`{}` has changed since it was fetched: its SHA-256 is {found}, not {expected}; delete it and \
         `{}` to fetch it again",
        path.display(), pin_of(path).display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its hash.
        found: String,
        /// That of the file that was fetched.
        expected: String,
    },
    /// The hub did not send a file.
    #[error("cannot fetch `{url}`: {reason}\n{}", by_hand(dir))]
    Failed {
        /// The address.
        url: String,
        /// Why.
        reason: String,
        /// The folder of the name in the cache.
        dir: PathBuf,
    },
    /// A file is not in the cache, and this program was built without downloads.
    #[error(
        "`{name}` is not in the cache, and this build is without the feature `download`\n{}",
        by_hand(dir)
    )]
    Disabled {
        /// The name.
        name: String,
        /// Its folder in the cache.
        dir: PathBuf,
    },
}

fn by_hand(dir: &Path) -> String {
    let files = HUB_FILES.join(" and ");
    format!(
        "without a connection: put {files} into `{}`, or name a folder that has them with `--weights FOLDER`",
        dir.display()
    )
}

/// Whether `name` has the form of a name on the hub: `owner/model`.
///
/// ```
/// use tinderbox_datasets::download::is_hub_name;
///
/// assert!(is_hub_name("timm/efficientnet_lite0.ra_in1k"));
/// assert!(!is_hub_name("weights"));
/// assert!(!is_hub_name("../weights"));
/// ```
pub fn is_hub_name(name: &str) -> bool {
    let is_part = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        !part.is_empty() && part.len() <= 96 && !part.starts_with('.') && part.chars().all(allowed)
    };
    let parts = name.split_once('/');
    parts.is_some_and(|(owner, model)| is_part(owner) && is_part(model))
}

/// Returns the folder in which the weights of a name are kept.
///
/// # Errors
///
/// If the name has another form, or there is no cache folder.
pub fn hub_folder(name: &str) -> Result<PathBuf, HubError> {
    if !is_hub_name(name) {
        return Err(HubError::Name {
            name: name.to_owned(),
        });
    }
    Ok(cache_folder()?.join(FOLDER).join(name))
}

/// Returns the folder of the weights `name`, fetching what the cache lacks.
///
/// The folder is `tinderbox/weights/NAME` in the user's cache folder, or `weights/NAME` in the folder that
/// `TINDERBOX_CACHE` names. An interrupted download is resumed; of two processes, one waits. Files that were
/// put there by hand are used as they are from then on.
///
/// # Errors
///
/// If the name has another form, a file has changed, or cannot be fetched.
pub fn fetch_weights(
    name: &str,
    on_progress: &mut dyn FnMut(HubProgress<'_>),
) -> Result<PathBuf, HubError> {
    let dir = hub_folder(name)?;
    for file in HUB_FILES {
        if !is_pinned(&dir.join(file))? {
            fetch_missing(name, &dir, on_progress)?;
            break;
        }
    }
    Ok(dir)
}

/// Returns the folder or file at the path `name` or, if there is none, that of the weights of this name, as
/// [`fetch_weights`] does.
///
/// # Errors
///
/// As [`fetch_weights`].
pub fn find_weights(
    name: &str,
    on_progress: &mut dyn FnMut(HubProgress<'_>),
) -> Result<PathBuf, HubError> {
    let path = Path::new(name);
    // A pickle or a misspelled path is for the reader of weights to explain.
    if path.exists() || !is_hub_name(name) {
        return Ok(path.to_owned());
    }
    fetch_weights(name, on_progress)
}

#[cfg(feature = "download")]
fn fetch_missing(
    name: &str,
    dir: &Path,
    on_progress: &mut dyn FnMut(HubProgress<'_>),
) -> Result<(), HubError> {
    let url = format!("{HUB}/{name}/resolve/main/");
    fetch::fetch_all(&super::http::agent(), &url, dir, on_progress)
}

#[cfg(not(feature = "download"))]
fn fetch_missing(
    name: &str,
    dir: &Path,
    _on_progress: &mut dyn FnMut(HubProgress<'_>),
) -> Result<(), HubError> {
    Err(HubError::Disabled {
        name: name.to_owned(),
        dir: dir.to_owned(),
    })
}

/// The file with the hash of a file.
fn pin_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".sha256");
    path.with_file_name(name)
}

/// Whether a file is there; one that was fetched must be as it was then.
fn is_pinned(path: &Path) -> Result<bool, HubError> {
    let pin = pin_of(path);
    let cache = |path: &Path| {
        let path = path.to_owned();
        |source| DownloadError::Cache { path, source }
    };
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(cache(path)(error).into()),
        Ok(_) => {}
    }
    let mut hasher = Sha256::new();
    hash_file(path, &mut hasher).map_err(cache(path))?;
    let found = hex(hasher);
    let expected = match fs::read_to_string(&pin) {
        Ok(text) => text
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Put here by hand. A cache that cannot be written is used without.
            let _ = write_pin(path, &found);
            return Ok(true);
        }
        Err(error) => return Err(cache(&pin)(error).into()),
    };
    if found == expected {
        return Ok(true);
    }
    Err(HubError::Changed {
        path: path.to_owned(),
        found,
        expected,
    })
}

fn write_pin(path: &Path, hash: &str) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    fs::write(pin_of(path), format!("{hash}  {name}\n"))
}

#[cfg(feature = "download")]
mod fetch {
    use std::fs::{self, OpenOptions};
    use std::io::{ErrorKind, Read, Write};
    use std::path::Path;

    use sha2::{Digest, Sha256};
    use ureq::http::{HeaderMap, StatusCode};
    use ureq::{Agent, Body};

    use super::super::http::{TRIALS, Trouble, ask, lock, publish, remove};
    use super::super::{DownloadError, hash_file, hex};
    use super::{HUB_FILES, HubError, HubProgress, is_pinned, write_pin};

    /// What the hub says of a file.
    #[derive(Default)]
    struct Facts {
        total: Option<u64>,
        /// Of large files only.
        sha256: Option<String>,
    }

    /// Fetches every file that `dir` lacks; `url` ends before its name.
    pub(super) fn fetch_all(
        agent: &Agent,
        url: &str,
        dir: &Path,
        on_progress: &mut dyn FnMut(HubProgress<'_>),
    ) -> Result<(), HubError> {
        let _lock = lock(dir)?;
        for file in HUB_FILES {
            // Another process may have fetched it while this one waited.
            if !is_pinned(&dir.join(file))? {
                fetch_one(agent, &format!("{url}{file}"), &dir.join(file), on_progress)?;
            }
        }
        Ok(())
    }

    fn fetch_one(
        agent: &Agent,
        url: &str,
        path: &Path,
        on_progress: &mut dyn FnMut(HubProgress<'_>),
    ) -> Result<(), HubError> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = Path::new(&part);
        let mut last = String::new();
        for _ in 0..TRIALS {
            match request(agent, url, part, on_progress) {
                Ok(hash) => {
                    write_pin(path, &hash).map_err(|source| DownloadError::Cache {
                        path: path.to_owned(),
                        source,
                    })?;
                    return Ok(publish(part, path)?);
                }
                Err(Trouble::Again(reason)) => last = reason,
                Err(Trouble::Next(reason)) => {
                    last = reason;
                    break;
                }
                Err(Trouble::Disk(source)) => {
                    let path = part.to_owned();
                    return Err(DownloadError::Cache { path, source }.into());
                }
            }
        }
        Err(HubError::Failed {
            url: url.to_owned(),
            reason: last,
            dir: path.parent().unwrap_or(path).to_owned(),
        })
    }

    /// Brings the part to its full length and returns its hash.
    fn request(
        agent: &Agent,
        url: &str,
        part: &Path,
        on_progress: &mut dyn FnMut(HubProgress<'_>),
    ) -> Result<String, Trouble> {
        let facts = facts(agent, url)?;
        let have = part_length(part, &facts)?;
        let mut hasher = Sha256::new();
        if have == 0 || Some(have) != facts.total {
            let (body, have) = ask(agent, url, have, part)?;
            if have > 0 {
                hash_file(part, &mut hasher).map_err(Trouble::Disk)?;
            }
            let name = url.rsplit('/').next().unwrap_or_default();
            let mut report = |bytes| {
                on_progress(HubProgress {
                    file: name,
                    bytes,
                    total: facts.total,
                });
            };
            receive(body, &facts, part, have, &mut hasher, &mut report)?;
        } else {
            hash_file(part, &mut hasher).map_err(Trouble::Disk)?;
        }
        let found = hex(hasher);
        match facts.sha256 {
            Some(expected) if expected != found => {
                remove(part)?;
                let reason = format!("wrong SHA-256 {found}, expected {expected}");
                Err(Trouble::Again(reason))
            }
            _ => Ok(found),
        }
    }

    /// Asks for size and hash, which the hub sends before it redirects to where the file is.
    fn facts(agent: &Agent, url: &str) -> Result<Facts, Trouble> {
        let request = agent.head(url).config().max_redirects(0);
        let request = request.max_redirects_will_error(false).build();
        let response = request
            .call()
            .map_err(|error| Trouble::Next(error.to_string()))?;
        let status = response.status();
        let headers = response.headers();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                let reason = format!("status {status}: the hub has no such public weights");
                return Err(Trouble::Next(reason));
            }
            _ if status.is_success() || status.is_redirection() => {}
            _ => return Err(Trouble::Again(format!("status {status}"))),
        }
        // The length in a redirect is that of the redirect. Some servers send 0, as there is no body.
        let own = number(headers, "Content-Length");
        let own = own.filter(|&length| status.is_success() && length > 0);
        let hash = text(headers, "X-Linked-Etag").map(|tag| tag.trim_matches('"').to_owned());
        let is_hash = |tag: &String| tag.len() == 64 && tag.bytes().all(|b| b.is_ascii_hexdigit());
        Ok(Facts {
            total: number(headers, "X-Linked-Size").or(own),
            sha256: hash.filter(is_hash),
        })
    }

    fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        headers.get(name)?.to_str().ok()
    }

    fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
        text(headers, name)?.parse().ok()
    }

    /// Bytes of the part that can be kept: none of a file whose hash is not known beforehand, which may
    /// have changed since.
    fn part_length(part: &Path, facts: &Facts) -> Result<u64, Trouble> {
        let found = match part.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(Trouble::Disk(error)),
            Ok(found) => found,
        };
        let fits = facts.total.is_some_and(|total| found.len() <= total);
        if found.is_file() && fits && facts.sha256.is_some() {
            return Ok(found.len());
        }
        remove(part)?;
        Ok(0)
    }

    /// Appends the body to the part, which holds `have` good bytes, and makes it durable.
    fn receive(
        body: Body,
        facts: &Facts,
        part: &Path,
        have: u64,
        hasher: &mut Sha256,
        on_bytes: &mut dyn FnMut(u64),
    ) -> Result<(), Trouble> {
        let mut options = OpenOptions::new();
        let options = if have > 0 {
            options.append(true)
        } else {
            options.write(true).truncate(true)
        };
        let mut output = options.create(true).open(part).map_err(Trouble::Disk)?;
        // One byte more tells a longer file.
        let most = facts
            .total
            .map_or(u64::MAX, |total| total.saturating_sub(have) + 1);
        let mut body = body.into_reader().take(most);
        let mut buffer = vec![0; 64 * 1024];
        let mut bytes = have;
        on_bytes(bytes);
        let broken = loop {
            match body.read(&mut buffer) {
                Ok(0) => break None,
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    output.write_all(&buffer[..n]).map_err(Trouble::Disk)?;
                    bytes += n as u64;
                    on_bytes(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
        };
        output.sync_all().map_err(Trouble::Disk)?;
        let total = facts.total.unwrap_or(bytes);
        match broken {
            Some(error) => Err(Trouble::Again(format!(
                "connection lost after {bytes} bytes: {error}"
            ))),
            None if bytes == total => Ok(()),
            None if bytes < total => Err(Trouble::Again(format!(
                "truncated after {bytes} of {total} bytes"
            ))),
            None => {
                drop(output);
                fs::remove_file(part).map_err(Trouble::Disk)?;
                Err(Trouble::Next(format!("larger than {total} bytes")))
            }
        }
    }
}

#[cfg(all(test, feature = "download"))]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use ureq::Agent;

    use super::super::http::testing::{Server, answer, serve};
    use super::*;

    fn weights() -> Vec<u8> {
        (0..200_000_u32).map(|i| (i * 31 % 251) as u8).collect()
    }

    const CONFIG: &[u8] = b"{\"architecture\": \"efficientnet_lite0\"}";

    /// A hub with two files, the first of which it names the size and hash of.
    fn hub(content: impl Fn(usize) -> Vec<u8> + Send + 'static) -> Server {
        Server::start_with(move |number, line, from| {
            let is_head = line.starts_with("HEAD");
            if line.contains("config.json") {
                return answer("200 OK", "", if is_head { b"" } else { CONFIG });
            }
            if !is_head {
                return serve(&content(number), from);
            }
            let hash = hex(Sha256::new_with_prefix(weights()));
            let facts = format!(
                "X-Linked-Size: {}\r\nX-Linked-Etag: \"{hash}\"\r\n",
                weights().len()
            );
            answer("302 Found", &(facts + "Location: /elsewhere\r\n"), b"")
        })
    }

    fn fetch(folder: &TempDir, server: &Server) -> Result<Vec<u64>, HubError> {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)));
        let mut seen = Vec::new();
        let url = format!("{}timm/net/resolve/main/", server.url);
        let mut progress = |progress: HubProgress<'_>| seen.push(progress.bytes);
        fetch::fetch_all(
            &config.build().new_agent(),
            &url,
            folder.path(),
            &mut progress,
        )?;
        Ok(seen)
    }

    fn gets(server: &Server) -> Vec<String> {
        let requests = server.requests().into_iter();
        requests.filter(|line| line.starts_with("GET")).collect()
    }

    #[test]
    fn weights_are_fetched_once_and_their_hash_is_kept() {
        let server = hub(|_| weights());
        let folder = tempfile::tempdir().unwrap();
        let seen = fetch(&folder, &server).unwrap();
        assert_eq!(seen.first(), Some(&0));
        assert!(seen.contains(&200_000), "{seen:?}");
        let path = folder.path().join("model.safetensors");
        assert_eq!(fs::read(&path).unwrap(), weights());
        let pin = fs::read_to_string(pin_of(&path)).unwrap();
        let hash = hex(Sha256::new_with_prefix(weights()));
        assert_eq!(pin, format!("{hash}  model.safetensors\n"));
        fetch(&folder, &server).unwrap();
        let expected = ["model.safetensors", "config.json"]
            .map(|file| format!("GET /timm/net/resolve/main/{file} None"));
        assert_eq!(gets(&server), expected);
    }

    #[test]
    fn a_part_of_a_file_of_known_hash_is_resumed() {
        let server = hub(|_| weights());
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("model.safetensors.part");
        fs::write(part, &weights()[..150_000]).unwrap();
        fs::write(
            folder.path().join("config.json.part"),
            "of an older version",
        )
        .unwrap();
        fetch(&folder, &server).unwrap();
        assert!(gets(&server)[0].ends_with("Some(150000)"));
        assert!(gets(&server)[1].ends_with("None"));
        let config = folder.path().join("config.json");
        assert_eq!(fs::read(config).unwrap(), CONFIG);
    }

    #[test]
    fn forged_weights_are_not_kept() {
        let server = hub(|_| vec![1; 200_000]);
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(&folder, &server).unwrap_err().to_string();
        assert!(error.contains("wrong SHA-256"), "{error}");
        assert!(error.contains("--weights FOLDER"), "{error}");
        assert!(!folder.path().join("model.safetensors").exists());
        assert!(!folder.path().join("model.safetensors.part").exists());
    }

    #[test]
    fn a_changed_file_is_an_error_that_names_it() {
        let server = hub(|_| weights());
        let folder = tempfile::tempdir().unwrap();
        fetch(&folder, &server).unwrap();
        let path = folder.path().join("model.safetensors");
        fs::write(&path, "something else").unwrap();
        let error = is_pinned(&path).unwrap_err().to_string();
        assert!(error.contains("model.safetensors` has changed"), "{error}");
    }

    #[test]
    fn files_put_there_by_hand_are_used() {
        let server = hub(|_| weights());
        let folder = tempfile::tempdir().unwrap();
        for file in HUB_FILES {
            fs::write(folder.path().join(file), "by hand").unwrap();
        }
        fetch(&folder, &server).unwrap();
        assert!(server.requests().is_empty());
        let path = folder.path().join("config.json");
        assert!(pin_of(&path).exists());
        fs::write(&path, "other").unwrap();
        assert!(is_pinned(&path).is_err());
    }

    #[test]
    fn an_unknown_name_and_a_dead_hub_say_what_to_do() {
        let server = Server::start_with(|_, _, _| answer("401 Unauthorized", "", b""));
        let folder = tempfile::tempdir().unwrap();
        let error = fetch(&folder, &server).unwrap_err().to_string();
        assert!(
            error.contains("the hub has no such public weights"),
            "{error}"
        );
        let dir = folder.path().display();
        let expected = format!("put model.safetensors and config.json into `{dir}`");
        assert!(error.contains(&expected), "{error}");
        let error = fetch_weights("no folder", &mut |_| ()).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`no folder` is neither a folder")
        );
    }

    #[test]
    fn a_folder_on_disk_wins() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_string_lossy().into_owned();
        let found = find_weights(&name, &mut |_| panic!("nothing is fetched")).unwrap();
        assert_eq!(found, folder.path());
        let found = find_weights("weights.bin", &mut |_| panic!("nothing is fetched")).unwrap();
        assert_eq!(found, Path::new("weights.bin"));
    }

    #[test]
    fn names_cannot_leave_the_cache() {
        for name in ["a", "a/b/c", "/b", "a/", "../b", "a/..", "a\\b/c", "a/b c"] {
            assert!(!is_hub_name(name), "{name}");
        }
        assert!(is_hub_name("timm/tf_efficientnet_lite0.in1k"));
    }
}
