"""Addresses of plugins: `/plugins/<name>/…`, behind the same limits as the API."""
