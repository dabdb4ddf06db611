//! Sizes in bytes as configuration values.

/// Units with their bytes; the ones without `i` count in 1024 as well, as Prometheus has it.
const UNITS: [(&str, u64); 14] = [
    ("B", 1),
    ("KB", 1 << 10),
    ("KiB", 1 << 10),
    ("MB", 1 << 20),
    ("MiB", 1 << 20),
    ("GB", 1 << 30),
    ("GiB", 1 << 30),
    ("TB", 1 << 40),
    ("TiB", 1 << 40),
    ("PB", 1 << 50),
    ("PiB", 1 << 50),
    ("EB", 1 << 60),
    ("EiB", 1 << 60),
    ("", 0), // a bare 0 is a size, any other bare number is not
];

/// Reads `512KB`, `1.5MiB` or `0`; units count in 1024.
///
/// # Errors
/// It is none; the text says what it should be.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let invalid = || format!("not a valid size: {text:?} (want a number with a unit, as 512KB or 10MB)");
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number: f64 = text[..digits].parse().map_err(|_| invalid())?;
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == &text[digits..]).ok_or_else(invalid)?;
    let bytes = number * *unit as f64;
    match (*unit == 0 && number != 0.0, bytes < u64::MAX as f64) {
        (false, true) => Ok(bytes as u64),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        let check = |text: &str, want: Option<u64>| assert_eq!(parse_size(text).ok(), want, "{text}");
        check("0", Some(0));
        check("512B", Some(512));
        check("1KB", Some(1024));
        check("1.5MiB", Some(1_572_864));
        check("2GB", Some(2 << 30));
        for bad in ["", "5", "KB", "1kb", "-1KB", "1.2.3KB", "1 KB", "99EB"] {
            check(bad, None);
        }
    }
}
