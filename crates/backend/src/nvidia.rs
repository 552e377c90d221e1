//! What the NVIDIA driver knows of a GPU.

use nvml_wrapper::Nvml;

/// Name, memory and driver of the GPU with this index, as far as the driver tells.
pub(crate) fn describe(index: usize) -> String {
    let found = Nvml::init().and_then(|driver| {
        let gpu = driver.device_by_index(u32::try_from(index).unwrap_or(u32::MAX))?;
        let memory = gpu.memory_info()?.total as f64 / f64::from(1 << 30);
        let version = driver.sys_driver_version()?;
        Ok(format!(
            "{}, {memory:.0} GiB, driver {version}",
            gpu.name()?
        ))
    });
    found.unwrap_or_else(|error| format!("a GPU that the driver tells nothing of ({error})"))
}
