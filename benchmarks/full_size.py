"""Models at full size with random weights, which take the same time and memory as trained ones, and processes that time them.

    with random_weights():    # SUBTEXT_MODELS and SUBTEXT_WEIGHTS name what it wrote
        with timed_process(clip_profile, threads=2) as time_clip, timed_process(stack, threads=2, pieces=20) as time_stack:
            time_clip(), time_stack()    # milliseconds
            time_clip("everything")      # milliseconds

Each side runs in a process of its own, so that the memory and the threads of one are not in the way of the other.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.common import ROOT, analyze_fully, gallery_meme, gallery_memes, milliseconds

ONE_FACE = "first_try.webp"
# the rest of the configuration is as in RoBERTa-base
ROBERTA_BASE = {"vocab_size": 50265, "max_position_embeddings": 514, "type_vocab_size": 1}
Measures = dict[str, Callable[[], float]]  # by name, each returns the milliseconds of one run
_measures: Measures = {}  # of this process, where it is a timed one


@contextmanager
def timed_process(build: Callable[..., Measures], **options: Any) -> Iterator[Callable[..., float]]:
    """A process that builds its measurements; the function that it yields returns the milliseconds of a run of the one named
    (the first call waits until they are built). It rests between calls.

    build: a function at the top of a module, called in the process with the options.
    """
    with ProcessPoolExecutor(1, get_context("spawn"), _build, (build, options)) as pool:

        def time(measurement: str = "") -> float:
            try:
                return pool.submit(_time, measurement).result()
            except BrokenProcessPool:
                sentence = "A process with full-size models ended: requirements.txt may not be installed."
                raise SystemExit(sentence) from None

        yield time


def _build(build: Callable[..., Measures], options: dict[str, Any]) -> None:
    _measures.update(build(**options))


def _time(measurement: str) -> float:
    return _measures[measurement]()


def stack(threads: int, pieces: int) -> Measures:
    """CLIP ViT-B/32, RoBERTa-base and ViT-base in float32, one after the other; only the networks are timed, not their
    preprocessing. pieces: the number of word pieces that RoBERTa reads."""
    import torch
    import transformers as hf

    torch.set_num_threads(threads)
    clip = hf.CLIPModel(hf.CLIPConfig()).eval()  # the default is ViT-B/32
    roberta = hf.RobertaForSequenceClassification(hf.RobertaConfig(**ROBERTA_BASE)).eval()
    vit = hf.ViTForImageClassification(hf.ViTConfig()).eval()  # the default is ViT-base, 16x16 patches of 224
    picture = torch.rand(1, 3, 224, 224)
    padded = torch.randint(1, 49000, (1, 77))  # CLIP reads 77 pieces, whatever the caption
    padded[0, pieces:] = 49407
    words = torch.randint(3, 50000, (1, pieces))

    @torch.inference_mode()
    def run() -> None:
        clip(input_ids=padded, pixel_values=picture, attention_mask=torch.ones_like(padded))
        roberta(input_ids=words)
        vit(pixel_values=picture)

    return {"": lambda: milliseconds(run)[0]}


def clip_profile(threads: int, dtype: str | None) -> Measures:
    """The clip profile, in `dtype` or else in what it chooses on this machine, with the weights that the environment names.

    It analyzes a meme with one face, since the stack sees one; `everything` is the median over memes of the gallery with
    OCR and every explanation.
    """
    from models.analyzer import Analyzer
    from models.runtime import device

    if dtype:
        device.cpu_dtype = lambda: dtype  # in place of what the machine would choose
    analyzer = Analyzer("clip", threads=threads)
    meme = gallery_meme(ONE_FACE)
    emotions = analyzer.analyze(meme, explain=False).emotions
    if len(emotions.faces.faces) != 1 or emotions.text.status != "ok":
        raise SystemExit(f"{ONE_FACE} is to show one face, and its words are to be read; they were not.")

    def everything() -> float:
        memes = gallery_memes()[:6]
        analyze_fully(analyzer, memes[0])
        return statistics.median(milliseconds(partial(analyze_fully, analyzer, data))[0] for data in memes[1:])

    return {"": lambda: milliseconds(lambda: analyzer.analyze(meme, explain=False))[0], "everything": everything}


@contextmanager
def random_weights() -> Iterator[None]:
    """A folder with the clip profile's models in the very formats of the hub, named in the environment of this process and
    of those it starts; removed in the end. They are stored in half precision, which halves the disk space (720 MB)."""
    with tempfile.TemporaryDirectory(prefix="subtext-full-") as name:
        folder = Path(name)
        variables = {
            "SUBTEXT_MODELS": str(folder / "models"),
            "SUBTEXT_WEIGHTS": str(folder / "weights"),
            "HF_HUB_OFFLINE": "1",
        }
        write_models(folder / "models")
        (folder / "weights").mkdir()
        for weights in (ROOT / "weights").iterdir():
            (folder / "weights" / weights.name).symlink_to(weights)
        with patch.dict(os.environ, variables):
            write_head(folder / "models")
            yield


def write_models(folder: Path) -> None:
    """CLIP ViT-B/32, RoBERTa-base and ViT-base."""
    import open_clip
    import torch
    import transformers as hf
    from safetensors.torch import save_file

    from models.emotions.expressions import LABELS as EXPRESSIONS
    from models.emotions.pretrained import ROBERTA, VIT
    from models.emotions.text import LABELS as EMOTIONS

    torch.manual_seed(0)
    clip = folder / "timm" / "vit_base_patch32_clip_224.openai"
    clip.mkdir(parents=True)
    model = open_clip.create_model("ViT-B-32", force_quick_gelu=True)
    tensors = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    save_file(tensors, clip / "open_clip_model.safetensors")
    del model, tensors

    words = folder / ROBERTA.id
    words.mkdir(parents=True)
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    letters = [chr(point) for point in (*range(33, 127), 288)]
    (words / "vocab.json").write_text(json.dumps({piece: index for index, piece in enumerate([*special, *letters])}))
    (words / "merges.txt").write_text("#version: 0.2\n")
    hf.RobertaTokenizerFast(str(words / "vocab.json"), str(words / "merges.txt")).save_pretrained(words)
    settings = hf.RobertaConfig(**ROBERTA_BASE, **_labels(EMOTIONS))
    hf.RobertaForSequenceClassification(settings).half().save_pretrained(words)

    faces = folder / VIT.id
    hf.ViTForImageClassification(hf.ViTConfig(**_labels(EXPRESSIONS))).half().save_pretrained(faces)
    hf.ViTImageProcessor(image_mean=[0.5] * 3, image_std=[0.5] * 3).save_pretrained(faces)


def _labels(names: tuple[str, ...]) -> dict[str, dict]:
    return {"id2label": dict(enumerate(names)), "label2id": {name: index for index, name in enumerate(names)}}


def write_head(models: Path) -> None:
    """A random head on the tokens of the CLIP in `models`, into the folder that SUBTEXT_WEIGHTS names."""
    from models.encoders.clip import ClipSource
    from models.fusion.cross_attention import CrossAttention, CrossAttentionSettings
    from models.profiles.registry import HEAD
    from models.weights import sha256
    from training.export import weights_folder
    from training.hate import report

    source = ClipSource()
    repo = source.repo()
    assert repo is not None
    file = models / repo.id / "open_clip_model.safetensors"
    net = CrossAttention(CrossAttentionSettings(image_width=768, text_width=512, outputs=1))
    weights_folder.write(
        HEAD,
        config={
            "labels": ["hate"],
            "architecture": {"image_width": 768, "text_width": 512},
            "encoder": {
                "model": source.model, "pretrained": source.pretrained, "revision": "", "weights": sha256(file),
                "repo": {"id": repo.id, "revision": repo.revision, "files": repo.files},
            },
            "calibration": {"hate": {"scale": 1.0, "offset": 0.0}},
            "thresholds": {"hate": 0.5},
            "bands": {"review_from": 0.4, "hateful_from": 0.6},
        },
        metrics={},
        readme="random weights, for timing",
        graph=report.export_graph(net.eval()),
    )  # fmt: skip
