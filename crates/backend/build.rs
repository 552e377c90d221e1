//! Passes on where LibTorch is, so that binaries find it without an environment variable.
//!
//! An app prints the same argument for its own binary from `DEP_TINDERBOX_BACKEND_LIBTORCH_LIB`;
//! Cargo lets no library do that for it.

use std::path::Path;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") else {
        return;
    };
    println!("cargo::metadata=libtorch_lib={lib}");
    if cfg!(unix) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
    if let Some(version) = version(Path::new(&lib)) {
        println!("cargo::rustc-env=TINDERBOX_LIBTORCH={version}");
    }
}

/// As the archive of LibTorch has it, or as the Python package does.
fn version(lib: &Path) -> Option<String> {
    let root = lib.parent()?;
    if let Ok(text) = fs::read_to_string(root.join("build-version")) {
        return Some(text.trim().to_owned());
    }
    let text = fs::read_to_string(root.join("version.py")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("__version__ = "))?;
    Some(line.trim_matches('\'').to_owned())
}
