//! The lists of series by label, compared with the series themselves.

use std::path::Path;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::consequence::{BLOCK_UNUSABLE, POSTINGS_WRONG};
use super::content::IndexContent;
use super::report::VerifyReport;
use crate::binary::Cursor;
use crate::index::format::{Toc, section};

/// An entry of the table that tells where the lists are.
struct TableEntry<'a> {
    name: &'a str,
    value: &'a str,
    offset: u64,
    /// Where the entry stands.
    at: u64,
}

/// The entries of the table, up to the first that can't be read.
fn table<'a>(file: &'a [u8], toc: &Toc) -> Result<(Vec<TableEntry<'a>>, Option<u64>), crate::binary::Corrupt> {
    let content = section(file, toc.postings_table, true)?;
    let start = content.start;
    let mut cursor = Cursor::new(&file[content]);
    let count = cursor.be32().unwrap_or(0);
    let mut entries = Vec::new();
    for _ in 0..count {
        let at = (start + cursor.position()) as u64;
        let text = |cursor: &mut Cursor<'a>| cursor.text().and_then(|text| std::str::from_utf8(text).ok());
        let entry = (|| {
            cursor.uvarint().filter(|strings| *strings == 2)?;
            Some(TableEntry { name: text(&mut cursor)?, value: text(&mut cursor)?, offset: cursor.uvarint()?, at })
        })();
        match entry {
            Some(entry) => entries.push(entry),
            None => return Ok((entries, Some(at))),
        }
    }
    Ok((entries, None))
}

/// The list at an offset, without a look at its checksum.
fn list(file: &[u8], offset: u64, check: bool) -> Result<Vec<u32>, crate::binary::Corrupt> {
    let content = section(file, offset, check)?;
    let mut cursor = Cursor::new(&file[content]);
    let count = cursor.be32().unwrap_or(0) as usize;
    let numbers: Vec<u32> = std::iter::from_fn(|| cursor.be32()).collect();
    if numbers.len() == count && cursor.is_empty() {
        Ok(numbers)
    } else {
        let reason = format!("a list says it has {count} series, and has {}", numbers.len());
        Err(crate::binary::Corrupt { structure: "index", offset, reason })
    }
}

/// The list of all series, ascending; empty where it can't be read.
pub(super) fn read_all(file: &[u8], toc: &Toc) -> Vec<u32> {
    let entries = table(file, toc).map(|(entries, _)| entries).unwrap_or_default();
    let all = entries.iter().find(|entry| entry.name.is_empty() && entry.value.is_empty());
    let mut numbers = all.and_then(|all| list(file, all.offset, true).ok()).unwrap_or_default();
    numbers.sort_unstable();
    numbers
}

/// Checks every list: checksum, order, and that it names the series that have the label, and no others.
pub(super) fn check_postings(
    path: &Path,
    file: &[u8],
    toc: &Toc,
    symbols: &[&str],
    content: &IndexContent,
    report: &mut VerifyReport,
) {
    let (entries, broken_at) = match table(file, toc) {
        Ok(found) => found,
        Err(error) => {
            return report.add(BLOCK_UNUSABLE, path, error.offset, format!("postings offset table: {}", error.reason));
        }
    };
    if let Some(at) = broken_at {
        report.add(BLOCK_UNUSABLE, path, at, "an entry of the postings offset table can't be read");
    }
    let mut seen: HashSet<(u32, u32), FixedState> = HashSet::default();
    let mut last: Option<(&str, &str)> = None;
    for TableEntry { name, value, offset, at } in entries {
        report.counts.postings_lists += 1;
        if last.is_some_and(|last| last >= (name, value)) {
            let problem = format!("postings offset table: {name}={value:?} is not after the entry before it");
            report.add(POSTINGS_WRONG, path, at, problem);
        }
        last = Some((name, value));
        let symbol = |text: &str| symbols.binary_search(&text).ok().map(|number| number as u32);
        let label = symbol(name).zip(symbol(value));
        let wanted: &[u32] = if name.is_empty() && value.is_empty() {
            &content.series
        } else {
            label.and_then(|label| content.by_label.get(&label)).map_or(&[], Vec::as_slice)
        };
        seen.extend(label);
        match list(file, offset, true) {
            Ok(numbers) => {
                if let Some(problem) = difference(&numbers, wanted, content) {
                    report.add(POSTINGS_WRONG, path, offset, format!("series with {name}={value:?}: {problem}"));
                }
            }
            Err(error) => {
                report.add(
                    POSTINGS_WRONG,
                    path,
                    error.offset,
                    format!("series with {name}={value:?}: {}", error.reason),
                );
            }
        }
    }
    if broken_at.is_none() {
        for (name, value) in content.by_label.keys().filter(|label| !seen.contains(*label)) {
            let (name, value) = (symbols[*name as usize], symbols[*value as usize]);
            report.add(
                POSTINGS_WRONG,
                path,
                toc.postings_table,
                format!("no list of the series with {name}={value:?}"),
            );
        }
    }
}

/// What is wrong with a list. Series that can't be read may be in any.
fn difference(numbers: &[u32], wanted: &[u32], content: &IndexContent) -> Option<String> {
    if !numbers.is_sorted_by(|a, b| a < b) {
        return Some("the list is not in order".to_owned());
    }
    let mut missing = wanted.iter().filter(|number| numbers.binary_search(number).is_err());
    if let Some(number) = missing.next() {
        return Some(format!("series {number} and {} others are missing", missing.count()));
    }
    let is_wrong = |number: &&u32| wanted.binary_search(number).is_err() && !content.broken.contains(*number);
    let mut wrong = numbers.iter().filter(is_wrong);
    let number = wrong.next()?;
    let kind = if content.has_series(*number) { "has another value" } else { "does not exist" };
    Some(format!("series {number} {kind}, and so with {} others", wrong.count()))
}
