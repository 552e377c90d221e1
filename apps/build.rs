//! Lets the binary find LibTorch without an environment variable.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let (true, Ok(lib)) = (
        cfg!(unix),
        std::env::var("DEP_TINDERBOX_BACKEND_LIBTORCH_LIB"),
    ) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
