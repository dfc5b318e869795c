"""What git leaves to the file system's mercy: names in folders, and with old versions of git contents too.

git syncs what it writes into objects, the index and references (``core.fsync=all``), but never the folders in which
they get their names. A power cut may take what the state file says is committed; so LAO syncs these itself, objects
before the reference, the reference before the journal says that the commit is made.
"""

from __future__ import annotations

from pathlib import Path

from lao.core.folders import sync_file, sync_folder
from lao.workspace.git_calls import Git


def keep_objects(git: Git, *revisions: str) -> None:
    """Make the objects of ``rev-list --objects`` with these arguments last. What is in packs already does."""
    names = git.out("rev-list", "--objects", "--no-object-names", *revisions).split()
    keep_named(git, names)


def keep_named(git: Git, names: list[str]) -> None:
    """Make single loose objects last; names are whole ids."""
    objects = git.common_dir / "objects"
    folders = set()
    for name in names:
        file = objects / name[:2] / name[2:]
        if file.exists():
            sync_file(file)
            folders.add(file.parent)
    for folder in sorted(folders):
        sync_folder(folder)
    if folders:
        sync_folder(objects)


def keep_head(git: Git) -> None:
    """Make HEAD's branch, its log and git's own folder with the index last."""
    common, own = git.common_dir, git.git_dir
    head = (own / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
    names = ["HEAD", head.removeprefix("ref: ")] if head.startswith("ref: ") else ["HEAD"]
    for name in names:
        for file, top in ((common / name, common), (own / name, own), (common / "logs" / name, common),
                          (own / "logs" / name, own)):  # fmt: skip
            sync_file(file)
            _sync_up(file.parent, top)
    sync_file(own / "index")
    sync_folder(own)


def _sync_up(folder: Path, top: Path) -> None:
    """Sync a folder and those above it up to ``top``, as far as they are there."""
    while folder != top:
        if folder.is_dir():
            sync_folder(folder)
        folder = folder.parent
