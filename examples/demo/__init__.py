"""The pruners on real models: ``python -m demo`` fetches the inputs once, prunes, measures, prints tables."""
