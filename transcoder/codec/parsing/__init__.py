"""JSON, paths and queries to wire bytes: what becomes of an HTTP request."""
