//! Lets the binaries of apps and benches find LibTorch without an environment variable, and know the commit
//! that they are built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=DEP_TINDERBOX_BACKEND_LIBTORCH_LIB");
    if let (true, Ok(lib)) = (
        cfg!(unix),
        std::env::var("DEP_TINDERBOX_BACKEND_LIBTORCH_LIB"),
    ) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
    // Without Git or a repository, nothing names the commit.
    if let (Some(commit), Some(log)) = (
        git(&["rev-parse", "HEAD"]),
        git(&["rev-parse", "--git-path", "logs/HEAD"]),
    ) {
        println!("cargo::rerun-if-changed={log}");
        println!("cargo::rustc-env=TINDERBOX_COMMIT={commit}");
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
