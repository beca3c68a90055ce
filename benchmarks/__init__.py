"""The suite (pruning_ext.bench) on pytest-benchmark, recorded results, and the scripts that make them."""
