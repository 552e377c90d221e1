//! Burn's [`Dataset`] for the sets that are held in memory.

use burn::data::dataset::{Dataset, DatasetError};

use crate::image::{ImageSet, LabeledImage};
use crate::text::{
    LabeledPair, LabeledText, MultiLabelSet, MultiLabelText, PairSet, TaggedSentence, TaggedSet,
    TextSet,
};

impl Dataset<LabeledImage> for ImageSet {
    fn get(&self, index: usize) -> Result<LabeledImage, DatasetError> {
        Ok(LabeledImage {
            image: self.image(index),
            target: self.labels()[index],
        })
    }

    fn len(&self) -> usize {
        self.labels().len()
    }
}

impl Dataset<LabeledText> for TextSet {
    fn get(&self, index: usize) -> Result<LabeledText, DatasetError> {
        Ok(LabeledText {
            text: self.texts()[index].clone(),
            label: self.labels()[index],
        })
    }

    fn len(&self) -> usize {
        self.texts().len()
    }
}

impl Dataset<LabeledPair> for PairSet {
    fn get(&self, index: usize) -> Result<LabeledPair, DatasetError> {
        Ok(self.pairs()[index].clone())
    }

    fn len(&self) -> usize {
        self.pairs().len()
    }
}

impl Dataset<MultiLabelText> for MultiLabelSet {
    fn get(&self, index: usize) -> Result<MultiLabelText, DatasetError> {
        Ok(self.items()[index].clone())
    }

    fn len(&self) -> usize {
        self.items().len()
    }
}

impl Dataset<TaggedSentence> for TaggedSet {
    fn get(&self, index: usize) -> Result<TaggedSentence, DatasetError> {
        Ok(self.sentences()[index].clone())
    }

    fn len(&self) -> usize {
        self.sentences().len()
    }
}
