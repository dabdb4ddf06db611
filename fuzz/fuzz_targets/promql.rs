#![no_main]
//! An expression is read or refused, and what is printed of it reads back as the same; a test script is read or refused.

use promql::{ParseOptions, parse_with};

libfuzzer_sys::fuzz_target!(|input: &str| {
    let options = ParseOptions::everything();
    if let Ok(expr) = parse_with(input, options) {
        for printed in [expr.to_string(), expr.pretty().to_string()] {
            assert_eq!(parse_with(&printed, options).as_ref(), Ok(&expr), "{printed}");
        }
    }
    let _ = promql::testlang::parse_script(input);
});
