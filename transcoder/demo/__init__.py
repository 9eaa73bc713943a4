"""Five small gRPC services to try the gateway on: users, orders, positions, market data and wallets.

They know nothing of the gateway: any backend with server reflection could stand in their place.
"""

from __future__ import annotations

from pathlib import Path


def config_file() -> Path:
    """The gateway's configuration for the demo: a checkout's own, else the copy in the installed package."""
    package = Path(__file__).parent
    checkout = package.parents[1]
    root = checkout if (checkout / "setup.py").is_file() else package
    return root / "config" / "config.yaml"
