"""Was written for a contract that is yet to come."""

from crm_framework import Plugin

plugin = Plugin(name="incompatible", requires_api="9.0", summary="From the future.")
