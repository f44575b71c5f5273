"""`make sbom`: what Ferryline is made of, as CycloneDX: packages, and what is vendored."""

import json
import re
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.licences import LOCKS, ROOT, licence_of

Json = dict[str, Any]
PROGRAM = ROOT / ".venv-supply" / "bin" / "cyclonedx-py"
SECONDS = 120
# What is served; the columns are in each folder's README.
VENDORED = ("static/vendor", "static/fonts")
ROW = re.compile(
    r"^\| `(?P<file>\S+)` \| (?P<what>.+?) \| (?P<version>\S+) \| npm `(?P<package>\S+)`, .+? "
    r"\| (?P<licence>[\w.-]+) .*?\| `(?P<sha>[0-9a-f]{64})` \|$",
    re.MULTILINE,
)
# A word that packages use, and SPDX does not.
VAGUE = re.compile(r"\bBSD\b(?!-)")
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

sys.exit(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()) and "Not valid.")
"""
ITSELF: Json = {
    "type": "application",
    "bom-ref": "ferryline",
    "name": "ferryline",
    "licenses": [{"license": {"id": "MIT"}}],
}


def main() -> None:
    made = document()
    check(made)
    (ROOT / "sbom.json").write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")


def document() -> Json:
    blocks = [block for lock in LOCKS for block in re.split(r"\n(?=\S)", lock.read_text().strip())]
    made = subprocess.run(
        [str(PROGRAM), "requirements", "--output-reproducible", "--no-validate", "-"],
        input="\n".join(dict.fromkeys(blocks)) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=SECONDS,
    )
    found: Json = json.loads(made.stdout)
    components = [*map(licensed, found["components"]), *vendored()]
    refs = [component["bom-ref"] for component in components]
    found["metadata"]["component"] = ITSELF
    found["components"] = components
    found["dependencies"] = [
        {"ref": "ferryline", "dependsOn": refs},
        *({"ref": ref} for ref in refs),
    ]
    return found


def check(document: Json) -> None:
    """That it is what the standard says; who knows that is where the tool is."""
    command = [str(PROGRAM.with_name("python")), "-c", VALIDATE]
    text = json.dumps(document)
    subprocess.run(command, input=text, text=True, check=True, timeout=SECONDS)


def licensed(component: Json) -> Json:
    """With its licence, where it is installed here: some are for other systems."""
    try:
        told = licence_of(component["name"])
    except PackageNotFoundError:
        return component
    licence = {"license": {"name": told}} if VAGUE.search(told) else {"expression": told}
    return component | {"licenses": [licence]}


def vendored() -> list[Json]:
    return [
        {
            "type": "file",
            "bom-ref": f"{folder}/{row['file']}",
            "name": f"{folder}/{row['file']}",
            "version": row["version"],
            "description": row["what"],
            "hashes": [{"alg": "SHA-256", "content": row["sha"]}],
            "licenses": [{"license": {"id": row["licence"]}}],
            "purl": f"pkg:npm/{quote(row['package'], safe='/')}@{row['version']}",
        }
        for folder in VENDORED
        for row in ROW.finditer(Path(ROOT, folder, "README.md").read_text())
    ]


if __name__ == "__main__":
    main()
