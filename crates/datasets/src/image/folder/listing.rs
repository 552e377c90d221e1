//! Which files a data set of images consists of: those of a folder, an archive or a table of paths.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::FolderError;
use super::packed::is_packed;
use crate::archive::{self, ArchiveError, Limits};
use crate::files::{IMAGE_EXTENSIONS, SkippedFiles, file_name, walk_counting};
use crate::image::{ImageError, format_name, read_file};

/// Extensions of image files that are not read.
const UNSUPPORTED: [&str; 16] = [
    "heic", "heif", "avif", "jxl", "jp2", "svg", "psd", "ico", "tga", "pcx", "dng", "cr2", "nef",
    "arw", "dcm", "exr",
];

/// Extensions of tables.
const TABLES: [&str; 2] = ["csv", "tsv"];

/// Most bytes of an archive's images that are held in memory, 2 GiB.
const MAX_IN_MEMORY: u64 = 2 << 30;

/// An image file on disk or in an archive.
#[derive(Clone, Debug)]
pub struct ImageFile {
    /// Its path within the data set, with `/` between the parts.
    pub(super) key: String,
    path: PathBuf,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    /// At the path.
    OnDisk,
    /// Unpacked.
    InMemory(Arc<[u8]>),
}

impl ImageFile {
    /// A file on disk.
    pub(super) fn on_disk(key: String, path: PathBuf) -> Self {
        Self {
            key,
            path,
            content: Content::OnDisk,
        }
    }

    /// A file that is named by itself.
    pub fn of_path(path: &Path) -> Self {
        Self::on_disk(file_name(path), path.to_owned())
    }

    /// Its path within the data set, with `/` between the parts.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Its path on disk, or its name with that of its archive.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its content.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>, ImageError> {
        match &self.content {
            Content::OnDisk => read_file(&self.path).map(Cow::Owned),
            Content::InMemory(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// Bytes of it that are in memory.
    pub(super) fn held_bytes(&self) -> u64 {
        match &self.content {
            Content::OnDisk => 0,
            Content::InMemory(bytes) => bytes.len() as u64,
        }
    }

    /// The first bytes of its content.
    fn start(&self) -> Result<Vec<u8>, ImageError> {
        let length = 64;
        match &self.content {
            Content::OnDisk => {
                let read = |source| ImageError::Read {
                    path: self.path.clone(),
                    source,
                };
                let mut start = Vec::new();
                let file = std::fs::File::open(&self.path).map_err(read)?;
                file.take(length).read_to_end(&mut start).map_err(read)?;
                Ok(start)
            }
            Content::InMemory(bytes) => Ok(bytes[..bytes.len().min(length as usize)].to_vec()),
        }
    }
}

/// The files of a data set and the skipped ones.
#[derive(Clone, Debug, Default)]
pub(in crate::image) struct Listing {
    pub(in crate::image) files: Vec<ImageFile>,
    /// Files that may be tables of paths and labels.
    pub(super) tables: Vec<ImageFile>,
    /// Archives in the folder whose files are among these.
    pub(super) archives: Vec<String>,
    pub(in crate::image) skipped_files: SkippedFiles,
}

impl Listing {
    /// The images in a folder and its sub-folders; those of its archives if there are no others.
    pub(in crate::image) fn of_folder(dir: &Path) -> Result<Self, FolderError> {
        let (mut listing, mut packed) = (Self::default(), Vec::new());
        for path in walk_counting(dir, &mut listing.skipped_files)? {
            let key = key_of(path.strip_prefix(dir).unwrap_or(&path));
            let file = ImageFile::on_disk(key, path);
            if is_packed(&file.key) {
                packed.push(file);
            } else {
                listing.add(file)?;
            }
        }
        listing.add_packed(packed)
    }

    /// The images in an archive.
    pub(in crate::image) fn of_archive(path: &Path) -> Result<Self, FolderError> {
        Self::of_archive_after(path, 0)
    }

    /// The images in an archive after others, of which `held` bytes are in memory.
    pub(super) fn of_archive_after(path: &Path, held: u64) -> Result<Self, FolderError> {
        let limits = Limits {
            total_bytes: MAX_IN_MEMORY.saturating_sub(held),
            ..Limits::default()
        };
        let mut listing = Self::default();
        archive::read_archive(path, &limits, |member| {
            let name = PathBuf::from(format!("{}:{}", path.display(), member.path.display()));
            let mut bytes = Vec::new();
            member
                .content
                .read_to_end(&mut bytes)
                .map_err(|error| ArchiveError::Member {
                    archive: path.display().to_string(),
                    member: member.path.display().to_string(),
                    reason: error.to_string(),
                })?;
            listing.add(ImageFile {
                key: key_of(&member.path),
                path: name,
                content: Content::InMemory(bytes.into()),
            })
        })?;
        listing
            .files
            .sort_by(|a, b| Path::new(&a.key).cmp(Path::new(&b.key)));
        Ok(listing)
    }

    /// Keeps an image, a file that claims to be one, and a table; counts any other.
    pub(super) fn add(&mut self, file: ImageFile) -> Result<(), FolderError> {
        match reason(&file)? {
            None => self.files.push(file),
            Some(_) if is_table(&file.key) => self.tables.push(file),
            Some(reason) => self.skipped_files.add(reason),
        }
        Ok(())
    }

    /// Counts the tables as files that are not used.
    pub(in crate::image) fn skip_tables(mut self) -> Result<Self, FolderError> {
        for table in std::mem::take(&mut self.tables) {
            if let Some(reason) = reason(&table)? {
                self.skipped_files.add(reason);
            }
        }
        Ok(self)
    }

    /// Goes into folders that only wrap the data set, as archives have them: the one folder that holds
    /// all images, unless it holds them directly or is one of `classes`.
    pub(super) fn unwrap(mut self, classes: Option<&[String]>) -> Self {
        loop {
            let mut tops = self.files.iter().map(|file| file.key.split_once('/'));
            let Some(Some((first, _))) = tops.next() else {
                return self;
            };
            let first = first.to_owned();
            let nested = |rest: &str| rest.contains('/');
            let is_class = classes.is_some_and(|classes| classes.contains(&first));
            let wraps = self.files.iter().all(|file| {
                let part = file.key.split_once('/');
                part.is_some_and(|(top, rest)| top == first && nested(rest))
            });
            if !wraps || is_class {
                return self;
            }
            for file in &mut self.files {
                file.key.drain(..=first.len());
            }
        }
    }

    /// The folders at the top, in the order of their names.
    pub(super) fn top_folders(&self) -> Vec<PathBuf> {
        let tops = self
            .files
            .iter()
            .filter_map(|file| file.key.split_once('/'));
        let mut folders: Vec<PathBuf> = tops.map(|(top, _)| PathBuf::from(top)).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }

    /// Takes out the files of a folder at the top, with their paths in it.
    pub(super) fn take(&mut self, folder: &Path) -> Vec<ImageFile> {
        let prefix = format!("{}/", file_name(folder));
        let (taken, kept) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|file| file.key.starts_with(&prefix));
        self.files = kept;
        taken
    }
}

/// Whether a file of this name is a table of cells.
fn is_table(key: &str) -> bool {
    let extension = Path::new(key).extension();
    extension.is_some_and(|end| TABLES.iter().any(|table| end.eq_ignore_ascii_case(table)))
}

/// Whether the name is that of an image, also in a format that is not read.
pub fn has_image_extension(path: &Path) -> bool {
    let is_known = |end: &str| IMAGE_EXTENSIONS.contains(&end) || UNSUPPORTED.contains(&end);
    path.extension()
        .is_some_and(|end| is_known(&end.to_string_lossy().to_lowercase()))
}

/// Why a file is not used; none for an image.
pub(super) fn reason(file: &ImageFile) -> Result<Option<String>, FolderError> {
    let extension = Path::new(&file.key).extension();
    let extension = extension.map(|end| end.to_string_lossy().to_lowercase());
    let Some(extension) = extension else {
        let is_image = format_name(&file.start()?).is_some();
        return Ok((!is_image).then(|| "not an image (no extension)".to_owned()));
    };
    // The content decides; the extension only says whether a file that is no image was meant to be one.
    // It comes first, as it costs nothing and the files of most data sets have that of an image.
    if IMAGE_EXTENSIONS.contains(&extension.as_str()) || format_name(&file.start()?).is_some() {
        return Ok(None);
    }
    Ok(Some(if UNSUPPORTED.contains(&extension.as_str()) {
        format!("in an unsupported image format (.{extension})")
    } else {
        format!("not an image (.{extension})")
    }))
}

/// A relative path with `/` between its parts on every system.
fn key_of(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
