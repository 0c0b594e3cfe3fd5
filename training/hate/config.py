"""The settings of both trainings of hate heads: `configs/hate_cross_attention.toml` and `hate_cross_attention_clip.toml`."""

from dataclasses import dataclass, field

from training.config import Config

HEADS = ("hate", "harm")
MEME_SETS = {"religious_hateful": "hate", "harmeme": "harm"}  # the two sets of memes and the head that learns from each


@dataclass(frozen=True, kw_only=True)
class TrainingConfig(Config):
    """What the training of one co-attention network takes in both profiles."""

    lr: float
    weight_decay: float
    warmup: float  # fraction of all steps
    patience: int  # checks without a better mean AUROC
    ema_decay: float
    ema_warmup: bool = False  # a shorter average in the beginning
    modality_dropout: float  # fraction of memes that lose their picture; as many lose their text
    seed: int
    weights: dict[str, float] = field(default_factory=dict)  # of the sources' losses; 1 if not named

    def __post_init__(self) -> None:
        if not 0 <= self.modality_dropout <= 0.5:
            raise ValueError(f"modality_dropout={self.modality_dropout} must lie in 0-0.5, as no meme loses both")


@dataclass(frozen=True)
class LinearBranchConfig(Config):
    """`weight` times a logistic regression with `C` from the mean token of `modality` to `head`, fitted on `rows`."""

    head: str
    rows: str
    modality: str
    C: float
    weight: float

    def __post_init__(self) -> None:
        if self.head not in HEADS or self.modality not in ("text", "image"):
            raise ValueError(f"a linear branch leads from text or image to {' or '.join(HEADS)}: {self}")


@dataclass(frozen=True, kw_only=True)
class HateConfig(TrainingConfig):
    """`configs/hate_cross_attention.toml`, which says what each setting means."""

    folds: int
    steps: int
    check_every: int
    sentence_fraction: float
    photographs: int
    rows: dict[str, int]
    linear_branches: tuple[LinearBranchConfig, ...]


@dataclass(frozen=True, kw_only=True)
class ClipHateConfig(TrainingConfig):
    """`configs/hate_cross_attention_clip.toml`, which says what each setting means."""

    epochs: int
    batch_size: int
    width: int
    heads: int
    dropout: float
    head_dropout: float
