"""Promises: a key in a change is found by its issuer's form and never shown; examples and hashes are left alone."""

from __future__ import annotations

import pytest

from lao.core.words import Severity
from tests.quality.validators.conftest import Said

TAIL = "Zq9vKx2LmT7wRb4NcY8pHd3sJg6fQa1eUo5iVt0X"
"""Random letters, put together at run time so that no scanner takes these lines for real keys."""

KEY = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + f"MIIEow{TAIL}\n{TAIL}abc\n-----END RSA PRIVATE KEY-----\n"
ISSUED = {
    "key.pem": KEY,
    "conf.py": f"TOKEN = 'ghp_{TAIL[:36]}'\n",
    "aws.yaml": "id: AKIA" + "Q7ZLW2MX9RTBKV4N\n",
    "pay.ts": f"const key = 'sk_live_{TAIL[:26]}';\n",
    "a.json": f'{{"k": "npm_{TAIL[:36]}"}}\n',
    "g.go": f'const k = "AIza{TAIL[:35]}"\n',
    "s.swift": f'let t = "xoxb-123409876543-567812349876-{TAIL[:24]}"\n',
}
LOOK_ALIKES = {
    "a.py": "TOKEN = os.environ['GITHUB_TOKEN']\n",
    "b.py": "AWS = 'AKIAIOSFODNN7EXAMPLE'\n",
    "c.py": "KEY = 'ghp_" + "x" * 36 + "'\n",
    "d.py": "PATTERN = re.compile(r'-----BEGIN RSA PRIVATE KEY-----')\n",
    "e.py": "SHA = '9b1cd11e7a0f4c55b2d3a6e8f1c0947d5e6b3a2f'\n",
    "f.yaml": "password: ${DB_PASSWORD}\n",
    "package-lock.json": '{"integrity": "sha512-' + TAIL + TAIL + '=="}\n',
    "g.ts": "const url = `postgres://user:${password}@host/db`;\n",
    "h.py": "password = getpass('Password: ')\nsecret_key = 'change-me-in-production'\n",
    "i.env": "API_KEY=\nSECRET=your-secret-here\n",
    "j.py": "task = 'risk-of-being-misread-as-a-key-with-a-long-name-of-words'\n",
}


@pytest.mark.parametrize("path", ISSUED)
def test_issued_keys(said: Said, path: str) -> None:
    """Critical, with the line and the issuer, without one character of the secret's body."""
    found = said("secrets", {path: ISSUED[path]})
    assert [f.severity for f in found] == [Severity.CRITICAL]
    assert not any(TAIL[n : n + 8] in repr(found) for n in range(30))


@pytest.mark.parametrize("path", LOOK_ALIKES)
def test_look_alikes(said: Said, path: str) -> None:
    """The environment, documented examples, patterns, hashes, lock files, templates."""
    assert said("secrets", {path: LOOK_ALIKES[path]}) == []


def test_guessed_ones_are_notes(said: Said) -> None:
    """What only looks random beside a telling name, and any key in a test or a document, never blocks."""
    found = said("secrets", {"a.py": f"db_password = '{TAIL[:24]}'\n"})
    assert [(f.severity, f.confidence) for f in found] == [(Severity.MINOR, 0.6)]
    for path in ("tests/test_a.py", "README.md"):
        assert [f.severity for f in said("secrets", {path: ISSUED["conf.py"]})] == [Severity.MINOR]


def test_the_user_s_own_and_older_ones(said: Said) -> None:
    """A key that the plan itself gives is the user's will; one that was there before is not the change's."""
    text = ISSUED["conf.py"]
    assert [f.severity for f in said("secrets", {"conf.py": text}, plan=text)] == [Severity.MINOR]
    assert said("secrets", {"conf.py": f"{text}\n"}, before={"conf.py": text}) == []
