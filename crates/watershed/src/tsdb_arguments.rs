//! The command line of `watershed tsdb`. Words are promtool's where the meaning is the same.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use model::parse_duration;

#[derive(Debug, Subcommand)]
pub(crate) enum Tsdb {
    /// List the blocks of a data directory, and what else is in it.
    List(List),
    /// Print all samples, those of the head included.
    Dump(Dump),
    /// Tell what makes a block or the head large: cardinality, churn, bytes per sample.
    Analyze(Analyze),
    /// Check every checksum, reference, order and count; exit code 1 if anything is wrong.
    ///
    /// Takes data directories and single blocks. Each finding tells the file, the offset, what is wrong, what it means and
    /// what to do. Checking goes on after an error. Nothing is changed.
    Verify(Verify),
    /// Make blocks from data of other systems.
    #[command(subcommand)]
    CreateBlocksFrom(CreateBlocksFrom),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CreateBlocksFrom {
    /// From an OpenMetrics text in which every sample has a timestamp.
    ///
    /// Series may come in any order; the samples of a series must be in order of time within each block. The blocks appear
    /// all at once at the end, or not at all where something is wrong. A shard or a Prometheus that runs on the directory takes
    /// them in within a minute or two, and deletes those that lie beyond its retention.
    Openmetrics(Openmetrics),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print human readable values.
    #[arg(short = 'r', long)]
    pub(crate) human_readable: bool,
    /// Leave the head out, which takes reading the log.
    #[arg(long)]
    pub(crate) no_head: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// The data directory.
    #[arg(default_value = "data")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DumpFormat {
    /// {labels} value milliseconds
    Text,
    /// OpenMetrics, which `create-blocks-from openmetrics` takes; floats only
    Openmetrics,
}

#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// Series selector; may be given several times.
    #[arg(long = "match", value_name = "SELECTOR")]
    pub(crate) selectors: Vec<String>,
    /// Minimum timestamp in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = i64::MIN, hide_default_value = true, allow_negative_numbers = true)]
    pub(crate) min_time: i64,
    /// Maximum timestamp in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = i64::MAX, hide_default_value = true, allow_negative_numbers = true)]
    pub(crate) max_time: i64,
    /// How to print.
    #[arg(id = "dump_format", long = "format", value_name = "FORMAT", value_enum, default_value_t = DumpFormat::Text)]
    pub(crate) format: DumpFormat,
    /// Print one JSON object a series.
    #[arg(long, conflicts_with = "dump_format")]
    pub(crate) json: bool,
    /// The data directory.
    #[arg(default_value = "data")]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Analyze {
    /// How many items to show in each list.
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// Only series that match this selector.
    #[arg(long = "match", value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Show how large the chunks are as well.
    #[arg(long)]
    pub(crate) extended: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// The data directory.
    #[arg(default_value = "data")]
    pub(crate) path: PathBuf,
    /// The block to analyze, or `head`; by default the last block, or the head where there is no block.
    pub(crate) block: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Data directories or folders of single blocks.
    #[arg(default_value = "data")]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Openmetrics {
    /// Blocks may become this long: 2h, 6h, 18h, 54h or 162h, whichever is the longest up to it.
    #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = parse_duration)]
    pub(crate) max_block_duration: i64,
    /// A label that every series gets, name=value; may be given several times.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = parse_label)]
    pub(crate) labels: Vec<(String, String)>,
    /// Print human readable values.
    #[arg(short = 'r', long)]
    pub(crate) human_readable: bool,
    /// Do not print created blocks.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// The OpenMetrics text, `-` for standard input.
    pub(crate) file: PathBuf,
    /// Where to put the blocks.
    #[arg(default_value = "data")]
    pub(crate) directory: PathBuf,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && name != model::METRIC_NAME => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("want NAME=VALUE, with a name that is not __name__".to_owned()),
    }
}
