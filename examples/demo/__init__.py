"""The two pruners on real models: ``python -m demo`` fetches the inputs once, prunes, measures, and prints tables."""
