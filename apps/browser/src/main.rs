//! Builds the page with trained models and serves it.

#[cfg(not(target_family = "wasm"))]
mod bundle;
#[cfg(not(target_family = "wasm"))]
mod program;
#[cfg(not(target_family = "wasm"))]
mod serve;

#[cfg(not(target_family = "wasm"))]
fn main() -> std::process::ExitCode {
    program::main()
}

/// The page has the library, and no program.
#[cfg(target_family = "wasm")]
fn main() {}
