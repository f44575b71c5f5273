"""The hostile texts of vectors.json."""

import json
from pathlib import Path

KINDS: dict[str, list[str]] = json.loads((Path(__file__).parent / "vectors.json").read_text())
VECTORS = [vector for kind in KINDS.values() for vector in kind]
ALL = "\n\n".join(VECTORS)


def short(count: int, most: int) -> list[str]:
    """So many vectors that fit, the first of each kind first."""
    fitting = [[vector for vector in kind if len(vector) <= most] for kind in KINDS.values()]
    in_turn = [kind[place] for place in range(50) for kind in fitting if place < len(kind)]
    return in_turn[:count]
