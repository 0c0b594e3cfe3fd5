"""A linear path beside the networks (Cheng et al. 2016, "Wide & Deep"): logistic regression on the mean word token.

`religious_hateful` has 1,361 noisy rows, of which co-attention learns too much by heart. A strongly regularised linear
model on the words alone generalises about as well and errs elsewhere, so that the sum of both logits ranks unseen memes
better; out-of-fold figures of both are in the card.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import nn

from training.features import Texts
from training.hate_rows import HATE, Rows


def mean_words(texts: Texts, rows: Rows) -> np.ndarray:
    """The mean word token of each row, float32 [rows, 768]; zeros where a row has no words."""
    found = np.zeros((len(rows), texts.tokens.shape[1]), np.float32)
    for at, text in enumerate(rows.text):
        if text >= 0:
            found[at] = texts.tokens[texts.starts[text] : texts.starts[text + 1]].astype(np.float32).mean(0)
    return found


def fit(words: np.ndarray, labels: np.ndarray, *, strength: float, weight: float, outputs: int) -> nn.Linear:
    """`weight` times a logistic regression with C = `strength` on standardised words, as a layer; only `hate` is moved."""
    scaler = StandardScaler().fit(words)
    model = LogisticRegression(C=strength, max_iter=300).fit(scaler.transform(words), labels)
    slope = model.coef_[0] / scaler.scale_  # standardising is folded into the layer
    layer = nn.Linear(words.shape[1], outputs)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[HATE] = torch.from_numpy(weight * slope).float()
        layer.bias[HATE] = float(weight * (model.intercept_[0] - slope @ scaler.mean_))
    return layer.requires_grad_(False)


@torch.inference_mode()
def out_of_fold(
    words: np.ndarray, labels: np.ndarray, parts: np.ndarray, *, strength: float, weight: float
) -> np.ndarray:
    """What the path adds to the hate logit of each row when it was fitted on the other folds: float32 [rows]."""
    added = np.zeros(len(labels), np.float32)
    for one in np.unique(parts):
        seen = parts != one
        layer = fit(words[seen], labels[seen], strength=strength, weight=weight, outputs=HATE + 1)
        added[~seen] = layer(torch.from_numpy(words[~seen]))[:, HATE].numpy()
    return added
