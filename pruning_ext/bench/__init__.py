"""The benchmark suite: ``pruning-ext bench``, or ``make bench``.

A *family* (:mod:`~pruning_ext.bench.kde`, :mod:`~pruning_ext.bench.ken`, :mod:`~pruning_ext.bench.mi`,
:mod:`~pruning_ext.bench.end_to_end`) has cases, and providers that compute them: this package in each
variant, and the strongest things a competent user would write or install instead
(:mod:`~pruning_ext.bench.baselines`). Every result is checked before it is timed
(:mod:`~pruning_ext.bench.harness`), and set beside what the machine can do at all
(:mod:`~pruning_ext.bench.floors`).
"""
