//! Prometheus and promtool on our directories, and we on theirs.
