"""`python -m transcoder`: the `transcoder` command."""

from __future__ import annotations

import sys

from transcoder.cli import main

if __name__ == "__main__":
    sys.exit(main())
