"""J2 J3: an attempt works at a desk of its own, and what it changed lands in the plan's folder, whoever else landed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lao.core.errors import AttemptFailed
from lao.core.steps import DirectSteps
from lao.workspace.desks import clean_desks
from lao.workspace.git import Repository
from lao.workspace.git_calls import Git
from lao.workspace.landing import Landing
from tests.workspace.plan_repository import commit, git, repository, through_json

TASK = 7


def nothing() -> tuple[str, ...]:
    return ()


class Work:
    """One attempt: a desk laid out from ``repo`` as it is now."""

    def __init__(self, repo: Repository, run: int) -> None:
        self.repo, self.run = repo, run
        self.opened = repo.open_desk(run, TASK, nothing)
        self.root = repo.desk(run).root

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.root / name).write_text(text)

    def land(self) -> tuple[str, ...]:
        candidate, _ = self.repo.at_desk(self.run).checkpoint()
        return self.repo.land(DirectSteps(), "land", run=self.run, base=self.opened.commit, candidate=candidate)


def text_of(*lines: str) -> str:
    return "\n".join(lines) + "\n"


LINES = [f"line {n}" for n in range(9)]


@pytest.fixture
def plan(repo: Repository, root: Path) -> Repository:
    """A repository with a few files."""
    (root / "a").write_text(text_of(*LINES))
    (root / "b").write_text("b\n")
    (root / ".gitignore").write_text("made/\n.venv\n")
    commit(repo, "files")
    return repo


def test_what_an_attempt_began_with_has_a_name(plan: Repository, root: Path) -> None:
    """J3: also what nobody has committed; a user who prunes takes nothing from the attempt, index and branches stay."""
    (root / "b").write_text("not committed\n")
    git(root, "add", "a")
    before = git(root, "status", "--porcelain"), git(root, "branch", "-a")
    work = Work(plan, 1)
    git(root, "gc", "--prune=now", "-q")
    assert git(root, "show", f"refs/lao/task-{TASK}:b") == "not committed"
    assert (git(root, "status", "--porcelain"), git(root, "branch", "-a")) == before
    work.write(a="changed\n")
    assert work.land() == ("a",)
    assert plan.forget_checkpoints([TASK, 8]) == 1
    for lock in ("packed-refs.lock", "refs/lao/task-7.lock"):
        (root / ".git" / lock).parent.mkdir(exist_ok=True)
        (root / ".git" / lock).write_text("")
    assert plan.forget_checkpoints([TASK]) == 0
    assert not [lock for lock in (root / ".git").rglob("*.lock") if lock.name != "lao.lock"]
    assert git(root, "for-each-ref", "refs/lao") == ""


def test_what_is_done_at_a_desk_is_not_seen_before_it_lands(plan: Repository, root: Path) -> None:
    """J2: the plan's folder changes at once and wholly, by the landing."""
    work = Work(plan, 1)
    work.write(a="changed\n", new="new\n")
    (work.root / "b").unlink()
    assert (root / "a").read_text() == text_of(*LINES)
    assert work.land() == ("a", "b", "new")
    assert (root / "a").read_text() == "changed\n"
    assert (root / "new").read_text() == "new\n"
    assert not (root / "b").exists()
    assert commit(plan, "one", paths=("a", "b", "new"))
    assert git(root, "status", "--porcelain") == ""


def test_two_attempts_land_one_after_the_other(plan: Repository, root: Path) -> None:
    """Different files, and different lines of one file, come together; each commit has its own change only."""
    one, two = Work(plan, 1), Work(plan, 2)
    one.write(a=text_of("first", *LINES[1:]), one="1\n")
    two.write(a=text_of(*LINES[:-1], "last"), two="2\n")
    assert commit(plan, "one", paths=one.land())
    assert commit(plan, "two", paths=two.land())
    assert (root / "a").read_text() == text_of("first", *LINES[1:-1], "last")
    assert git(root, "show", "--name-only", "--format=", "HEAD").split() == ["a", "two"]
    assert git(root, "status", "--porcelain") == ""


def test_the_same_lines_are_a_conflict_with_which_nothing_changes(plan: Repository, root: Path) -> None:
    """J2: what cannot be put together is refused as a whole."""
    one, two = Work(plan, 1), Work(plan, 2)
    one.write(a=text_of("one", *LINES[1:]))
    two.write(a=text_of("two", *LINES[1:]), more="more\n")
    commit(plan, "one", paths=one.land())
    with pytest.raises(AttemptFailed, match="another task changed the same lines of a") as caught:
        two.land()
    assert caught.value.kind == "merge_conflict"
    assert not (root / "more").exists()
    assert git(root, "status", "--porcelain") == ""


@pytest.mark.parametrize("case", ["deleted here", "deleted there", "both new", "binary", "executable"])
def test_what_cannot_be_merged_and_what_can(plan: Repository, root: Path, case: str) -> None:
    """J2: deletions, new files and bytes conflict; modes and other lines do not."""
    one, two = Work(plan, 1), Work(plan, 2)
    if case == "deleted here":
        (one.root / "a").unlink()
        two.write(a="changed\n")
    elif case == "deleted there":
        one.write(a="changed\n")
        (two.root / "a").unlink()
    elif case == "both new":
        one.write(n="one\n")
        two.write(n="two\n")
    elif case == "binary":
        (one.root / "b").write_bytes(b"\0one")
        (two.root / "b").write_bytes(b"\0two")
    else:
        one.write(a=text_of("one", *LINES[1:]))
        (two.root / "a").write_text(text_of(*LINES[:-1], "two"))
        (two.root / "a").chmod(0o755)
    commit(plan, "one", paths=one.land())
    if case != "executable":
        with pytest.raises(AttemptFailed):
            two.land()
        return
    two.land()
    assert os.access(root / "a", os.X_OK)
    assert (root / "a").read_text() == text_of("one", *LINES[1:-1], "two")


def test_the_same_change_made_twice_is_no_conflict(plan: Repository, root: Path) -> None:
    """J2: two attempts with the same result land both."""
    one, two = Work(plan, 1), Work(plan, 2)
    for work in (one, two):
        work.write(n="the same\n", a=text_of("same", *LINES[1:]))
    assert commit(plan, "one", paths=one.land())
    assert commit(plan, "two", paths=two.land()) is None
    assert (root / "n").read_text() == "the same\n"


def test_a_landing_that_was_killed_half_way_is_done_again(plan: Repository, root: Path) -> None:
    """K2: from the recorded intent, without the desk, after somebody else has landed on top of the half of it."""
    work = Work(plan, 1)
    work.write(a=text_of("first", *LINES[1:]), n="n\n")
    candidate, _ = plan.at_desk(1).checkpoint()
    effect = Landing(Git(root), Git(work.root), work.opened.commit, candidate)
    intent = through_json(effect.prepare())
    (root / "n").write_text("n\n")  # this much of it was done
    plan.desk(1).drop()
    other = Work(plan, 2)
    other.write(a=text_of(*LINES[:-1], "last"))
    commit(plan, "other", paths=other.land())
    for _ in range(2):
        found = effect.probe(intent)  # as the journal asks on resume
        assert (found if found is not None else effect.apply(intent)) == {"changed": ["a", "n"]}
    assert (root / "a").read_text() == text_of("first", *LINES[1:-1], "last")
    assert commit(plan, "one", paths=("a", "n"))
    assert git(root, "status", "--porcelain") == ""


def test_what_the_user_changed_is_found_and_what_others_land_is_not(plan: Repository, root: Path) -> None:
    """J1: only what came since the plan began, and is nobody's landing, goes into the next commit."""
    (root / "b").write_text("mine, before LAO came\n")
    later = repository(root, baseline_dirty=plan.dirty_paths())
    (root / "mine").write_text("since then\n")
    (root / "theirs").write_text("half landed\n")
    opened = later.open_desk(1, TASK, lambda: ["theirs"])
    assert opened.found == ("mine",)
    desk = later.desk(1).root
    assert {(desk / name).read_text() for name in ("b", "mine", "theirs")} == {
        "mine, before LAO came\n",
        "since then\n",
        "half landed\n",
    }


def test_what_is_installed_at_a_desk_is_handed_over(plan: Repository, root: Path) -> None:
    """Ignored files that were made there are there for the next attempt; what was borrowed stays what it is."""
    (root / ".venv").mkdir()
    work = Work(plan, 1)
    assert (work.root / ".venv").is_symlink()
    (work.root / "made").mkdir()
    (work.root / "made" / "package").write_text("installed\n")
    (work.root / "__pycache__").mkdir()
    assert plan.hand_over(1) == ["made"]
    assert (root / "made" / "package").read_text() == "installed\n"
    assert (root / ".venv").is_dir()
    assert not (root / ".venv").is_symlink()
    assert plan.hand_over(1) == []
    again = Work(plan, 2)
    assert (again.root / "made" / "package").read_text() == "installed\n"


def test_no_command_at_a_desk_reaches_the_plans_repository(plan: Repository, root: Path) -> None:
    """J2: a coder's commits, branches and gc stay at its desk."""
    work = Work(plan, 1)
    head = git(root, "rev-parse", "HEAD")
    work.write(a="changed\n")
    git(work.root, "checkout", "-q", "-b", "mine")
    git(work.root, "commit", "-q", "-a", "-m", "a coder that commits")
    git(work.root, "gc", "-q", "--prune=now")
    assert git(root, "rev-parse", "HEAD") == head
    assert git(root, "branch", "--format=%(refname)") == "refs/heads/main"
    assert work.land() == ("a",)
    assert (root / "a").read_text() == "changed\n"
    git(root, "fsck", "--strict")


def test_desks_of_runs_that_are_over_are_cleared(plan: Repository) -> None:
    """J2: after a crash nothing is left but what will be resumed."""
    first, second = Work(plan, 1), Work(plan, 2)
    folder = first.root.parents[1]
    (folder / "run-3.new").mkdir()
    assert clean_desks(folder, lambda run: run == 2) == 2
    assert second.root.is_dir()
    plan.desk(2).find()
    with pytest.raises(AttemptFailed, match="folder of the interrupted attempt is gone"):
        plan.desk(1).find()


def test_a_desk_of_before_a_reboot_is_not_used(plan: Repository) -> None:
    """J2: nothing at a desk is synced, so what a power cut left there may be half written."""
    desk = plan.desk(Work(plan, 1).run)
    assert not desk.outlived()
    (desk.root.parent / "boot").write_text("another boot")
    assert desk.outlived()
    with pytest.raises(AttemptFailed, match="started again") as failed:
        desk.find()
    assert failed.value.kind == "desk_gone"
    plan.lay_again(1, plan.head() or "")
    desk.find()
