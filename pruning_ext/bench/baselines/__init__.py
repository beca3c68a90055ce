"""Baselines: the code that a competent user would write or install instead; some tests compare with it.

Modules are named ``<family>_<tool>`` and imported when a provider is first called, so that a package that
is not installed costs its provider only.
"""
