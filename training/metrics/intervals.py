"""Intervals: the percentile interval of bootstrap resamples, and Wilson's interval of a fraction."""

import numpy as np

PERCENTILES = (2.5, 97.5)  # 95% of the resamples lie between them


def percentile_interval(resampled: np.ndarray) -> tuple[float, float]:
    """The 95% percentile interval (Efron and Tibshirani 1993, 13.3) of (R,) resampled values; NaN values do not count."""
    low, high = np.nanpercentile(resampled, PERCENTILES)
    return float(low), float(high)


def metric_entry(name: str, value: float, resampled: np.ndarray, **baselines: float | None) -> dict[str, float]:
    """`NAME`, `NAME_low`, `NAME_high`, and `NAME_majority` or another baseline by its keyword unless it is None."""
    low, high = percentile_interval(resampled)
    entry = {name: float(value), f"{name}_low": low, f"{name}_high": high}
    return entry | {f"{name}_{key}": float(number) for key, number in baselines.items() if number is not None}


def wilson_interval(hits: int, count: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% interval of a fraction (Wilson 1927), which also holds for 0 and 1; (0, 1) where `count` is 0."""
    if not count:
        return 0.0, 1.0
    fraction = hits / count
    center = (fraction + z**2 / (2 * count)) / (1 + z**2 / count)
    margin = z * np.sqrt(fraction * (1 - fraction) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return float(max(0.0, center - margin)), float(min(1.0, center + margin))
