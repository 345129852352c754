"""Programmes: what earns points, how long they last, and how customers rise."""

from .changes import NewProgram, create_program, update_program

__all__ = ["NewProgram", "create_program", "update_program"]
