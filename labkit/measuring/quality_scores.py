"""From scores to perplexity and KL divergence, with their uncertainties. Taught in chapter 5.

The definitions are llama-perplexity's (ggml-org/llama.cpp, tools/perplexity/perplexity.cpp), in double
precision and without its detour over a file of 16-bit numbers. An error is one standard error, as if the
scored tokens were independent of each other. The KL divergence leaves out tokens to which the baseline gives
less than one in nine million, as llama-perplexity does: with a large vocabulary that is up to 0.3 % of it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from labkit.errors import LabError
from labkit.estimating.proportion import wilson_interval

#: ln of the smallest probability that counts in the KL divergence
_LEAST_LOG_P = -16.0
#: numbers of one block of rows: small enough to stay in a processor's cache
_BLOCK = 2**17


class TokenScores:
    """What a model makes of the tokens of a text, one by one.

    `nll`, a list of float64 arrays, holds -ln of the probability that the model gave to each scored token.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.nll: list[np.ndarray] = []

    def to_dict(self) -> dict[str, Any]:
        return {"perplexity": _perplexity(np.concatenate(self.nll))}


class Comparison(TokenScores):
    """The same beside the scores of a baseline.

    Attributes
    ----------
    kl : float64, for each scored token the KL divergence of this prediction from the baseline's, in nats.
    same_top : bool, whether both predict the same token first.
    p_diff : float64, the probability of the scored token here minus that of the baseline.
    """

    def __init__(self, name: str, baseline: TokenScores) -> None:
        super().__init__(name)
        self._baseline = baseline
        self.kl: list[np.ndarray] = []
        self.same_top: list[np.ndarray] = []
        self.p_diff: list[np.ndarray] = []

    def to_dict(self) -> dict[str, Any]:
        nll, base = np.concatenate(self.nll), np.concatenate(self._baseline.nll)
        kl, same = np.concatenate(self.kl), np.concatenate(self.same_top)
        squares = np.concatenate(self.p_diff) ** 2
        mean_square, its_error = _mean_and_error(squares)
        rms = float(np.sqrt(mean_square))
        low, high = wilson_interval(int(same.sum()), same.size)
        return {
            "perplexity": _perplexity(nll),
            "baseline_perplexity": _perplexity(base),
            "perplexity_difference": _difference(nll, base),
            "perplexity_ratio": _ratio(nll, base),
            "kl_divergence": _pair(*_mean_and_error(kl)),
            "kl_median": float(np.median(kl)),
            "kl_99": float(np.quantile(kl, 0.99)),
            "kl_maximum": float(kl.max()),
            "same_top": {
                "share": float(same.mean()),
                "error": _mean_and_error(same.astype(np.float64))[1],
                "low": low,
                "high": high,
            },
            "p_diff_rms": _pair(rms, its_error / (2 * rms) if rms else 0.0),
        }


def score_rows(scores: list[TokenScores], rows: list[np.ndarray], targets: np.ndarray) -> None:
    """Adds what the models predict at some positions of the text.

    Parameters
    ----------
    scores : one for each model, a baseline first.
    rows : for each model the scores (logits), float32 (positions, n_vocab).
    targets : the tokens that really come next, (positions,).

    Raises LabError when a score is not a number, or a token of the text can't come by the model's prediction.
    """
    with np.errstate(invalid="ignore"):  # infinite scores are looked for, and told as sentences
        for block in _blocks(len(targets), rows[0].shape[1]):
            base = _score(scores[0], rows[0][block], targets[block])
            for each, its_rows in zip(scores[1:], rows[1:], strict=True):
                assert isinstance(each, Comparison)
                here = _score(each, its_rows[block], targets[block])
                each.kl.append(_kl(base, here))
                each.same_top.append(base.top == here.top)
                each.p_diff.append(np.exp(-each.nll[-1]) - np.exp(-scores[0].nll[-1]))


def _blocks(n_rows: int, n_vocab: int) -> Iterator[slice]:
    step = max(1, _BLOCK // n_vocab)
    return (slice(start, start + step) for start in range(0, n_rows, step))


class _Prediction:
    """Shifted scores, the logarithm of the sum of their exponentials, and the token that comes first."""

    def __init__(self, rows: np.ndarray) -> None:
        self.top = rows.argmax(axis=1)
        self.shifted = rows - rows.max(axis=1, keepdims=True)
        self.weights = np.exp(self.shifted)
        self.sums = self.weights.sum(axis=1)
        self.log_sums = np.log(self.sums)

    @functools.cached_property
    def shares(self) -> np.ndarray:
        """The probabilities that count in a KL divergence; 0 for the others."""
        counts = self.shifted - self.log_sums[:, None] > _LEAST_LOG_P
        return np.where(counts, self.weights / self.sums[:, None], 0.0)


def _score(scores: TokenScores, rows: np.ndarray, targets: np.ndarray) -> _Prediction:
    prediction = _Prediction(rows.astype(np.float64))
    nll = prediction.log_sums - prediction.shifted[np.arange(len(targets)), targets]
    if not np.isfinite(prediction.sums).all():
        raise LabError(
            f"{scores.name} gives scores that are not numbers, so it predicts nothing.",
            "Its file may be damaged, or a quantization went wrong. Fetch or make it again.",
        )
    if not np.isfinite(nll).all():
        raise LabError(
            f"{scores.name} holds a token of the text for impossible: its perplexity is infinite.",
            "Choose another text, or another file of the model.",
        )
    scores.nll.append(nll)
    return prediction


def _kl(base: _Prediction, other: _Prediction) -> np.ndarray:
    """Σ p (ln p - ln q) over the vocabulary, at each position: nats, (positions,)."""
    ratio = base.shifted - other.shifted - (base.log_sums - other.log_sums)[:, None]
    found = np.einsum("ij,ij->i", base.shares, ratio)
    if np.isfinite(found).all():
        return found
    return np.where(base.shares > 0, base.shares * ratio, 0.0).sum(axis=1)  # 0 · ∞ is none


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """The mean, and its standard error: √((mean of squares - square of mean) / (n - 1))."""
    n = values.size
    return float(values.mean()), float(values.std() / np.sqrt(n - 1)) if n > 1 else 0.0


def _perplexity(nll: np.ndarray) -> dict[str, float]:
    """e to the mean of -ln p. The error is that of the mean, carried through the exponential."""
    mean, error = _mean_and_error(nll)
    return _pair(_exp(mean), _exp(mean) * error)


def _ratio(nll: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """Perplexity over the baseline's. Both read the same tokens, so what they share cancels in the error."""
    mean, error = _mean_and_error(nll - base)
    return _pair(_exp(mean), _exp(mean) * error)


def _difference(nll: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """Perplexity minus the baseline's; the error with their covariance."""
    here, there = _exp(float(nll.mean())), _exp(float(base.mean()))
    # d(e^a - e^b) = e^a da - e^b db, token by token
    return _pair(here - there, _mean_and_error(here * nll - there * base)[1])


def _exp(x: float) -> float:
    if x > 700:
        raise LabError(
            "The perplexity is too large for a number: the model finds the text all but impossible.",
            "Choose another text, or another file of the model.",
        )
    return float(np.exp(x))


def _pair(value: float, error: float) -> dict[str, float]:
    return {"value": value, "error": error}
