"""Run the command line as `python -m tfp_flows`, and as `tfp-flows`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        The exit code, 130 also where Ctrl-C comes while the commands are imported.
    """
    try:
        from tfp_flows.cli.main import main as run
    except KeyboardInterrupt:
        print("\ntfp-flows: interrupted, nothing is written.", file=sys.stderr)
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
