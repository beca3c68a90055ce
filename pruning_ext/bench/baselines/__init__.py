"""What a competent user would write or install instead: baselines, and the authority of some tests.

Modules are named ``<family>_<by what>`` and imported when a provider is first called, so that a package that
is not installed costs its provider only.
"""
