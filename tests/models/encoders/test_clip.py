"""open_clip as an encoder, on a tiny model in open_clip's own layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.encoders.clip import PINNED, ClipEncoder, ClipSource
from models.errors import BadInput, BadWeights
from models.io.downloads import Unreachable
from models.tokenizers.clip import ClipWords
from tests import hub_for_tests, models_for_tests

CAPTIONS = ["hello there", "a much longer sentence, with words!", "", "I HATE mondays 😂 " * 30]


@pytest.fixture(scope="module")
def folder() -> Path:
    return models_for_tests.shared() / "org" / "clip"


@pytest.fixture(scope="module")
def encoder(folder: Path) -> ClipEncoder:
    return ClipEncoder(ClipSource(f"local-dir:{folder}"))


@pytest.fixture(scope="module")
def reference(folder: Path) -> torch.nn.Module:
    import open_clip

    return open_clip.create_model(f"local-dir:{folder}").eval()


def noise(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@torch.inference_mode()
def test_words_padded_to_their_length_give_what_open_clip_gives_at_77(
    encoder: ClipEncoder, reference: torch.nn.Module
) -> None:
    import open_clip

    tokens = encoder.encode_texts(CAPTIONS)
    expected = reference.encode_text(open_clip.tokenize(CAPTIONS), normalize=True)
    np.testing.assert_allclose(tokens.pooled, expected, atol=1e-5)
    assert tokens.mask.sum(1).tolist()[:3] == [4, 10, 2]
    alone = encoder.encode_texts(CAPTIONS[:1])
    assert alone.tokens.shape == (1, 4, 64)
    np.testing.assert_allclose(alone.tokens[0], tokens.tokens[0, :4], atol=1e-5)
    assert tokens.cut == (False, False, False, True)


@torch.inference_mode()
def test_pictures_give_the_embedding_of_open_clip_and_49_patches(
    encoder: ClipEncoder, reference: torch.nn.Module
) -> None:
    pictures = [noise((100, 60)), noise((30, 90), 1), *(noise((64, 64), seed) for seed in range(2, 12))]
    tokens = encoder.encode_images(pictures)
    assert tokens.tokens.shape == (12, 49, 64)
    assert tokens.mask.all()
    squashed = np.stack([np.asarray(picture.resize((64, 64), Image.Resampling.BICUBIC)) for picture in pictures])
    mean, std = (torch.tensor(models_for_tests.CLIP["preprocess_cfg"][key])[:, None, None] for key in ("mean", "std"))
    pixels = (torch.from_numpy(squashed).permute(0, 3, 1, 2) / 255 - mean) / std
    np.testing.assert_allclose(tokens.pooled, reference.encode_image(pixels, normalize=True), atol=1e-4)


def test_a_grid_of_7x7_is_kept_as_it_is(tmp_path: Path) -> None:
    folder = models_for_tests.write_clip(tmp_path, image_size=224)
    encoder = ClipEncoder(ClipSource(f"local-dir:{folder}"))
    picture = Image.new("RGB", (224, 224), (255, 255, 255))
    picture.paste((0, 0, 0), (32 * 6, 0, 224, 32))  # the patch in the upper right corner
    plain = encoder.encode_images([Image.new("RGB", (224, 224), (255, 255, 255))]).tokens[0]
    changed = np.abs(encoder.encode_images([picture]).tokens[0] - plain).sum(1)
    assert changed.argmax() == 6


def test_spans_point_into_the_caption_as_shown(encoder: ClipEncoder) -> None:
    caption = "Ｄon't  ＳＨＯＵＴ, café 123"
    tokens = encoder.encode_texts([caption])
    pieces = [caption[start:end] for start, end in tokens.spans[0]]
    assert pieces[0] == pieces[-1] == ""
    assert "".join(pieces) == caption.replace(" ", "")


def test_the_tokenizer_is_open_clips_own() -> None:
    import open_clip

    mine, theirs = ClipWords(), open_clip.SimpleTokenizer()
    for caption in ["don't you dare, Łukasz", "x" * 500, "ÿ é 東京 123abc", "so... much!!! #tag @you", "a b  c\nd"]:
        ids = mine.look_up([caption]).ids[0]
        np.testing.assert_array_equal(ids, theirs([caption])[0].numpy()[: len(ids)])


def test_no_pictures_give_no_rows(encoder: ClipEncoder) -> None:
    assert encoder.encode_images([]).tokens.shape == (0, 49, 64)


def test_the_default_is_pinned_to_a_commit() -> None:
    repo = ClipSource().repo()
    assert repo is not None
    assert (repo.id, repo.revision) == ("timm/vit_base_patch32_clip_224.openai", PINNED[repo.id])
    assert len(repo.revision) == 40


def test_an_unknown_model_or_tag_suggests_a_near_one() -> None:
    with pytest.raises(BadInput, match="Did you mean 'ViT-B-32"):
        ClipSource("ViT-B-3", "openai").repo()
    with pytest.raises(BadInput, match="Did you mean 'openai'"):
        ClipSource("ViT-B-32", "openia").repo()


def test_weights_that_do_not_fit_are_said(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    settings = json.loads((folder / "open_clip_config.json").read_text())
    settings["model_cfg"]["text_cfg"]["layers"] = 3
    (broken / "open_clip_config.json").write_text(json.dumps(settings))
    (broken / "open_clip_model.safetensors").write_bytes((folder / "open_clip_model.safetensors").read_bytes())
    with pytest.raises(BadWeights, match="do not fit open_clip's model"):
        ClipEncoder(ClipSource(f"local-dir:{broken}"))
    (broken / "open_clip_model.safetensors").unlink()
    with pytest.raises(BadWeights, match="holds no weights"):
        ClipEncoder(ClipSource(f"local-dir:{broken}"))


def test_a_model_of_the_hub_is_downloaded_and_named_by_its_weights(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: ClipEncoder
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("SUBTEXT_MODELS", raising=False)
    source = ClipSource("hf-hub:org/clip", "", "c" * 40)
    with hub_for_tests.running() as server:
        server.serve("org/clip", folder, "c" * 40)
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        downloaded = ClipEncoder(source)
    assert downloaded.identity["weights"] == encoder.identity["weights"]
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    again = ClipEncoder(source)  # from the cache
    np.testing.assert_array_equal(again.encode_texts(["a"]).tokens, encoder.encode_texts(["a"]).tokens)
    with pytest.raises(Unreachable):
        ClipEncoder(ClipSource("hf-hub:org/other", "", "c" * 40))


def test_a_branch_is_recorded_by_its_commit_and_moves_no_more(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SUBTEXT_MODELS", raising=False)
    moved = tmp_path / "moved"
    moved.mkdir()
    for file in folder.iterdir():
        (moved / file.name).write_bytes(file.read_bytes())
    weights = moved / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    with hub_for_tests.running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        server.serve("org/clip", folder, "c" * 40)
        first = ClipEncoder(ClipSource("hf-hub:org/clip", ""))
        server.serve("org/clip", moved, "d" * 40)
        named = {key: first.identity[key] for key in ("model", "pretrained", "revision", "further")}
        again = ClipEncoder(ClipSource(**named))
    assert first.identity["revision"] == "c" * 40
    assert (repo := first.source.repo()) is not None and repo.revision == "c" * 40
    assert again.identity == first.identity


RESNET = {"layers": [1, 1, 1, 1], "width": 8, "patch_size": None, "head_width": 8}
TIMM = {"timm_model_name": "test_vit", "timm_pool": "", "timm_proj": "linear", "image_size": 160}
BOTH_WAYS = {"no_causal_mask": True, "pool_type": "last", "proj_bias": True}
COCA = {"embed_cls": True, "output_tokens": True}


@pytest.mark.parametrize(
    ("vision", "text", "whole"),
    [
        ({"image_size": 64, "patch_size": 8}, {}, {"custom_text": True}),  # 8x8 patches, the text tower by itself
        ({"pool_type": "avg"}, BOTH_WAYS, {"custom_text": True}),  # as SigLIP: padding counts, so it stays
        (RESNET, {}, {}),
        (TIMM, {}, {}),
        (
            {"output_tokens": True},
            COCA,
            {"custom_text": True, "multimodal_cfg": {"width": 64, "heads": 2, "layers": 1}},
        ),
    ],
    ids=["own text tower", "reads both ways", "ResNet", "timm", "CoCa"],
)
@torch.inference_mode()
def test_every_kind_of_model_gives_open_clips_embeddings(
    tmp_path: Path, vision: dict[str, object], text: dict[str, object], whole: dict[str, object]
) -> None:
    import open_clip

    folder = models_for_tests.write_clip(tmp_path, text=text, whole=whole, **vision)
    encoder, model = (
        ClipEncoder(ClipSource(f"local-dir:{folder}")),
        open_clip.create_model(f"local-dir:{folder}").eval(),
    )
    tokens = encoder.encode_texts(CAPTIONS[:3])
    np.testing.assert_allclose(
        tokens.pooled, model.encode_text(open_clip.tokenize(CAPTIONS[:3]), normalize=True), atol=1e-4
    )
    assert tokens.tokens.shape == (3, 10, 64)
    pictures = encoder.encode_images([noise((50, 50))])
    assert pictures.tokens.shape[:2] == (1, 49)
    pixels = encoder._prepare(noise((50, 50)))[None]
    np.testing.assert_allclose(pictures.pooled, model.encode_image(pixels, normalize=True), atol=1e-4)


@torch.inference_mode()
def test_a_text_tower_of_transformers_comes_through_the_hub_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import open_clip
    from transformers import AutoTokenizer

    name = "SamLowe/roberta-base-go_emotions"  # stands for xlm-roberta-base and the like
    words = models_for_tests.shared() / name
    text = {
        "hf_model_name": str(words), "hf_tokenizer_name": name, "hf_proj_type": "mlp", "hf_pooler_type": "mean_pooler",
        "context_length": 60,
    }  # fmt: skip
    folder = models_for_tests.write_clip(tmp_path, text=text)
    model = open_clip.create_model(f"local-dir:{folder}", pretrained_text=False).eval()
    settings = json.loads((folder / "open_clip_config.json").read_text())
    settings["model_cfg"]["text_cfg"]["hf_model_name"] = name
    (folder / "open_clip_config.json").write_text(json.dumps(settings))
    AutoTokenizer.from_pretrained(str(words)).save_pretrained(folder)
    monkeypatch.setenv("SUBTEXT_MODELS", str(models_for_tests.shared()))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    encoder = ClipEncoder(ClipSource(f"local-dir:{folder}"))
    tokens = encoder.encode_texts(["hello there", "longer words than that"])
    fed = AutoTokenizer.from_pretrained(str(words))(["hello there"], return_tensors="pt")
    expected = torch.nn.functional.normalize(model.encode_text(fed["input_ids"]), dim=-1)
    np.testing.assert_allclose(tokens.pooled[:1], expected, atol=1e-4)
    assert ["hello there"[start:end] for start, end in tokens.spans[0][1:4]] == ["h", "e", "l"]
    monkeypatch.delenv("SUBTEXT_MODELS")
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub_for_tests.running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        server.serve(name, words, "e" * 40)
        assert ClipEncoder(ClipSource(f"local-dir:{folder}")).identity["further"] == {name: "e" * 40}
        server.serve(name, tmp_path, "f" * 40)  # the branch has moved to something else
        ClipEncoder(ClipSource(f"local-dir:{folder}", further={name: "e" * 40}))
