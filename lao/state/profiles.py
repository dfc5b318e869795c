"""The kept profiles of models, one for each server and model. What is in a profile: lao.core.profile."""

from __future__ import annotations

from dataclasses import replace

from lao.core.profile import RUNGS, Profile
from lao.state.store import Store
from lao.state.tables import ProfileRow


def get(store: Store, server: str, model: str) -> Profile | None:
    """The profile of ``model`` on the server with this base URL, or None."""
    with store.reading():
        row = ProfileRow.get_or_none(ProfileRow.server == server, ProfileRow.model == model)
        return Profile.from_json(row.profile) if row else None


def every(store: Store) -> tuple[Profile, ...]:
    """All profiles, by server and model."""
    with store.reading():
        rows = ProfileRow.select().order_by(ProfileRow.server, ProfileRow.model)
        return tuple(Profile.from_json(row.profile) for row in rows)


def put(store: Store, profile: Profile) -> None:
    """Keep a profile in the place of an older one."""
    with store.write():
        row = {"server": profile.server, "model": profile.model, "profile": profile.to_json(), "at": profile.at}
        ProfileRow.replace(**row).execute()


def note_rung(store: Store, server: str, model: str, rung: str) -> bool:
    """Remember the rung that worked in a real task; False when there is no profile to note it in.

    Raises:
        ValueError: there is no such rung (see ``lao.core.profile.RUNGS``).
    """
    if rung not in RUNGS:
        raise ValueError(f"no rung {rung!r}: one of {', '.join(RUNGS)}")
    with store.write():
        profile = get(store, server, model)
        if profile is None:
            return False
        if profile.rung != rung:
            put(store, replace(profile, rung=rung))
        return True
