"""Give the browser tests a Chromium and fonts for every script, where that takes no question; else say why not.

Does nothing where a Chromium or Chrome is found. On Debian and Ubuntu as root it asks apt-get. Never fails: without a
browser those tests are skipped, with the reason printed here.
"""

import os
import shutil
import subprocess

from xllm_widgets.doctor import find_browser

PACKAGES = ["chromium", "fonts-noto-core", "fonts-noto-cjk"]
REMEDY = "install Chromium or Chrome, or name one: CHROMIUM=/path/to/it make test"


def obstacle() -> str:
    """Why nothing is installed without asking; empty where apt-get can be used."""
    if os.environ.get("CHROMIUM"):
        return "CHROMIUM names no file"
    if not shutil.which("apt-get"):
        return "no Chromium here, and no apt-get to install one"
    return "" if os.geteuid() == 0 else "no Chromium here, and only root can install one"


def install() -> str:
    """Ask apt-get; returns its complaint, empty when there is a browser that starts."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", *PACKAGES]):
        done = subprocess.run(["apt-get", "-qq", *step], env=quiet, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            return f"apt-get {step[0]} failed: {lines[-1]}"
    browser = find_browser()
    # Ubuntu's package of that name is a doorway to a snap, which does not start in a container.
    starts = browser and subprocess.run([browser, "--version"], capture_output=True, check=False).returncode == 0
    return "" if starts else "the installed Chromium does not start"


def main() -> None:
    if find_browser():
        return
    reason = obstacle()
    if not reason:
        print("Installing Chromium and fonts for the browser tests …", flush=True)
        reason = install()
    if reason:
        print(f"Browser tests will be skipped: {reason} ({REMEDY}).", flush=True)


if __name__ == "__main__":
    main()
