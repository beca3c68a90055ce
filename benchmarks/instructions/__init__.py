"""Instruction counts of the hot kernels: a guard against slow changes that a noisy machine cannot blur."""
