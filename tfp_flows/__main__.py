"""Run the command line as `python -m tfp_flows`."""

from __future__ import annotations

import sys

from tfp_flows.cli.main import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())
