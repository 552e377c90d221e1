//! Fetching over HTTPS: resume, check, rename.
//!
//! A file grows as `NAME.part` and gets its name only when its hash is right, so a half file is
//! never mistaken for a whole one. The lock file makes a second process wait.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tracing::info;
use ureq::http::StatusCode;
use ureq::{Agent, Body};

use super::{Attempt, DownloadError, PublicFile, hash_file, hex, is_good};
use crate::atomic_file::sync_parent;

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Longest silence of a server.
const SILENCE: Duration = Duration::from_secs(30);

/// Times a mirror is asked for a file: again after a part that did not fit or broke off.
pub(super) const TRIALS: usize = 3;

/// Returns a client that speaks HTTPS only and does not wait for ever.
pub(super) fn agent() -> Agent {
    let config = Agent::config_builder()
        .https_only(true)
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .user_agent(concat!("tinderbox-datasets/", env!("CARGO_PKG_VERSION")));
    config.build().new_agent()
}

/// Why one request did not bring the file.
pub(super) enum Trouble {
    /// The same mirror may do better now.
    Again(String),
    /// The next mirror has to try.
    Next(String),
    /// No mirror can help: our own disk failed.
    Disk(std::io::Error),
}

/// Fetches every file of `files` that `dir` lacks from the first mirror that has it.
pub(super) fn fetch_all(
    agent: &Agent,
    name: &str,
    mirrors: &[&str],
    files: &[PublicFile],
    dir: &Path,
) -> Result<(), DownloadError> {
    let _lock = lock(dir)?;
    let mut tried = Vec::new();
    for file in files {
        // Another process may have fetched it while this one waited.
        if !is_good(&dir.join(file.name), file)?
            && !fetch_one(agent, mirrors, file, dir, &mut tried)?
        {
            return Err(DownloadError::Failed {
                name: name.to_owned(),
                tried,
                dir: dir.to_owned(),
                files: files.iter().map(|file| file.name.to_owned()).collect(),
            });
        }
    }
    Ok(())
}

/// Creates the folder and waits until no other process fetches into it.
pub(super) fn lock(dir: &Path) -> Result<File, DownloadError> {
    let path = dir.join(".lock");
    let cache = |source| DownloadError::Cache {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(dir).map_err(|source| DownloadError::Cache {
        path: dir.to_owned(),
        source,
    })?;
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false);
    let file = options.open(&path).map_err(cache)?;
    match file.lock() {
        Ok(()) => Ok(file),
        // Some network file systems have no locks; the hash still guards the result.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(error) => Err(cache(error)),
    }
}

/// Tries every mirror; `false` if none served the file.
fn fetch_one(
    agent: &Agent,
    mirrors: &[&str],
    file: &PublicFile,
    dir: &Path,
    tried: &mut Vec<Attempt>,
) -> Result<bool, DownloadError> {
    let part = dir.join(format!("{}.part", file.name));
    for mirror in mirrors {
        let url = format!("{mirror}{}", file.name);
        let mut last = String::new();
        for _ in 0..TRIALS {
            info!("fetching {url}, {} bytes", file.bytes);
            match request(agent, &url, file, &part) {
                Ok(()) => {
                    publish(&part, &dir.join(file.name))?;
                    return Ok(true);
                }
                Err(Trouble::Again(reason)) => last = reason,
                Err(Trouble::Next(reason)) => {
                    last = reason;
                    break;
                }
                Err(Trouble::Disk(source)) => {
                    return Err(DownloadError::Cache { path: part, source });
                }
            }
        }
        tried.push(Attempt { url, reason: last });
    }
    Ok(false)
}

/// Brings the part to its full length and checks its hash.
fn request(agent: &Agent, url: &str, file: &PublicFile, part: &Path) -> Result<(), Trouble> {
    let have = match part.symlink_metadata() {
        Ok(found) if found.is_file() && found.len() <= file.bytes => found.len(),
        Ok(found) => {
            // A link would be followed to somebody else's file.
            if !found.is_file() {
                remove(part)?;
            }
            0
        }
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => return Err(Trouble::Disk(error)),
    };
    let mut hasher = Sha256::new();
    let have = if have == file.bytes {
        hash_file(part, &mut hasher).map_err(Trouble::Disk)?;
        have
    } else {
        let (body, have) = ask(agent, url, have, part)?;
        if have > 0 {
            hash_file(part, &mut hasher).map_err(Trouble::Disk)?;
        }
        receive(body, file, part, have, &mut hasher)?;
        have
    };
    let found = hex(hasher);
    if found == file.sha256 {
        return Ok(());
    }
    remove(part)?;
    let reason = format!("wrong SHA-256 {found}, expected {}", file.sha256);
    // What was there before may have been at fault.
    Err(if have > 0 {
        Trouble::Again(reason)
    } else {
        Trouble::Next(reason)
    })
}

/// Asks for the file from byte `have` on; returns the answer and the byte it starts at.
pub(super) fn ask(
    agent: &Agent,
    url: &str,
    have: u64,
    part: &Path,
) -> Result<(Body, u64), Trouble> {
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request
        .call()
        .map_err(|error| Trouble::Next(error.to_string()))?;
    match response.status() {
        StatusCode::OK => Ok((response.into_body(), 0)),
        StatusCode::PARTIAL_CONTENT if have > 0 => {
            let range = response
                .headers()
                .get("Content-Range")
                .and_then(|r| r.to_str().ok());
            if range.is_some_and(|range| range.starts_with(&format!("bytes {have}-"))) {
                return Ok((response.into_body(), have));
            }
            remove(part)?;
            Err(Trouble::Again("wrong byte range".to_owned()))
        }
        StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
            remove(part)?;
            Err(Trouble::Again("resuming is not supported".to_owned()))
        }
        status => Err(Trouble::Next(format!("status {status}"))),
    }
}

/// Appends the body to the part, which holds `have` good bytes, and makes it durable.
fn receive(
    body: Body,
    file: &PublicFile,
    part: &Path,
    have: u64,
    hasher: &mut Sha256,
) -> Result<(), Trouble> {
    let mut options = OpenOptions::new();
    let options = if have > 0 {
        options.append(true)
    } else {
        options.write(true).truncate(true)
    };
    let mut output = options.create(true).open(part).map_err(Trouble::Disk)?;
    // One byte more tells a longer file.
    let mut body = body.into_reader().take(file.bytes - have + 1);
    let mut buffer = vec![0; 64 * 1024];
    let mut total = have;
    let broken = loop {
        match body.read(&mut buffer) {
            Ok(0) => break None,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                output.write_all(&buffer[..n]).map_err(Trouble::Disk)?;
                total += n as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    output.sync_all().map_err(Trouble::Disk)?;
    let expected = file.bytes;
    match broken {
        Some(error) if total <= expected => Err(Trouble::Again(format!(
            "connection lost after {total} of {expected} bytes: {error}"
        ))),
        None if total == expected => Ok(()),
        None if total < expected => Err(Trouble::Again(format!(
            "truncated after {total} of {expected} bytes"
        ))),
        _ => {
            drop(output);
            remove(part)?;
            Err(Trouble::Next(format!("larger than {expected} bytes")))
        }
    }
}

pub(super) fn remove(part: &Path) -> Result<(), Trouble> {
    match fs::remove_file(part) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Trouble::Disk(error)),
        _ => Ok(()),
    }
}

/// Gives a checked part its name.
pub(super) fn publish(part: &Path, path: &Path) -> Result<(), DownloadError> {
    fs::rename(part, path).map_err(|source| DownloadError::Cache {
        path: path.to_owned(),
        source,
    })?;
    // Not every file system can sync a directory; the hash is checked at every start anyway.
    let _ = sync_parent(path);
    Ok(())
}

/// A web server for tests.
#[cfg(test)]
pub(super) mod testing {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};
    use std::thread;

    /// A web server on this machine.
    pub(crate) struct Server {
        pub(crate) url: String,
        /// Path and range of every request.
        requests: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        /// Answers every request with what `answer` makes of its number and first wanted byte.
        pub(crate) fn start(
            answer: impl Fn(usize, Option<usize>) -> Vec<u8> + Send + 'static,
        ) -> Self {
            let short = |line: String| line.split_once(' ').map(|(_, rest)| rest.to_owned());
            Self::with_lines(
                move |number, _, from| answer(number, from),
                move |line| short(line).unwrap_or_default(),
            )
        }

        /// The same, with the method and path of the request; they are kept, too.
        pub(crate) fn start_with(
            answer: impl Fn(usize, &str, Option<usize>) -> Vec<u8> + Send + 'static,
        ) -> Self {
            Self::with_lines(answer, |line| line)
        }

        fn with_lines(
            answer: impl Fn(usize, &str, Option<usize>) -> Vec<u8> + Send + 'static,
            kept: impl Fn(String) -> String + Send + 'static,
        ) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/", listener.local_addr().unwrap());
            let requests = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&requests);
            thread::spawn(move || {
                for (number, stream) in listener.incoming().enumerate() {
                    let mut stream = stream.unwrap();
                    let (line, from) = read_request(&stream);
                    seen.lock().unwrap().push(kept(line.clone()));
                    // A client that has enough closes the connection.
                    let _ = stream.write_all(&answer(number, &line, from));
                }
            });
            Self { url, requests }
        }

        pub(crate) fn requests(&self) -> Vec<String> {
            self.requests.lock().unwrap().clone()
        }
    }

    fn read_request(stream: &TcpStream) -> (String, Option<usize>) {
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        let line = lines.next().unwrap();
        let path = line.rsplit_once(' ').unwrap().0.to_owned();
        let mut from = None;
        for line in lines.take_while(|line| !line.is_empty()) {
            if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
                from = Some(range.trim_end_matches('-').parse().unwrap());
            }
        }
        (format!("{path} {from:?}"), from)
    }

    pub(crate) fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}").into_bytes();
        bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).bytes());
        bytes.extend(body);
        bytes
    }

    /// What a good server answers, with or without a range.
    pub(crate) fn serve(content: &[u8], from: Option<usize>) -> Vec<u8> {
        match from {
            None => answer("200 OK", "", content),
            Some(from) => {
                let len = content.len();
                let range = format!("Content-Range: bytes {from}-{}/{len}\r\n", len - 1);
                answer("206 Partial Content", &range, &content[from..])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use tempfile::TempDir;

    use super::testing::{Server, answer, serve};
    use super::*;

    fn content() -> Vec<u8> {
        (0..200_000_u32).map(|i| (i * 31 % 251) as u8).collect()
    }

    /// A folder, and the file to fetch into it.
    fn job() -> (TempDir, PublicFile) {
        let sha256 = hex(Sha256::new_with_prefix(content())).leak();
        let file = PublicFile {
            name: "data.gz",
            bytes: content().len() as u64,
            sha256,
        };
        (tempfile::tempdir().unwrap(), file)
    }

    fn fetch(folder: &TempDir, mirrors: &[&str], file: PublicFile) -> Result<(), DownloadError> {
        let config = Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)));
        fetch_all(
            &config.build().new_agent(),
            "set",
            mirrors,
            &[file],
            folder.path(),
        )
    }

    fn assert_fetched(folder: &TempDir) {
        assert_eq!(fs::read(folder.path().join("data.gz")).unwrap(), content());
        assert!(!folder.path().join("data.gz.part").exists());
    }

    #[test]
    fn a_whole_file_is_fetched_once() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
        fetch(&folder, &[&server.url], job().1).unwrap();
        assert_eq!(server.requests(), ["/data.gz None"]);
    }

    #[test]
    fn a_part_is_resumed_where_it_ends() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        fs::write(folder.path().join("data.gz.part"), &content()[..150_000]).unwrap();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
        assert_eq!(server.requests(), ["/data.gz Some(150000)"]);
    }

    #[test]
    fn a_complete_part_needs_no_request() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        fs::write(folder.path().join("data.gz.part"), content()).unwrap();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
        assert!(server.requests().is_empty());
    }

    #[test]
    fn a_server_without_ranges_sends_the_whole_file() {
        let server = Server::start(|_, _| serve(&content(), None));
        let (folder, file) = job();
        fs::write(folder.path().join("data.gz.part"), &content()[..1000]).unwrap();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
    }

    #[test]
    fn a_bad_part_is_dropped_and_fetched_again() {
        for bad in [vec![0; 150_000], vec![0; 200_000], vec![0; 300_000]] {
            let server = Server::start(|_, from| serve(&content(), from));
            let (folder, file) = job();
            fs::write(folder.path().join("data.gz.part"), bad).unwrap();
            fetch(&folder, &[&server.url], file).unwrap();
            assert_fetched(&folder);
        }
    }

    #[test]
    fn a_refused_or_wrong_range_starts_anew() {
        let refused = || answer("416 Range Not Satisfiable", "", b"");
        let wrong = || {
            answer(
                "206 Partial Content",
                "Content-Range: bytes 7-9/10\r\n",
                b"abc",
            )
        };
        for odd in [refused(), wrong()] {
            let server = Server::start(move |_, from| match from {
                Some(_) => odd.clone(),
                None => serve(&content(), None),
            });
            let (folder, file) = job();
            fs::write(folder.path().join("data.gz.part"), &content()[..1000]).unwrap();
            fetch(&folder, &[&server.url], file).unwrap();
            assert_fetched(&folder);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_a_part_is_not_followed() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        let [mine, part] = ["mine", "data.gz.part"].map(|name| folder.path().join(name));
        fs::write(&mine, "mine").unwrap();
        std::os::unix::fs::symlink(&mine, part).unwrap();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
        assert_eq!(fs::read(&mine).unwrap(), b"mine");
    }

    #[test]
    fn a_broken_connection_is_resumed() {
        let server = Server::start(|number, from| {
            let mut answer = serve(&content(), from);
            if number == 0 {
                answer.truncate(100_000);
            }
            answer
        });
        let (folder, file) = job();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
        let requests = server.requests();
        assert!(
            requests.len() == 2 && requests[1].contains("Some("),
            "{requests:?}"
        );
    }

    #[test]
    fn a_wrong_hash_is_deleted_and_the_next_mirror_tried() {
        let forged = Server::start(|_, _| answer("200 OK", "", &vec![1; 200_000]));
        let (folder, file) = job();
        let error = fetch(&folder, &[&forged.url], file)
            .unwrap_err()
            .to_string();
        assert!(error.contains("wrong SHA-256 "), "{error}");
        assert!(!folder.path().join("data.gz.part").exists());
        assert!(!folder.path().join("data.gz").exists());
        let good = Server::start(|_, from| serve(&content(), from));
        fetch(&folder, &[&forged.url, &good.url], job().1).unwrap();
        assert_fetched(&folder);
        assert_eq!(good.requests(), ["/data.gz None"]);
    }

    #[test]
    fn a_wrong_file_in_the_cache_is_replaced() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        fs::write(folder.path().join("data.gz"), "an error page").unwrap();
        fetch(&folder, &[&server.url], file).unwrap();
        assert_fetched(&folder);
    }

    #[test]
    fn after_404_and_an_endless_answer_the_next_mirror_is_tried() {
        let lost = Server::start(|_, _| answer("404 Not Found", "", b"nothing here"));
        let endless = Server::start(|_, _| answer("200 OK", "", &vec![0; 400_000]));
        let good = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        fetch(&folder, &[&lost.url, &endless.url, &good.url], file).unwrap();
        assert_fetched(&folder);
        assert_eq!([lost.requests().len(), endless.requests().len()], [1, 1]);
    }

    #[test]
    fn when_every_mirror_fails_the_error_says_what_to_do() {
        let lost = Server::start(|_, _| answer("404 Not Found", "", b""));
        let closed = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}/", listener.local_addr().unwrap())
        };
        let (folder, file) = job();
        let error = fetch(&folder, &[&lost.url, &closed], file).unwrap_err();
        let DownloadError::Failed { tried, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!(tried.len(), 2);
        let text = error.to_string();
        let dir = folder.path().display();
        for part in [
            "cannot fetch `set`; tried\n",
            &format!("  {}data.gz: status 404 Not Found\n", lost.url),
            &format!("  {closed}data.gz: "),
            &format!("download data.gz into `{dir}` yourself"),
            "`--data FOLDER`",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn plain_http_is_refused_outside_tests() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, file) = job();
        let error = fetch_all(&agent(), "set", &[&server.url], &[file], folder.path());
        assert!(matches!(error, Err(DownloadError::Failed { .. })));
        assert!(server.requests().is_empty());
    }

    #[test]
    fn two_at_once_fetch_a_file_once() {
        let server = Server::start(|_, from| serve(&content(), from));
        let (folder, _) = job();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| fetch(&folder, &[&server.url], job().1).unwrap());
            }
        });
        assert_fetched(&folder);
        assert_eq!(server.requests().len(), 1);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let (folder, file) = job();
        fs::write(folder.path().join("taken"), "").unwrap();
        let dir = folder.path().join("taken/set");
        let error = fetch_all(&agent(), "set", &[], &[file], &dir).unwrap_err();
        assert!(
            error.to_string().contains("taken/set` in the cache"),
            "{error}"
        );
    }
}
