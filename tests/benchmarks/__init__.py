"""Our own work beside the least that could do it, on the same database and receiver, in one run.

`make bench` measures and writes the tables of docs/benchmarks.md.
"""
