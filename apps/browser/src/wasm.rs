//! The functions that the page calls.

use std::sync::Once;

use tinderbox_datasets::image::Mask;
use tinderbox_predict::PredictError;
use tinderbox_predict::error_chain;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{Answer, Session, model_files};

#[wasm_bindgen]
extern "C" {
    /// The worker keeps the message: the panic itself reaches it as a trap without words.
    #[wasm_bindgen(js_name = reportPanic)]
    fn report_panic(message: &str);
}

static PANIC_HOOK: Once = Once::new();

/// A page with the model that is open in it.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Page {
    dropped: Vec<(String, Vec<u8>)>,
    session: Option<Session>,
    mask: Option<Mask>,
}

#[wasm_bindgen]
impl Page {
    /// A page without a model.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        PANIC_HOOK.call_once(|| {
            std::panic::set_hook(Box::new(|panic| report_panic(&panic.to_string())));
        });
        Self::default()
    }

    /// Adds a file of the next model, or a ZIP file.
    pub fn add(&mut self, path: String, content: Vec<u8>) {
        self.dropped.push((path, content));
    }

    /// Opens the model in the files that were added, and returns its description as JSON.
    ///
    /// # Errors
    ///
    /// A sentence for the user; the model before stays open.
    pub fn open(&mut self) -> Result<String, String> {
        let dropped = std::mem::take(&mut self.dropped);
        let files = model_files(dropped).map_err(|error| error_chain(&error))?;
        let session = Session::open(&files).map_err(|error| error_chain(&error))?;
        let description = serde_json::to_string(&session.description());
        self.session = Some(session);
        description.map_err(|error| error_chain(&error))
    }

    /// Predicts the content of a file and returns the lines of `predict --json` as a JSON array.
    ///
    /// # Errors
    ///
    /// A sentence for the user.
    pub fn predict(&mut self, name: &str, content: &[u8]) -> Result<String, String> {
        self.answer(|session| session.predict(name, content))
    }

    /// The same for a row, a JSON object of texts by column.
    ///
    /// # Errors
    ///
    /// A sentence for the user.
    #[wasm_bindgen(js_name = predictRow)]
    pub fn predict_row(&mut self, row: &str) -> Result<String, String> {
        let row = serde_json::from_str(row).map_err(|error| error_chain(&error))?;
        self.answer(|session| session.predict_row(&row))
    }

    /// The class of each pixel of the last image, row by row, from a segmentation model.
    pub fn mask(&mut self) -> Option<Vec<u16>> {
        self.mask.take().map(|mask| mask.classes)
    }
}

impl Page {
    fn answer(
        &mut self,
        predict: impl FnOnce(&Session) -> Result<Answer, PredictError>,
    ) -> Result<String, String> {
        let session = self.session.as_ref().ok_or("no model is open")?;
        let answer = predict(session).map_err(|error| error_chain(&error))?;
        self.mask = answer.mask;
        serde_json::to_string(&answer.lines).map_err(|error| error_chain(&error))
    }
}
