"""The API's settings come from environment variables."""

from __future__ import annotations

import pytest

from serving.settings import Settings


def test_settings_come_from_the_environment_and_nonsense_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Settings(keys=("a", "b"), queue=70, deadline_s=1.5, proxies=("10.0.0.0/8", "192.0.2.1"))
    variables = {
        "KEYS": "a, b,",
        "PROXIES": "10.1.2.3/8,192.0.2.1",
        "QUEUE": " 70 ",
        "DEADLINE_S": "1.5",
        "RATE": " ",
        "MEMES": "",
    }
    with monkeypatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(f"SUBTEXT_API_{name}", value)
        assert Settings() == expected
    for name, value in (
        ("QUEUE", "many"),
        ("WORKERS", "0"),
        ("MEMES", "1000"),
        ("BODY_MB", "999"),
        ("DEADLINE_S", "nan"),
        ("RATE", "often"),
        ("STALL_S", "0"),
    ):
        with monkeypatch.context() as patch, pytest.raises(ValueError, match=rf"^SUBTEXT_API_{name}='?{value}"):
            patch.setenv(f"SUBTEXT_API_{name}", value)
            Settings()
