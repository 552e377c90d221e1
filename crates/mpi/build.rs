//! Names the package that is missing before the bindings of MPI fail for want of it.

use std::path::Path;
use std::{env, fs};

/// Folders of libclang on Linux, without those of a version of LLVM.
const LIBRARIES: [&str; 5] = [
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for variable in [
        "PATH",
        "MPICC",
        "MPI_PKG_CONFIG",
        "CRAY_MPICH_DIR",
        "LIBCLANG_PATH",
        "LLVM_CONFIG_PATH",
    ] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if env::var_os("CARGO_FEATURE_MPI").is_none() || !cfg!(target_os = "linux") {
        return;
    }
    if !has_mpi() {
        println!(
            "cargo::error=the feature `mpi` needs an MPI library, and there is no `mpicc`: on Debian and \
             Ubuntu `apt install libopenmpi-dev openmpi-bin`, on a cluster load its MPI module"
        );
    }
    if !has_libclang() {
        println!(
            "cargo::error=the feature `mpi` needs libclang, which is not installed: on Debian and Ubuntu \
             `apt install libclang-dev`, elsewhere set LIBCLANG_PATH to its folder"
        );
    }
}

fn has_mpi() -> bool {
    ["MPICC", "MPI_PKG_CONFIG", "CRAY_MPICH_DIR"]
        .iter()
        .any(|variable| env::var_os(variable).is_some())
        || on_path("mpicc")
}

fn has_libclang() -> bool {
    let named = ["LIBCLANG_PATH", "LLVM_CONFIG_PATH"];
    let is_named = named.iter().any(|name| env::var_os(name).is_some());
    let versions = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let versions = versions.map(|entry| entry.path());
    let versions = versions.filter(|path| path.to_string_lossy().contains("llvm"));
    let mut folders = LIBRARIES
        .iter()
        .map(|folder| Path::new(folder).to_owned())
        .chain(versions.map(|folder| folder.join("lib")));
    is_named || on_path("llvm-config") || folders.any(|folder| has_library(&folder))
}

fn has_library(folder: &Path) -> bool {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.any(|name| name.starts_with("libclang") && name.contains(".so"))
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
