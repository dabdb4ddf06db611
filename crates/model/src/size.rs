//! Sizes in bytes as text.

/// Bytes in Prometheus's form: whole numbers of each unit, the largest first, for example `1GiB512MiB`.
pub fn format_size(bytes: u64) -> String {
    let units = ["EiB", "PiB", "TiB", "GiB", "MiB", "KiB", "B"];
    let parts = units.iter().enumerate().map(|(at, unit)| {
        let shift = 10 * (units.len() - 1 - at);
        (bytes >> shift & if at == 0 { u64::MAX } else { 0x3ff }, unit)
    });
    let text: String = parts.filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if text.is_empty() { "0B".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_as_prometheus_does() {
        let check = |bytes: u64, want: &str| assert_eq!(format_size(bytes), want);
        check(0, "0B");
        check(512 << 20, "512MiB");
        check(3 << 29, "1GiB512MiB");
        check(1025, "1KiB1B");
        check(u64::MAX, "15EiB1023PiB1023TiB1023GiB1023MiB1023KiB1023B");
    }
}
