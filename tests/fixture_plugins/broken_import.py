"""Ends the program when it is imported, and talks while it does."""

import sys

from crm_framework import Plugin

plugin = Plugin(name="broken_import", requires_api="1.0", summary="Does harm.")

sys.stdout.write("loud\n")
sys.exit("gone")
