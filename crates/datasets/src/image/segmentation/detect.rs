//! Whether a data set is one of photos with masks, as far as names of files and annotations tell.

use std::collections::HashSet;
use std::path::Path;

use super::coco::Coco;
use super::layout::{Role, last, place, without_suffix};
use super::open::annotations;
use crate::image::folder::Listing;
use crate::image::{ImageFile, is_archive, read_file};

/// How a data set of photos with masks stores them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskLayout {
    /// A mask file for each photo.
    Files,
    /// Outlines in annotations of COCO.
    Coco,
}

impl MaskLayout {
    /// The layout of a folder or an archive; none if it does not have masks, or could as well be images with
    /// a class. Only names and annotations are read.
    ///
    /// Masks must belong to photos by their names: most of those in a folder of masks that is next to one
    /// of photos, or those of most photos. The photos of annotations must lie in one folder, or in one for
    /// each split, since several folders may be classes.
    pub fn of(path: &Path) -> Option<Self> {
        let listing = if path.is_dir() {
            Listing::of_folder(path)
        } else if path.is_file() && is_archive(path) {
            Listing::of_archive(path)
        } else {
            return None;
        };
        let listing = listing.ok()?;
        if has_mask_files(&listing.files) {
            Some(Self::Files)
        } else if path.is_dir() && has_outlines(path, &listing.files) {
            Some(Self::Coco)
        } else {
            None
        }
    }
}

fn has_mask_files(files: &[ImageFile]) -> bool {
    let places = files.iter().map(place);
    let (masks, mut photos): (Vec<_>, Vec<_>) =
        places.partition(|place| place.role == Some(Role::Mask));
    let has_folder = photos.iter().any(|place| place.role.is_some());
    photos.retain(|place| place.role.is_some() || !has_folder);
    let ids: HashSet<&str> = photos.iter().map(|place| place.id.as_str()).collect();
    let names: HashSet<&str> = ids.iter().map(|id| last(id)).collect();
    // A mask next to its photo is in the same folder: `with_mask/1_mask.jpg` is not of `without_mask/1.jpg`.
    let belongs = |id: &str| match without_suffix(id) {
        Some(stem) if stem.contains('/') && !has_folder => ids.contains(stem),
        stem => names.contains(last(stem.unwrap_or(id))),
    };
    let paired = masks.iter().filter(|mask| belongs(&mask.id)).count();
    2 * paired
        > if has_folder {
            masks.len()
        } else {
            photos.len()
        }
}

fn has_outlines(path: &Path, files: &[ImageFile]) -> bool {
    let mut folders = HashSet::new();
    let mut outlines = 0;
    for json in annotations(path).unwrap_or_default() {
        let coco = read_file(&json).map(|bytes| Coco::read(&bytes, &json, None));
        let Ok(Ok(coco)) = coco else {
            continue;
        };
        outlines += coco.objects.values().filter(|one| one.has_any()).count();
        let names: HashSet<&str> = coco.objects.keys().map(|name| last(name)).collect();
        let named = files.iter().filter(|file| names.contains(last(file.key())));
        folders.extend(named.map(|file| {
            let id = place(file).id;
            id.rsplit_once('/')
                .map_or(String::new(), |(folder, _)| folder.to_owned())
        }));
    }
    outlines > 0 && folders.len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(files: &[&str]) -> Option<MaskLayout> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        MaskLayout::of(dir.path())
    }

    #[test]
    fn folders_of_photos_and_masks_are_told_from_classes() {
        let files = Some(MaskLayout::Files);
        assert_eq!(layout(&["images/1.jpg", "masks/1.png"]), files);
        assert_eq!(layout(&["images/1.jpg", "masks/1_mask.png"]), files);
        assert_eq!(layout(&["train/image/1.png", "train/label/1.png"]), files);
        assert_eq!(layout(&["images/val/1.jpg", "masks/val/1.png"]), files);
        assert_eq!(
            layout(&["frames/1.jpg", "frames/2.jpg", "masks/1.png", "masks/2.png"]),
            files
        );
        assert_eq!(layout(&["1.jpg", "1_mask.png"]), files);
        // A photo without a mask is for the reader to refuse.
        assert_eq!(
            layout(&["images/1.jpg", "images/2.jpg", "masks/1.png"]),
            files
        );

        assert_eq!(layout(&["cat/1.jpg", "dog/1.jpg"]), None);
        assert_eq!(layout(&["images/cat/1.jpg", "images/dog/1.jpg"]), None);
        assert_eq!(
            layout(&["without_mask/1.jpg", "with_mask/1_mask.jpg"]),
            None
        );
        assert_eq!(layout(&["photo/1.jpg", "mask/7.jpg"]), None);
        assert_eq!(layout(&["1.jpg", "2.jpg", "3.jpg", "1_mask.png"]), None);
        assert_eq!(layout(&["masks/1.png"]), None);
        assert_eq!(layout(&[]), None);
        assert_eq!(MaskLayout::of(Path::new("nowhere")), None);
    }

    #[test]
    fn annotations_need_outlines_and_one_folder() {
        let layout = |outline: &str, folders: [&str; 2]| {
            let dir = tempfile::tempdir().unwrap();
            for (folder, name) in folders.iter().zip(["1.jpg", "2.jpg"]) {
                std::fs::create_dir_all(dir.path().join(folder)).unwrap();
                std::fs::write(dir.path().join(folder).join(name), "").unwrap();
            }
            let image =
                |id: u8| format!(r#"{{"id":{id},"file_name":"{id}.jpg","height":4,"width":4}}"#);
            let json = format!(
                r#"{{"images":[{},{}],"categories":[{{"id":1,"name":"cat"}}],
                "annotations":[{{"image_id":1,"category_id":1{outline}}}]}}"#,
                image(1),
                image(2)
            );
            std::fs::create_dir(dir.path().join("annotations")).unwrap();
            std::fs::write(dir.path().join("annotations/instances.json"), json).unwrap();
            MaskLayout::of(dir.path())
        };
        let outline = r#","segmentation":[[0,0,3,0,3,3]]"#;
        assert_eq!(
            layout(outline, ["images", "images"]),
            Some(MaskLayout::Coco)
        );
        assert_eq!(
            layout(outline, ["train2017", "val2017"]),
            Some(MaskLayout::Coco)
        );
        assert_eq!(layout(outline, ["cat", "dog"]), None);
        assert_eq!(layout("", ["images", "images"]), None);
    }
}
