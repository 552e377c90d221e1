//! Archives, read member by member and within bounds: `.zip`, `.tar` and `.tar.gz`.
//!
//! Nothing is written to disk. An archive is never believed: the number of members, the length of their
//! names and all that is unpacked are bounded, and a member that would leave the archive's folder, a link
//! or a device is an error. The content decides which kind of archive a file is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::{DeflateDecoder, MultiGzDecoder};
use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ZipArchive};
use tar::EntryType;
use thiserror::Error;

use crate::files::has_hidden_part;

/// What is accepted of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most members.
    pub members: usize,
    /// Longest name of a member, in bytes.
    pub name_bytes: usize,
    /// Most bytes of all members together, after unpacking.
    pub total_bytes: u64,
}

impl Default for Limits {
    /// A million members with names of 4 KiB and 4 GiB in all.
    fn default() -> Self {
        Self {
            members: 1_000_000,
            name_bytes: 4096,
            total_bytes: 4 << 30,
        }
    }
}

/// The kinds of archives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveKind {
    /// A ZIP file.
    Zip,
    /// A tar file, packed with gzip or not.
    Tar,
}

/// Errors of reading an archive.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// The file cannot be opened or read.
    #[error("cannot read `{archive}`")]
    Read {
        /// The archive.
        archive: String,
        /// Why.
        source: io::Error,
    },
    /// The content is not that of an archive.
    #[error("the archive `{archive}` is damaged: {reason}")]
    Damaged {
        /// The archive.
        archive: String,
        /// What the decoder found.
        reason: String,
    },
    /// There are too many members.
    #[error("`{archive}` has more than {limit} members")]
    Members {
        /// The archive.
        archive: String,
        /// Most members allowed.
        limit: usize,
    },
    /// A name is too long.
    #[error("a member of `{archive}` has a name of more than {limit} bytes")]
    Name {
        /// The archive.
        archive: String,
        /// Longest name allowed, in bytes.
        limit: usize,
    },
    /// Too much comes out of it.
    #[error("`{archive}` unpacks to more than {limit} bytes; unpack it and use the folder")]
    Total {
        /// The archive.
        archive: String,
        /// Most bytes allowed.
        limit: u64,
    },
    /// A member would be written outside of the folder that the archive is unpacked in.
    #[error("unsafe archive `{archive}`: its member `{member}` is outside of the archive")]
    Traversal {
        /// The archive.
        archive: String,
        /// The member.
        member: String,
    },
    /// A member is a link or a device.
    #[error(
        "unsafe archive `{archive}`: its member `{member}` is a {kind}, expected files and folders"
    )]
    NoFile {
        /// The archive.
        archive: String,
        /// The member.
        member: String,
        /// What it is.
        kind: &'static str,
    },
    /// A member is packed in a way that is not supported.
    #[error("cannot unpack the member `{member}` of `{archive}`: {reason}")]
    Member {
        /// The archive.
        archive: String,
        /// The member.
        member: String,
        /// Why.
        reason: String,
    },
}

/// A file in an archive.
pub struct Member<'a> {
    /// Its path in the archive: relative, without `.` and `..`.
    pub path: PathBuf,
    /// Its content.
    pub content: &'a mut dyn Read,
}

/// Which kind of archive a file is, by its content; none if it is something else.
///
/// A file packed with gzip is an archive if its name says so or a tar header is in it.
///
/// # Errors
///
/// If the file cannot be read.
pub fn detect(path: &Path) -> io::Result<Option<ArchiveKind>> {
    let mut reader = BufReader::new(File::open(path)?);
    let start = reader.fill_buf()?;
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        return Ok(Some(ArchiveKind::Zip));
    }
    let mut header = Vec::new();
    // A file that is no gzip after all is no archive, and no error here.
    let _ = if start.starts_with(&[0x1F, 0x8B]) {
        MultiGzDecoder::new(reader)
            .take(512)
            .read_to_end(&mut header)
    } else {
        reader.take(512).read_to_end(&mut header)
    };
    Ok(is_tar_header(&header).then_some(ArchiveKind::Tar))
}

fn is_tar_header(header: &[u8]) -> bool {
    let Ok(bytes) = <[u8; 512]>::try_from(header) else {
        return false;
    };
    let header = tar::Header::from_byte_slice(&bytes);
    let sum: u32 = bytes[..148]
        .iter()
        .chain(&bytes[156..])
        .map(|&byte| u32::from(byte))
        .sum();
    // Spaces stand for the checksum while it is computed.
    header
        .cksum()
        .is_ok_and(|checksum| checksum == sum + 8 * 32)
}

/// Reads the files of the archive `path`; members that are [hidden](crate::files::is_hidden) are passed
/// over.
///
/// # Errors
///
/// If the archive cannot be read, is damaged or beyond `limits`, or has a member that is not a plain file
/// or folder inside of it; and whatever `visit` returns.
pub fn read_archive<E: From<ArchiveError>>(
    path: &Path,
    limits: &Limits,
    visit: impl FnMut(Member<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let archive = path.display().to_string();
    let read = |source| ArchiveError::Read {
        archive: archive.clone(),
        source,
    };
    let kind = detect(path).map_err(read)?;
    let file = File::open(path).map_err(read)?;
    match kind {
        Some(ArchiveKind::Zip) => read_zip(BufReader::new(file), &archive, limits, visit),
        Some(ArchiveKind::Tar) => read_tar(file, &archive, limits, visit),
        None => Err(E::from(ArchiveError::Damaged {
            archive,
            reason: "it is not a .zip, .tar or .tar.gz file".to_owned(),
        })),
    }
}

/// Reads the files of a tar archive, packed with gzip or not, as [`read_archive`] does; `archive` is its
/// name in messages.
///
/// # Errors
///
/// As [`read_archive`].
pub fn read_tar<E: From<ArchiveError>>(
    reader: impl Read,
    archive: &str,
    limits: &Limits,
    mut visit: impl FnMut(Member<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let context = Context { archive, limits };
    let mut reader = BufReader::new(reader);
    let start = reader.fill_buf().map_err(|error| context.failed(error))?;
    let reader: Box<dyn Read + '_> = if start.starts_with(&[0x1F, 0x8B]) {
        Box::new(MultiGzDecoder::new(reader))
    } else {
        Box::new(reader)
    };
    let mut tar = tar::Archive::new(Bounded::new(reader, limits.total_bytes));
    // Raw, as the crate would read a name of any length into memory.
    let entries = tar.entries().map_err(|error| context.failed(error))?;
    let (mut members, mut long_name) = (0, None);
    for entry in entries.raw(true) {
        let mut entry = entry.map_err(|error| context.failed(error))?;
        members += 1;
        context.check_members(members)?;
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let name = context.extension(&mut entry)?;
                let end = name.iter().position(|&byte| byte == 0);
                long_name = Some(name[..end.unwrap_or(name.len())].to_vec());
                continue;
            }
            EntryType::XHeader => {
                let records = context.extension(&mut entry)?;
                if let Some(name) = pax_path(&records) {
                    long_name = Some(name);
                }
                continue;
            }
            // Comments of the archive as a whole.
            EntryType::XGlobalHeader => continue,
            _ => {}
        }
        let name = match long_name.take() {
            Some(name) => name,
            None => entry.path_bytes().into_owned(),
        };
        let name = String::from_utf8_lossy(&name).into_owned();
        let path = context.check_path(&name)?;
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => None,
            EntryType::Directory => continue,
            EntryType::Symlink | EntryType::Link | EntryType::GNULongLink => Some("link"),
            EntryType::Char | EntryType::Block | EntryType::Fifo => Some("device"),
            _ => Some("member of an unsupported type"),
        };
        if has_hidden_part(&path) {
            continue;
        }
        if let Some(kind) = kind {
            return Err(E::from(context.no_file(&name, kind)));
        }
        let mut content = Content {
            reader: &mut entry,
            over: false,
        };
        let result = visit(Member {
            path,
            content: &mut content,
        });
        if content.over {
            return Err(E::from(context.total()));
        }
        result?;
    }
    Ok(())
}

/// Reads the files of a ZIP archive as [`read_archive`] does; `archive` is its name in messages.
///
/// # Errors
///
/// As [`read_archive`], or if a member is encrypted or packed with another method than deflate.
pub fn read_zip<E: From<ArchiveError>>(
    reader: impl Read + Seek,
    archive: &str,
    limits: &Limits,
    mut visit: impl FnMut(Member<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let context = Context { archive, limits };
    let damaged = |error: rawzip::Error| context.damaged(&error);
    let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
    let zip = ZipArchive::from_seekable(reader, &mut buffer).map_err(damaged)?;
    let mut entries = zip.entries(&mut buffer);
    let (mut members, mut left) = (0, limits.total_bytes);
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        members += 1;
        context.check_members(members)?;
        let name = entry.file_path().as_bytes().to_vec();
        let name = String::from_utf8_lossy(&name).into_owned();
        let path = context.check_path(&name)?;
        if entry.is_dir() || has_hidden_part(&path) {
            continue;
        }
        if entry.mode().is_symlink() {
            return Err(E::from(context.no_file(&name, "link")));
        }
        if entry.flags().is_encrypted() {
            return Err(E::from(context.member(&name, "it is encrypted")));
        }
        let method = entry.compression_method();
        let local = zip.get_entry(entry.wayfinder()).map_err(damaged)?;
        let packed = BufReader::new(local.reader());
        let reader: Box<dyn Read + '_> = match method {
            CompressionMethod::STORE => Box::new(packed),
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(packed)),
            _ => {
                let reason = "it is packed with another method than deflate";
                return Err(E::from(context.member(&name, reason)));
            }
        };
        let mut bounded = Bounded::new(local.verifying_reader(reader), left);
        let mut content = Content {
            reader: &mut bounded,
            over: false,
        };
        let result = visit(Member {
            path,
            content: &mut content,
        });
        if content.over {
            return Err(E::from(context.total()));
        }
        left = bounded.left;
        result?;
    }
    if members as u64 != zip.entries_hint() {
        let reason = format!("expected {} members, found {members}", zip.entries_hint());
        return Err(E::from(context.damaged(&reason)));
    }
    Ok(())
}

/// The name in the records of a PAX header.
fn pax_path(records: &[u8]) -> Option<Vec<u8>> {
    let mut records = tar::PaxExtensions::new(records).flatten();
    let path = records.find(|record| record.key_bytes() == b"path")?;
    Some(path.value_bytes().to_vec())
}

struct Context<'a> {
    archive: &'a str,
    limits: &'a Limits,
}

impl Context<'_> {
    fn check_members(&self, members: usize) -> Result<(), ArchiveError> {
        if members <= self.limits.members {
            return Ok(());
        }
        Err(ArchiveError::Members {
            archive: self.archive.to_owned(),
            limit: self.limits.members,
        })
    }

    /// A relative path without `.` and `..`.
    fn check_path(&self, name: &str) -> Result<PathBuf, ArchiveError> {
        if name.len() > self.limits.name_bytes {
            return Err(self.long_name());
        }
        let traversal = || ArchiveError::Traversal {
            archive: self.archive.to_owned(),
            member: name.to_owned(),
        };
        // Windows programs write backslashes.
        let name = name.replace('\\', "/");
        if name.contains('\0') || name.as_bytes().get(1) == Some(&b':') {
            return Err(traversal());
        }
        let mut path = PathBuf::new();
        for part in Path::new(&name).components() {
            match part {
                Component::Normal(part) => path.push(part),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(traversal());
                }
            }
        }
        Ok(path)
    }

    /// The content of a header that belongs to the next member, such as its name.
    fn extension(&self, entry: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
        // PAX records hold more than a name.
        let limit = 16 * self.limits.name_bytes as u64;
        let mut content = Vec::new();
        entry
            .take(limit + 1)
            .read_to_end(&mut content)
            .map_err(|error| self.failed(error))?;
        if content.len() as u64 > limit {
            return Err(self.long_name());
        }
        Ok(content)
    }

    fn failed(&self, source: io::Error) -> ArchiveError {
        let over = is_over(&source);
        let archive = self.archive.to_owned();
        match source.kind() {
            _ if over => self.total(),
            // How both crates call content that is not right.
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::Other => self.damaged(&source),
            _ => ArchiveError::Read { archive, source },
        }
    }

    fn damaged(&self, reason: &impl ToString) -> ArchiveError {
        ArchiveError::Damaged {
            archive: self.archive.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn total(&self) -> ArchiveError {
        ArchiveError::Total {
            archive: self.archive.to_owned(),
            limit: self.limits.total_bytes,
        }
    }

    fn member(&self, member: &str, reason: &str) -> ArchiveError {
        ArchiveError::Member {
            archive: self.archive.to_owned(),
            member: member.to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn long_name(&self) -> ArchiveError {
        ArchiveError::Name {
            archive: self.archive.to_owned(),
            limit: self.limits.name_bytes,
        }
    }

    fn no_file(&self, member: &str, kind: &'static str) -> ArchiveError {
        ArchiveError::NoFile {
            archive: self.archive.to_owned(),
            member: member.to_owned(),
            kind,
        }
    }
}

/// More was read than allowed.
#[derive(Debug, Error)]
#[error("it is too large")]
struct Over;

/// Whether reading failed because of the limit.
fn is_over(error: &io::Error) -> bool {
    match error.get_ref() {
        Some(inner) => inner.is::<Over>(),
        None => false,
    }
}

/// A reader that fails instead of giving more than a number of bytes.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R> Bounded<R> {
    fn new(inner: R, left: u64) -> Self {
        Self { inner, left }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(bytes)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(Over))?;
        Ok(read)
    }
}

/// Remembers that a limit was hit, whatever the visitor makes of the error.
struct Content<R> {
    reader: R,
    over: bool,
}

impl<R: Read> Read for Content<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let result = self.reader.read(bytes);
        if let Err(error) = &result {
            self.over |= is_over(error);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn entry(name: &str, kind: EntryType, content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        // `set_path` would refuse the names that are tested here.
        header.as_mut_bytes()[..name.len().min(100)]
            .copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }

    fn tar(entries: &[Vec<u8>]) -> Vec<u8> {
        [&entries.concat()[..], &[0; 1024]].concat()
    }

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        zip_of(files, 0o100_644)
    }

    /// A ZIP file of members packed with deflate; names are written as they are.
    fn zip_of(files: &[(&str, &[u8])], mode: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut archive = rawzip::ZipArchiveWriter::new(&mut bytes);
        for (name, content) in files {
            let name = rawzip::path::EntryPath::verbatim(name.as_bytes());
            let builder = archive.new_file(name).unix_permissions(mode);
            let builder = builder.compression_method(CompressionMethod::DEFLATE);
            let (mut entry, config) = builder.start().unwrap();
            let encoder = flate2::write::DeflateEncoder::new(&mut entry, Compression::fast());
            let mut writer = config.wrap(encoder);
            writer.write_all(content).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        bytes
    }

    fn limits() -> Limits {
        Limits {
            members: 10,
            name_bytes: 200,
            total_bytes: 100_000,
        }
    }

    /// Names and contents of the members, whatever kind of archive it is.
    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, ArchiveError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, bytes).unwrap();
        let mut members = Vec::new();
        read_archive(&path, &limits(), |member| {
            let mut content = Vec::new();
            let read = member.content.read_to_end(&mut content);
            read.map_err(|source| ArchiveError::Read {
                archive: "a".to_owned(),
                source,
            })?;
            members.push((member.path.to_string_lossy().into_owned(), content));
            Ok::<_, ArchiveError>(())
        })?;
        Ok(members)
    }

    #[test]
    fn every_kind_gives_the_same_members() {
        let plain = tar(&[
            entry("cat/", EntryType::Directory, b""),
            entry("./cat/1.png", EntryType::Regular, b"one"),
            entry("__MACOSX/cat/._1.png", EntryType::Regular, b"x"),
            entry("cat/.DS_Store", EntryType::Regular, b"x"),
        ]);
        let zipped = zip(&[
            ("cat\\1.png", b"one"),
            ("__MACOSX/cat/._1.png", b"x"),
            ("cat/.DS_Store", b"x"),
        ]);
        for bytes in [gzip(&plain), plain, zipped] {
            let expected = vec![("cat/1.png".to_owned(), b"one".to_vec())];
            assert_eq!(read(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn long_names_are_read_and_bounded() {
        let name = format!("cat/{}.png", "n".repeat(150));
        let gnu = entry("././@LongLink", EntryType::GNULongName, name.as_bytes());
        let record = format!("{} path={name}\n", name.len() + 10);
        let pax = entry("pax", EntryType::XHeader, record.as_bytes());
        for extension in [gnu, pax] {
            let file = entry("short", EntryType::Regular, b"1");
            let members = read(&tar(&[extension, file])).unwrap();
            assert_eq!(members, [(name.clone(), b"1".to_vec())]);
        }
        let too_long = "n".repeat(5000);
        let record = format!("{} path={too_long}\n", too_long.len() + 11);
        for extension in [
            entry("l", EntryType::GNULongName, too_long.as_bytes()),
            entry("l", EntryType::XHeader, record.as_bytes()),
            entry("l", EntryType::GNULongName, "n".repeat(201).as_bytes()),
        ] {
            let file = entry("short", EntryType::Regular, b"1");
            let error = read(&gzip(&tar(&[extension, file]))).unwrap_err();
            assert!(matches!(error, ArchiveError::Name { .. }), "{error}");
        }
        let long = "n".repeat(201);
        let error = read(&zip(&[(&long, b"1")])).unwrap_err();
        assert!(matches!(error, ArchiveError::Name { .. }), "{error}");
    }

    #[test]
    fn members_outside_of_the_folder_and_links_are_refused() {
        for name in [
            "../a.png",
            "/etc/a.png",
            "cat/../../a.png",
            "..\\a.png",
            "C:\\a.png",
        ] {
            let tarred = tar(&[entry(name, EntryType::Regular, b"1")]);
            for bytes in [tarred, zip(&[(name, b"1")])] {
                let error = read(&bytes).unwrap_err();
                assert!(
                    matches!(error, ArchiveError::Traversal { .. }),
                    "{name}: {error}"
                );
            }
        }
        for (kind, word) in [
            (EntryType::Symlink, "link"),
            (EntryType::Link, "link"),
            (EntryType::Fifo, "device"),
            (EntryType::Char, "device"),
            (EntryType::GNUSparse, "unsupported"),
        ] {
            let error = read(&tar(&[entry("a.png", kind, b"")])).unwrap_err();
            assert!(error.to_string().contains(word), "{error}");
        }
        let error = read(&zip_of(&[("a.png", b"/etc/passwd")], 0o120_777)).unwrap_err();
        assert!(error.to_string().contains("is a link"), "{error}");
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let zeros = vec![0; 100_001];
        let tarred = gzip(&tar(&[entry("a", EntryType::Regular, &zeros)]));
        assert!(tarred.len() < 2000);
        let half = &zeros[..60_000];
        let name = gzip(&tar(&[entry("a", EntryType::GNULongName, &zeros)]));
        for bytes in [
            tarred,
            zip(&[("a", &zeros)]),
            zip(&[("a", half), ("b", half)]),
            gzip(&tar(&[
                entry("a", EntryType::Regular, half),
                entry("b", EntryType::Regular, half),
            ])),
        ] {
            let error = read(&bytes).unwrap_err();
            assert!(matches!(error, ArchiveError::Total { .. }), "{error}");
        }
        assert!(matches!(read(&name), Err(ArchiveError::Name { .. })));
        // Hidden members count too: they are unpacked to be passed over.
        let hidden = gzip(&tar(&[
            entry(".a", EntryType::Regular, &zeros),
            entry("b", EntryType::Regular, b"1"),
        ]));
        assert!(matches!(read(&hidden), Err(ArchiveError::Total { .. })));
    }

    #[test]
    fn too_many_members_are_refused() {
        let names: Vec<String> = (0..11).map(|n| format!("{n}.png")).collect();
        let entries: Vec<_> = names
            .iter()
            .map(|name| entry(name, EntryType::Regular, b""))
            .collect();
        let files: Vec<(&str, &[u8])> =
            names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        let zipped = zip(&files);
        for bytes in [tar(&entries), zipped] {
            let error = read(&bytes).unwrap_err();
            assert!(
                matches!(error, ArchiveError::Members { limit: 10, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn damaged_archives_and_other_files_are_named() {
        let tarred = gzip(&tar(&[entry("a", EntryType::Regular, &[7; 4000])]));
        let zipped = zip(&[("a", b"some text, and more of it")]);
        for bytes in [
            &tarred[..tarred.len() / 2],
            &zipped[..zipped.len() / 2],
            b"no archive",
            b"",
            &gzip(b"one file"),
        ] {
            let error = read(bytes).unwrap_err();
            assert!(error.to_string().contains("/a`"), "{error}");
        }
    }

    #[test]
    fn the_kind_is_read_from_the_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("photos.jpg");
        for (bytes, kind) in [
            (zip(&[("a", b"1")]), Some(ArchiveKind::Zip)),
            (
                tar(&[entry("a", EntryType::Regular, b"1")]),
                Some(ArchiveKind::Tar),
            ),
            (gzip(b"label,text\n"), None),
            (vec![0; 600], None),
            (b"label,text\n".to_vec(), None),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(detect(&path).unwrap(), kind);
        }
    }
}
