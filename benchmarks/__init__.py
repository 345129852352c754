"""Workloads, measured beside the limit in one run. See benchmarks/README.md."""
