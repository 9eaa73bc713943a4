"""A gateway that serves gRPC backends as JSON over HTTP, from what their server reflection says."""

__version__ = "0.1.0"
