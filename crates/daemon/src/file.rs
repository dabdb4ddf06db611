//! Reading configuration files.

use std::fs;
use std::path::Path;

use config::{Error, Errors};

/// The largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The text of a configuration file.
///
/// # Errors
/// The file can't be read, or is larger than any configuration.
pub fn read_config(file: &Path) -> Result<String, Errors> {
    let error = |message: String| Errors::from(Error { file: file.to_owned(), line: 0, column: 0, message });
    let bytes = fs::metadata(file).map_err(|e| error(e.to_string()))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(error(format!("the file has {bytes} bytes, more than the limit of {FILE_BYTES_MAX}")));
    }
    fs::read_to_string(file).map_err(|e| error(e.to_string()))
}
