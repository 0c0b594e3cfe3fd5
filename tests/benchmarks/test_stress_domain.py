"""The simple models of Dreaddit's domains: answered out of fold, each with the majority baseline."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import stress_domain


def test_models_find_what_is_there_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(2)
    domains = [("abuse", "social")[number % 2] for number in range(80)]
    texts = [
        f"{'he hit me' if domain == 'abuse' else 'we are friends'} {number}" for number, domain in enumerate(domains)
    ]
    groups = [str(number // 2) for number in range(80)]
    noise = random.normal(size=(80, 7, 384)).astype(np.float32)  # states that know nothing
    monkeypatch.setattr(stress_domain, "pooled_states", lambda texts: (noise, noise))
    metrics = stress_domain.measure(texts, domains, groups)
    assert metrics["words"]["macro_f1"] == metrics["letters"]["macro_f1"] == 1.0
    assert metrics["layers 3 and 6"]["macro_f1_low"] < 0.5 < metrics["layers 3 and 6"]["macro_f1_high"]
    assert metrics["words"]["macro_f1_majority"] == pytest.approx(1 / 3)
    assert set(stress_domain.ENSEMBLES) <= set(metrics) and metrics["words"]["rows"] == 80
