"""Benchmarks with known truth."""
