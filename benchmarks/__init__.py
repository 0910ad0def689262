"""Benchmarks: speed and quality, printed and stored with the facts of the machine. None of them is a test."""
