"""Benchmarks on pytest-benchmark, and the scripts that compare providers for the record."""
