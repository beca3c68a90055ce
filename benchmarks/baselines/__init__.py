"""What a competent user would write without this package: the baselines of the benchmarks and some tests."""
