"""Figures that are kept with each change, so that a metric costs what its answer costs."""
