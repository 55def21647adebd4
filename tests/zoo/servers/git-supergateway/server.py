"""Make a Git repository in the working directory, then become the given command.

    python server.py COMMAND ...

Rule 1: the repository is the same each time, and so are commits in it: authors and dates are fixed, and no
configuration of this machine is read.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

FIXED: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_AUTHOR_DATE": "1767323045 +0000",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_COMMITTER_DATE": "1767323045 +0000",
}


def git(*arguments: str) -> None:
    subprocess.run(["git", "-C", "repository", *arguments], check=True, stdout=subprocess.DEVNULL)


os.environ.update(FIXED)
repository = Path("repository")
repository.mkdir()
git("init", "--initial-branch", "main")
(repository / "notes.txt").write_text("Buy milk.\n", encoding="utf-8")
git("add", ".")
git("commit", "--message", "Write the first note")
(repository / "notes.txt").write_text("Buy milk.\nBuy bread.\n", encoding="utf-8")
git("add", ".")
(repository / "plans.txt").write_text("Bake a cake.\n", encoding="utf-8")
os.execv(sys.argv[1], sys.argv[1:])
