//! `watershed tsdb`, as a process, beside promtool and on directories that a Prometheus made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{Client, Process, eventually, find, free_port, watershed};

const START: i64 = 1_700_000_000;
const BOUND: Duration = Duration::from_secs(150);

fn run(program: &Path, arguments: &[&str]) -> Result<Output> {
    Command::new(program).args(arguments).output().with_context(|| format!("cannot start {}", program.display()))
}

/// What a command prints; it must end well.
fn printed(program: &Path, arguments: &[&str]) -> Result<String> {
    let out = run(program, arguments)?;
    let error = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{} {arguments:?}: {}: {error}", program.display(), out.status);
    Ok(String::from_utf8(out.stdout)?)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the temporary folder's name is text")
}

/// Gauges, counters and a histogram over a day, in order of time, then one series of another day.
fn exposition(series: i64) -> String {
    let mut out = String::from("# HELP m A \\\\ help.\n# TYPE m gauge\n");
    for step in 0..200 {
        for i in 0..series {
            let value = match i % 5 {
                0 => "1".to_owned(),
                1 => step.to_string(),
                2 => format!("{}", (step as f64 * 0.1).sin() * 1e9),
                3 => ["NaN", "+Inf", "-Inf", "1e-300"][step as usize % 4].to_owned(),
                _ => format!("-{step}.5"),
            };
            let time = START + step * 432;
            let _ = writeln!(
                out,
                "m{{i=\"{i}\",text=\"ä \\\"quoted\\\" \\\\ line\\nend\"}} {value} {time}.{:03}",
                i % 4 * 250
            );
        }
    }
    let _ = write!(
        out,
        "# TYPE h histogram\n# UNIT h_seconds seconds\nh_bucket{{le=\"1\"}} 5 {START} # {{trace_id=\"x\"}} 0.5 {START}\n"
    );
    let _ = write!(
        out,
        "h_created 1 {START}\nlate{{}} 7 {}\nalone 1 {}\nodd 1 {START}.001\n# EOF\n",
        START + 300_000,
        START - 100_000
    );
    out
}

/// A folder with blocks that promtool and we made of the same text.
struct Pair {
    _dir: tempfile::TempDir,
    promtool: PathBuf,
    watershed: PathBuf,
    theirs: PathBuf,
    ours: PathBuf,
}

fn pair(test: &str, input: &str) -> Result<Option<Pair>> {
    let Some(promtool) = find(test, "promtool") else { return Ok(None) };
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("input");
    fs::write(&file, input)?;
    let (theirs, ours) = (dir.path().join("theirs"), dir.path().join("ours"));
    let create = ["tsdb", "create-blocks-from", "openmetrics", text(&file)];
    printed(&promtool, &[&create[..], &[text(&theirs)]].concat())?;
    printed(&watershed, &[&create[..], &[text(&ours)]].concat())?;
    // promtool wants a log.
    fs::create_dir_all(theirs.join("wal"))?;
    fs::create_dir_all(ours.join("wal"))?;
    Ok(Some(Pair { _dir: dir, promtool, watershed, theirs, ours }))
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn blocks_from_openmetrics_hold_what_promtool_puts_into_them() -> Result<()> {
    let test = "blocks_from_openmetrics_hold_what_promtool_puts_into_them";
    let Some(Pair { _dir: dir, promtool, watershed, theirs, ours }) = pair(test, &exposition(12))? else {
        return Ok(());
    };
    let want = printed(&promtool, &["tsdb", "dump", text(&theirs)])?;
    ensure!(want.lines().count() == 200 * 12 + 5, "{}", want.lines().count());
    for (program, data) in [(&promtool, &ours), (&watershed, &theirs), (&watershed, &ours)] {
        let got = printed(program, &["tsdb", "dump", text(data)])?;
        ensure!(sorted(&got) == sorted(&want), "{} dumps {} otherwise", program.display(), data.display());
    }
    let some = ["--min-time", "1700000000000", "--max-time", "1700050000000"];
    let want = printed(&promtool, &[&["tsdb", "dump"], &some[..], &["--match={i=~\"1.*\"}", text(&theirs)]].concat())?;
    ensure!(!want.is_empty());
    let got = printed(&watershed, &[&["tsdb", "dump"], &some[..], &["--match={i=~\"1.*\"}", text(&ours)]].concat())?;
    ensure!(sorted(&got) == sorted(&want), "a part is dumped otherwise");
    let several = printed(&watershed, &["tsdb", "dump", "--match=late", "--match", "alone", text(&ours)])?;
    ensure!(several.lines().count() == 2, "{several}");
    // There and back. What is below a millisecond is cut off a float, so not every time comes back as it was.
    let file = dir.path().join("dumped");
    let even = "--match={__name__=~\"m|h_.*|late|alone\"}";
    fs::write(&file, printed(&watershed, &["tsdb", "dump", "--format=openmetrics", even, text(&ours)])?)?;
    let back = dir.path().join("back");
    printed(&watershed, &["tsdb", "create-blocks-from", "openmetrics", "--quiet", text(&file), text(&back)])?;
    let dump = |data: &Path| printed(&watershed, &["tsdb", "dump", even, text(data)]);
    ensure!(dump(&back)? == dump(&ours)?, "what was dumped reads back otherwise");
    Ok(())
}

#[test]
fn list_prints_what_promtool_prints() -> Result<()> {
    let Some(pair) = pair("list_prints_what_promtool_prints", &exposition(12))? else { return Ok(()) };
    for flags in [&[][..], &["-r"]] {
        for data in [&pair.theirs, &pair.ours] {
            let list = |program| printed(program, &[&["tsdb", "list"], flags, &[text(data)]].concat());
            let (want, got) = (list(&pair.promtool)?, list(&pair.watershed)?);
            ensure!(got == want, "{got}\n{want}");
        }
    }
    let json: Value = serde_json::from_str(&printed(&pair.watershed, &["tsdb", "list", "--json", text(&pair.ours)])?)?;
    ensure!(json["blocks"].as_array().is_some_and(|blocks| blocks.len() > 10), "{json}");
    // What is not a block any more is named, and the rest goes on.
    let blocks: Vec<PathBuf> =
        fs::read_dir(&pair.ours)?.flatten().map(|e| e.path()).filter(|p| !p.ends_with("wal")).collect();
    fs::remove_file(blocks[0].join("index"))?;
    fs::write(blocks[1].join("no-compact-mark.json"), "{\"reason\":\"manual\",\"details\":\"of a test\"}")?;
    fs::rename(&blocks[2], blocks[2].with_extension("tmp-for-deletion"))?;
    let list = printed(&pair.watershed, &["tsdb", "list", text(&pair.ours)])?;
    for word in ["set aside", "no-compact-mark.json: manual: of a test", "unfinished"] {
        ensure!(list.contains(word), "{word}: {list}");
    }
    Ok(())
}

/// The lists of an analysis, by title; the order of equal ones is nobody's promise.
fn sections(analysis: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut title = String::new();
    for line in analysis.lines().filter(|line| !line.is_empty()) {
        let starts_number = line.starts_with(|c: char| c.is_ascii_digit() || c == ' ');
        if !starts_number && line.ends_with(':') {
            title = line.to_owned();
            sections.entry(title.clone()).or_default();
        } else {
            let line = line.replace("Total Series:", "Series:");
            sections.entry(title.clone()).or_default().insert(line);
        }
    }
    sections
}

#[test]
fn analyze_prints_promtools_figures() -> Result<()> {
    let Some(pair) = pair("analyze_prints_promtools_figures", &exposition(60))? else { return Ok(()) };
    for data in [&pair.theirs, &pair.ours] {
        // All blocks but the first hold one hour or two of many series.
        for block in fs::read_dir(data)?.flatten().filter(|e| e.file_name().len() == 26) {
            let name = block.file_name().to_string_lossy().into_owned();
            let arguments = ["tsdb", "analyze", "--limit=1000", "--extended", text(data), &name];
            let (want, got) = (printed(&pair.promtool, &arguments)?, printed(&pair.watershed, &arguments)?);
            let got = sections(&got);
            for (title, lines) in sections(&want) {
                ensure!(got.get(&title) == Some(&lines), "{title}\n{lines:#?}\n{:#?}", got.get(&title));
            }
            ensure!(got.contains_key("Bytes of metrics (chunk bytes, bytes per sample, samples, series):"));
        }
    }
    let arguments = ["tsdb", "analyze", "--limit=2", "--match=m{i=~\"1.\"}", text(&pair.ours)];
    let error = run(&pair.watershed, &arguments)?;
    ensure!(error.status.success(), "the last block has no such series, which is no error");
    Ok(())
}

#[test]
fn accepts_and_refuses_the_texts_that_promtool_does() -> Result<()> {
    let test = "accepts_and_refuses_the_texts_that_promtool_does";
    let Some(promtool) = find(test, "promtool") else { return Ok(()) };
    let watershed = watershed()?;
    let cases: &[(&str, bool)] = &[
        ("", false),
        ("# EOF", true),
        ("# EOF\n", true),
        ("# EOF\n\n", false),
        ("# EOF\na 1 1\n", false),
        ("a 1 1\n", false),
        ("a 1 1\n# EOF", true),
        ("a 1 1\n\n# EOF\n", false),
        ("a 1\n# EOF\n", false),
        ("a 1 1 1\n# EOF\n", false),
        ("a  1 1\n# EOF\n", false),
        ("a\t1 1\n# EOF\n", false),
        ("a 1 1.5\n# EOF\n", true),
        ("a 1 1e3\n# EOF\n", true),
        ("a 1 NaN\n# EOF\n", false),
        ("a 0x1p-3 1\n# EOF\n", false),
        ("a 1_0 1\n# EOF\n", false),
        ("a NaN 1\n# EOF\n", true),
        ("a{} 1 1\n# EOF\n", true),
        ("a{b=\"c\", d=\"e\"} 1 1\n# EOF\n", false),
        ("a{b=\"c\"d=\"e\"} 1 1\n# EOF\n", false),
        ("a{b=\"c\",b=\"d\"} 1 1\n# EOF\n", false),
        ("a{b=\"\"} 1 1\n# EOF\n", true),
        ("a{b='c'} 1 1\n# EOF\n", false),
        ("a {b=\"c\"} 1 1\n# EOF\n", false),
        ("a{b=\"\u{e4}\"} 1 1\n# EOF\n", true),
        ("a_total 1 1 # {} 1\n# EOF\n", true),
        ("a_total 1 1 # {t=\"x\"} 1 1\n# EOF\n", true),
        ("a 1 1 # {t=\"x\"}\n# EOF\n", false),
        ("a 1 1 # {t=\"x\"} 1 1 1\n# EOF\n", false),
        ("a 1 1 # x\n# EOF\n", false),
        ("# comment\n# EOF\n", false),
        ("# HELP a b\n# EOF\n", true),
        ("# HELP a\n# EOF\n", false),
        ("# TYPE a counter\na_total 1 1\na_created 1 1\n# EOF\n", true),
        ("# TYPE a stateset\n# EOF\n", true),
        ("# TYPE a gaugehistogram\n# EOF\n", true),
        ("# TYPE a untyped\n# EOF\n", false),
        ("# TYPE a counter \n# EOF\n", false),
        ("# UNIT a_b b\n# EOF\n", true),
        ("# UNIT ab b\n# EOF\n", false),
        // any order over blocks
        ("a 1 2\na 1 2\n# EOF\n", true),
        ("a 1 100000\na 1 1\n# EOF\n", true),
    ];
    for (input, accepted) in cases {
        let dir = tempfile::tempdir()?;
        let (file, theirs, ours) = (dir.path().join("input"), dir.path().join("theirs"), dir.path().join("ours"));
        fs::write(&file, input)?;
        let create = |program: &Path, data: &Path| {
            run(program, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(data)])
        };
        // An empty file can't be mapped, which is why promtool refuses it.
        let want = create(&promtool, &theirs)?;
        ensure!(want.status.success() == *accepted, "promtool: {input:?}: {}", String::from_utf8_lossy(&want.stderr));
        let got = create(&watershed, &ours)?;
        let error = String::from_utf8_lossy(&got.stderr);
        ensure!(got.status.success() == *accepted, "{input:?}: {error}");
        if !accepted {
            ensure!(got.status.code() == Some(1), "{input:?}: {:?}", got.status);
            ensure!(error.contains("line ") && error.contains("column "), "{input:?}: {error}");
            let left: Vec<_> = fs::read_dir(&ours).into_iter().flatten().flatten().map(|e| e.path()).collect();
            ensure!(left.is_empty(), "{input:?} left {left:?}");
        }
    }
    Ok(())
}

#[test]
fn what_promtool_drops_without_a_word_is_an_error() -> Result<()> {
    let watershed = watershed()?;
    for (input, place, reason) in [
        ("a 1 2\na 1 1\n# EOF\n", "line 2, column 1", "out of order sample"),
        ("a 1 2\nb 1 2\na 2 2\n# EOF\n", "line 3, column 1", "duplicate sample for timestamp"),
    ] {
        let dir = tempfile::tempdir()?;
        let (file, data) = (dir.path().join("input"), dir.path().join("data"));
        fs::write(&file, input)?;
        let out = run(&watershed, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(&data)])?;
        let error = String::from_utf8_lossy(&out.stderr);
        ensure!(out.status.code() == Some(1) && error.contains(place) && error.contains(reason), "{input:?}: {error}");
        ensure!(!data.exists(), "nothing is left of {input:?}");
    }
    Ok(())
}

#[test]
fn labels_are_added_and_standard_input_is_read() -> Result<()> {
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let (file, data) = (dir.path().join("input"), dir.path().join("data"));
    fs::write(&file, "a{b=\"c\"} 1 1700000000\na{b=\"d\"} 1 1700020000\n# EOF\n")?;
    let labels = ["--label", "job=x", "--label=b=y", "--max-block-duration=18h", "--json"];
    let out = Command::new(&watershed)
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args(labels)
        .args(["-", text(&data)])
        .stdin(fs::File::open(&file)?)
        .output()?;
    ensure!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let json: Value = serde_json::from_slice(&out.stdout)?;
    ensure!(json["blocks"].as_array().is_some_and(|blocks| blocks.len() == 1), "one block of 18 hours: {json}");
    let dump = printed(&watershed, &["tsdb", "dump", text(&data)])?;
    let series = "{__name__=\"a\", b=\"y\", job=\"x\"} 1";
    ensure!(dump == format!("{series} 1700000000000\n{series} 1700020000000\n"), "{dump}");
    let usage = run(&watershed, &["tsdb", "dump", "--format=none", text(&data)])?;
    ensure!(usage.status.code() == Some(2), "wrong usage ends with 2");
    let missing = run(&watershed, &["tsdb", "list", text(&dir.path().join("nothing"))])?;
    ensure!(missing.status.code() == Some(1), "a directory that is not there ends with 1");
    Ok(())
}

/// The files of a directory with their lengths and times of change.
fn state(dir: &Path) -> Result<BTreeMap<PathBuf, (u64, std::time::SystemTime)>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir)?.flatten() {
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            files.extend(state(&entry.path())?);
        }
        files.insert(entry.path(), (if metadata.is_dir() { 0 } else { metadata.len() }, metadata.modified()?));
    }
    Ok(files)
}

fn copy_dir(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)?.flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_dir(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What `verify --json` says of a path, and whether it ended well.
fn verify(watershed: &Path, path: &Path) -> Result<(Value, bool)> {
    let out = run(watershed, &["tsdb", "verify", "--json", text(path)])?;
    let report =
        serde_json::from_slice(&out.stdout).with_context(|| format!("{}", String::from_utf8_lossy(&out.stderr)))?;
    ensure!(matches!(out.status.code(), Some(0 | 1)), "{}", out.status);
    Ok((report, out.status.success()))
}

#[tokio::test]
async fn a_directory_of_a_prometheus_that_compacts_is_read_and_found_sound() -> Result<()> {
    let test = "a_directory_of_a_prometheus_that_compacts_is_read_and_found_sound";
    let (Some(promtool), Some(prometheus)) = (find(test, "promtool"), find(test, "prometheus")) else {
        return Ok(());
    };
    let watershed = watershed()?;
    let dir = tempfile::tempdir()?;
    let (file, data) = (dir.path().join("input"), dir.path().join("data"));
    fs::write(&file, exposition(12))?;
    printed(&promtool, &["tsdb", "create-blocks-from", "openmetrics", text(&file), text(&data)])?;
    let port = free_port()?;
    let config = dir.path().join("prometheus.yml");
    let jobs = format!("[{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]");
    fs::write(&config, format!("global: {{scrape_interval: 1s}}\nscrape_configs: {jobs}\n"))?;
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", data.display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--storage.tsdb.retention.time=100y".to_owned(),
        "--web.enable-admin-api".to_owned(),
    ];
    let mut process = Process::start(&prometheus, &arguments, &dir.path().join("prometheus.log"))?;
    let client = Client::new(format!("http://127.0.0.1:{port}"))?;
    eventually("prometheus is ready", BOUND, || client.ready()).await?;
    let compacted = || async {
        for entry in fs::read_dir(&data)?.flatten().filter(|e| e.file_name().len() == 26) {
            let Ok(meta) = fs::read(entry.path().join("meta.json")) else { continue };
            let meta: Value = serde_json::from_slice(&meta)?;
            if meta["compaction"]["level"].as_u64() > Some(1) {
                return Ok(());
            }
        }
        anyhow::bail!("no compacted block yet")
    };
    eventually("prometheus has compacted blocks", BOUND, compacted).await?;
    // While it runs.
    let scraped = || async {
        let live = printed(&watershed, &["tsdb", "dump", "--match=up", text(&data)])?;
        ensure!(live.lines().count() > 3, "{live}");
        Ok(())
    };
    eventually("what it scrapes can be read", BOUND, scraped).await?;
    process.kill().await?;
    let before = state(&data)?;
    let (report, sound) = verify(&watershed, &data)?;
    ensure!(sound, "{report:#}");
    let counts = &report["counts"];
    for what in ["blocks", "series", "postingsLists", "chunks", "samples", "logSegments", "logRecords"] {
        ensure!(counts[what].as_u64() > Some(0), "{what}: {report:#}");
    }
    let got = printed(&watershed, &["tsdb", "dump", text(&data)])?;
    let head = printed(&watershed, &["tsdb", "analyze", "--extended", text(&data), "head"])?;
    ensure!(head.contains("Block ID: head") && head.contains("prometheus_"), "{head}");
    let list = printed(&watershed, &["tsdb", "list", text(&data)])?;
    ensure!(list.contains("\nHEAD "), "{list}");
    ensure!(state(&data)? == before, "reading has changed the directory");
    let want = printed(&promtool, &["tsdb", "dump", text(&data)])?;
    ensure!(sorted(&got) == sorted(&want), "promtool dumps {} lines, we {}", want.lines().count(), got.lines().count());
    Ok(())
}

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
