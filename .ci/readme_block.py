"""Print the commands of a marked shell block of the README, one a line.

A block is marked by an HTML comment on the line before its fence:

    <!-- ci:test -->
    ```bash
    pytest
    ```

Usage: readme_block.py NAME [README]
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

__all__ = ["commands"]


def commands(text: str, name: str) -> list[str]:
    """Return the commands of the block `name`, continuation lines joined.

    Args:
        text: The Markdown source.
        name: What follows `ci:` in the marker.

    Raises:
        ValueError: If there is not exactly one such block, or it is empty.
    """
    pattern = rf"<!-- ci:{re.escape(name)} -->\s*\n```(?:bash|sh|shell)\n(.*?)^```$"
    blocks = re.findall(pattern, text, flags=re.DOTALL | re.MULTILINE)
    if len(blocks) != 1:
        raise ValueError(
            f"expected one shell block after `<!-- ci:{name} -->`, found {len(blocks)}"
        )
    lines = blocks[0].replace("\\\n", " ").splitlines()
    found = [line for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise ValueError(f"the block `ci:{name}` holds no command")
    return found


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    readme = Path(sys.argv[2] if len(sys.argv) == 3 else "README.md")
    try:
        print("\n".join(commands(readme.read_text(encoding="utf-8"), sys.argv[1])))
    except (OSError, ValueError) as error:
        sys.exit(f"{readme}: {error}")
