//! Every device of this build, with every feature that is on: `cargo test -p tinderbox-backend
//! --features libtorch,ndarray,wgpu --test parity`.

use tinderbox_backend::{compiled, devices, open};
use tinderbox_parity::{parity, transfer};

#[test]
fn every_device_computes_what_pytorch_does_in_float64() {
    let mut opened = Vec::new();
    for status in devices() {
        let name = status.info.device;
        let compiled = compiled().iter().any(|info| info.device == name);
        assert_eq!(compiled, !status.found.is_empty(), "{status}");
        for found in status.found {
            opened.push((found.spec, open(found.spec).unwrap().device));
        }
    }
    assert!(!opened.is_empty());
    for (spec, device) in &opened {
        for check in parity(device) {
            assert!(check.passed(), "{spec}: {check:?}");
        }
    }
    for (index, (from, device)) in opened.iter().enumerate() {
        let (to, other) = &opened[(index + 1) % opened.len()];
        let check = transfer(device, other);
        assert!(check.passed(), "{from} to {to}: {check:?}");
    }
}
