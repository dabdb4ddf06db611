//! The database as its users see it: through its traits, through files, and through Prometheus's own programs.

mod attached;
mod chunk_snapshots;
mod churn;
mod clock;
mod compaction;
mod crash;
mod damaged;
mod db;
mod deletes;
mod fixture;
mod following;
mod full_disk;
mod hints;
mod histograms;
mod inspect;
mod kill;
mod late;
mod loading;
mod model_check;
mod peers;
mod peers_blocks;
mod peers_head;
mod peers_snapshot;
mod rescan;
mod starts;
mod transactions;

#[global_allocator]
static ALLOCATOR: mutation::Counting = mutation::Counting;
