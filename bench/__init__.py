"""Benchmarks: ratios within one run, since absolute figures say more about the machine than about the code."""
