//! Whether a data set is one of photos with masks, as far as names of files and annotations tell.

use std::collections::HashSet;
use std::path::Path;

use super::coco::Coco;
use super::layout::{Place, Role, last, place, without_suffix};
use super::open::annotations;
use crate::detection::label_format;
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

/// What [`MaskLayout::search`] finds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MaskSearch {
    /// The layout of the photos with masks that the data consists of.
    pub layout: Option<MaskLayout>,
    /// A line about photos with masks that are there, if most images are outside of their folders, with a class
    /// or boxes.
    pub passed_over: Option<String>,
}

impl MaskLayout {
    /// The layout of a folder or an archive; none if it does not have masks, or could as well be images with
    /// a class. Only names and annotations are read.
    ///
    /// Masks must belong to photos by their names: most of those in a folder of masks that is next to one
    /// of photos, or those of most photos. The photos of annotations must lie in one folder, or in one for
    /// each split, since several folders may be classes. If most images are outside of the folders of photos
    /// and masks, and in class folders or with boxes, these count.
    pub fn of(path: &Path) -> Option<Self> {
        Self::search(path).layout
    }

    /// The layout [of](Self::of) a folder or an archive, and masks that are there but do not count.
    pub fn search(path: &Path) -> MaskSearch {
        let Some(listing) = Self::listing(path) else {
            return MaskSearch::default();
        };
        let (layout, passed_over) = if has_mask_files(&listing.files) {
            let passed_over = passed_over(path, &listing.files);
            (passed_over.is_none().then_some(Self::Files), passed_over)
        } else {
            let has_outlines = path.is_dir() && has_outlines(path, &listing.files);
            (has_outlines.then_some(Self::Coco), None)
        };
        MaskSearch {
            layout,
            passed_over,
        }
    }

    fn listing(path: &Path) -> Option<Listing> {
        let listing = if path.is_dir() {
            Listing::of_folder(path)
        } else if path.is_file() && is_archive(path) {
            Listing::of_archive(path)
        } else {
            return None;
        };
        listing.ok()
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

/// A line about photos in a folder next to their masks, if most images are elsewhere, with a class or boxes.
fn passed_over(path: &Path, files: &[ImageFile]) -> Option<String> {
    let places: Vec<Place> = files.iter().map(place).collect();
    let outside = places.iter().filter(|place| place.role.is_none()).count();
    let is_photo = |place: &Place| place.role == Some(Role::Photo);
    let first = places.iter().position(is_photo)?;
    if 2 * outside <= places.len() {
        return None;
    }
    let others = if has_classes(&places) {
        "in class folders"
    } else if label_format(path).is_some() {
        "outside of their folders, and there are labels of boxes"
    } else {
        return None;
    };
    let count = places.iter().filter(|place| is_photo(place)).count();
    let photos = match count {
        1 => "1 photo with a mask".to_owned(),
        count => format!("{count} photos with masks"),
    };
    Some(format!(
        "`{}` also has {photos} (`{}`), but most images are {others}: these are used; `train --recipe cutout` takes \
         the photos with masks",
        path.display(),
        files[first].key()
    ))
}

/// Whether the images outside of the folders of photos and masks are in several folders, which may be classes: next
/// to a folder around those of photos and masks, or in splits if these are in none.
fn has_classes(places: &[Place]) -> bool {
    let mut ids: Vec<&str> = places.iter().map(|place| place.id.as_str()).collect();
    // Folders around all of the data do not count.
    while let Some((first, _)) = ids.first().copied().and_then(|id| id.split_once('/')) {
        let rest = ids.iter().copied().map(|id| {
            let (top, rest) = id.split_once('/')?;
            (top == first).then_some(rest)
        });
        let Some(rest) = rest.collect::<Option<Vec<&str>>>() else {
            break;
        };
        ids = rest;
    }
    let top = |id: &str| id.split_once('/').map(|(top, _)| top.to_owned());
    let (mut pairs, mut others) = (HashSet::new(), HashSet::new());
    for (id, place) in ids.into_iter().zip(places) {
        let tops = if place.role.is_some() {
            &mut pairs
        } else {
            &mut others
        };
        tops.insert(top(id));
    }
    let is_apart = !pairs.contains(&None) && pairs.is_disjoint(&others);
    let only_others_have_splits = places
        .iter()
        .all(|place| place.split.is_some() == place.role.is_none());
    others.iter().flatten().count() > 1 && (is_apart || only_others_have_splits)
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
    fn class_folders_with_most_images_count_more_than_a_few_masks() {
        let search = |files: &[&str]| {
            let dir = tempfile::tempdir().unwrap();
            for file in files {
                let path = dir.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let is_label = path.extension().is_some_and(|extension| extension == "txt");
                std::fs::write(path, if is_label { "0 0.5 0.5 1 1" } else { "" }).unwrap();
            }
            MaskLayout::search(dir.path())
        };
        let pair = ["region/images/1.jpg", "region/masks/1.jpg"];
        let classes = ["train/a/2.jpg", "train/b/3.jpg", "test/a/4.jpg"];
        let found = search(&[&pair[..], &classes].concat());
        assert_eq!(found.layout, None);
        let line = found.passed_over.unwrap();
        assert!(
            line.contains("1 photo with a mask (`region/images/1.jpg`)")
                && line.contains("in class folders"),
            "{line}"
        );
        // Also within another folder, without splits, and with boxes.
        let wrapped = [&pair[..], &classes].concat();
        let wrapped: Vec<String> = wrapped.iter().map(|file| format!("set/{file}")).collect();
        let wrapped: Vec<&str> = wrapped.iter().map(String::as_str).collect();
        assert_eq!(search(&wrapped).layout, None);
        let flat = ["a/2.jpg", "b/3.jpg", "b/4.jpg"];
        assert_eq!(search(&[&pair[..], &flat].concat()).layout, None);
        let boxes = ["2.jpg", "3.jpg", "4.jpg", "2.txt"];
        let found = search(&[&pair[..], &boxes].concat());
        assert_eq!(found.layout, None);
        assert!(found.passed_over.unwrap().contains("labels of boxes"));
        // Folders of other images next to those of photos and masks are no classes.
        let files = Some(MaskLayout::Files);
        let other = ["more/a/2.jpg", "more/b/3.jpg", "more/c/4.jpg"];
        assert_eq!(search(&[&pair[..], &other].concat()).layout, files);
        let pair = ["images/1.jpg", "masks/1.png"];
        let other = ["drawn/2.jpg", "drawn/3.jpg", "results/4.jpg"];
        assert_eq!(search(&[&pair[..], &other].concat()).layout, files);
        let found = search(&[&pair[..], &classes].concat());
        assert_eq!(found.layout, None);
        let few = search(&[&pair[..], &classes[..2]].concat());
        assert_eq!((few.layout, few.passed_over), (files, None));
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
