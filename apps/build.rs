//! Lets the binaries of apps and benches find LibTorch without an environment variable.

fn main() {
    println!("cargo::rerun-if-env-changed=DEP_TINDERBOX_BACKEND_LIBTORCH_LIB");
    if let (true, Ok(lib)) = (
        cfg!(unix),
        std::env::var("DEP_TINDERBOX_BACKEND_LIBTORCH_LIB"),
    ) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
