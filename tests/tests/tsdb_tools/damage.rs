//! `verify` on damaged files.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::fixture::{copy_dir, exposition, pair, run, text, verify};

/// Changes a file of a block or a log; the path is relative to the data directory, `B` stands for the block.
struct Damage {
    name: &'static str,
    file: &'static str,
    change: fn(&mut Vec<u8>),
    /// What the finding must say, and whether it has an offset.
    word: &'static str,
    has_offset: bool,
    /// The file that is damaged contradicts the chunks, and the finding names these.
    shows_in_chunks: bool,
}

/// The offset that the table of contents of an index has at a place.
fn section(file: &[u8], place: usize) -> usize {
    let at = file.len() - 52 + place * 8;
    let mut word = [0; 8];
    word.copy_from_slice(&file[at..at + 8]);
    u64::from_be_bytes(word) as usize
}

/// Replaces a number in a file of JSON.
fn replace(file: &mut Vec<u8>, key: &str, value: &str) {
    let text = String::from_utf8_lossy(file).into_owned();
    let start = text.find(key).expect("the key") + key.len();
    let end = start + text[start..].find([',', '\n']).expect("an end");
    *file = format!("{}{value}{}", &text[..start], &text[end..]).into_bytes();
}

const DAMAGES: &[Damage] = &[
    Damage {
        name: "a flipped bit in a chunk",
        file: "B/chunks/000001",
        change: |file| file[40] ^= 1,
        word: "checksum of a chunk is wrong",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a chunk file that ends early",
        file: "B/chunks/000001",
        change: |file| file.truncate(file.len() - 3),
        word: "a chunk ends beyond the end of the file",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a chunk file with another magic number",
        file: "B/chunks/000001",
        change: |file| file[0] = 0,
        word: "the magic number is missing",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "no chunk file",
        file: "B/chunks/000001",
        change: Vec::clear,
        word: "none begins here",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a flipped bit in the table of contents",
        file: "B/index",
        change: |file| {
            let at = file.len() - 10;
            file[at] ^= 1;
        },
        word: "checksum of the table of contents is wrong",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a flipped bit in the symbols",
        file: "B/index",
        change: |file| {
            let at = section(file, 0) + 12;
            file[at] ^= 1;
        },
        word: "symbols: checksum of a section is wrong",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a flipped bit in a series",
        file: "B/index",
        change: |file| {
            let at = section(file, 1).next_multiple_of(16) + 4;
            file[at] ^= 1;
        },
        word: "checksum of series",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a series with a wrong length",
        file: "B/index",
        change: |file| {
            let at = section(file, 1).next_multiple_of(16);
            file[at] = 0x7f;
        },
        word: "series",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a series with another chunk's place, checksum right",
        file: "B/index",
        change: |file| {
            // The first chunk's reference of the first series: one more.
            let at = section(file, 1).next_multiple_of(16);
            let len = usize::from(file[at]);
            file[at + len] ^= 1;
            let crc = crc32c(&file[at + 1..at + 1 + len]);
            file[at + 1 + len..at + 5 + len].copy_from_slice(&crc.to_be_bytes());
        },
        word: "of the index has a chunk here, but none begins here",
        has_offset: true,
        shows_in_chunks: true,
    },
    Damage {
        name: "postings out of order, checksum right",
        file: "B/index",
        change: |file| {
            let at = section(file, 4).next_multiple_of(4);
            let len = u32::from_be_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]) as usize;
            file.swap(at + 11, at + 15);
            let crc = crc32c(&file[at + 4..at + 4 + len]);
            file[at + 4 + len..at + 8 + len].copy_from_slice(&crc.to_be_bytes());
        },
        word: "the list is not in order",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a flipped bit in the postings",
        file: "B/index",
        change: |file| {
            let at = section(file, 4).next_multiple_of(4) + 9;
            file[at] ^= 1;
        },
        word: "checksum of a section is wrong",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "a flipped bit in the postings offset table",
        file: "B/index",
        change: |file| {
            let at = section(file, 5) + 9;
            file[at] ^= 1;
        },
        word: "postings offset table: checksum",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "broken tombstones",
        file: "B/tombstones",
        change: |file| file[6] ^= 1,
        word: "checksum is wrong",
        has_offset: true,
        shows_in_chunks: false,
    },
    Damage {
        name: "wrong counts in meta.json",
        file: "B/meta.json",
        change: |file| replace(file, "\"numSamples\": ", "7"),
        word: "numSamples is 7, counted",
        has_offset: false,
        shows_in_chunks: false,
    },
    Damage {
        name: "a shorter time in meta.json",
        file: "B/meta.json",
        change: |file| replace(file, "\"maxTime\": ", "1700000000001"),
        word: "but the block says",
        has_offset: true,
        shows_in_chunks: true,
    },
    Damage {
        name: "half a meta.json",
        file: "B/meta.json",
        change: |file| file.truncate(50),
        word: "meta.json",
        has_offset: false,
        shows_in_chunks: false,
    },
    Damage {
        name: "a flipped bit in the log",
        file: "wal/00000000",
        change: |file| file[20] ^= 1,
        word: "a fragment's checksum is wrong",
        has_offset: true,
        shows_in_chunks: false,
    },
];

/// CRC-32 with Castagnoli's polynomial.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg()))
    };
    !bytes.iter().fold(!0, step)
}

#[test]
fn verify_names_every_damage() -> Result<()> {
    let Some(pair) = pair("verify_names_every_damage", &exposition(12))? else { return Ok(()) };
    let work = tempfile::tempdir()?;
    let index_bytes =
        |entry: &fs::DirEntry| fs::metadata(entry.path().join("index")).map_or(0, |metadata| metadata.len());
    let block = fs::read_dir(&pair.theirs)?.flatten().max_by_key(index_bytes).context("a block with many series")?;
    for damage in DAMAGES {
        let data = work.path().join("data");
        copy_dir(&block.path(), &data.join(block.file_name()))?;
        fs::create_dir_all(data.join("wal"))?;
        // Two segments with a record each: one of the type `full`, of a series.
        for segment in ["00000000", "00000001"] {
            let mut record = vec![1_u8];
            record.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1, b'a', 1, b'b']);
            let mut file = vec![1_u8, 0, record.len() as u8];
            file.extend_from_slice(&crc32c(&record).to_be_bytes());
            file.extend_from_slice(&record);
            fs::write(data.join("wal").join(segment), file)?;
        }
        let (report, sound) = verify(&pair.watershed, &data)?;
        ensure!(sound, "{report:#}");
        let name = block.file_name().to_string_lossy().into_owned();
        let path = data.join(damage.file.replace('B', &name));
        let mut file = fs::read(&path)?;
        (damage.change)(&mut file);
        fs::write(&path, file)?;
        let (report, sound) = verify(&pair.watershed, &data)?;
        ensure!(!sound, "{}: nothing found", damage.name);
        let findings = report["findings"].as_array().context("findings")?;
        let is_it = |finding: &&Value| {
            finding["problem"].as_str().is_some_and(|problem| problem.contains(damage.word))
                && finding["severity"] == "damage"
                && finding["offset"].is_u64() == damage.has_offset
                && (finding["file"] == text(&path) || damage.shows_in_chunks)
                && finding["meaning"].is_string()
                && finding["advice"].is_string()
        };
        ensure!(findings.iter().any(|finding| is_it(&finding)), "{}: {report:#}", damage.name);
        let told = run(&pair.watershed, &["tsdb", "verify", text(&data)])?;
        ensure!(String::from_utf8_lossy(&told.stdout).contains(damage.word), "{}: as text", damage.name);
        fs::remove_dir_all(&data)?;
    }
    Ok(())
}
