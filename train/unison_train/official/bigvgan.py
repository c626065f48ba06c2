"""The generator of BigVGAN (Lee et al., 2023), versions 1 and 2: log mel to wave.

Modules are named as in the files, so that a file loads without a table of names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_train.official.vae import load_strictly

_TAPS = 12
_WEIGHT_NORM = re.compile(r"(.*)\.(?:weight_(g|v)|parametrizations\.weight\.original([01]))$")


@dataclass(frozen=True)
class BigVganConfig:
    """Sizes of a generator; `dilations` are those of every residual stack.

    `tanh` ends in a hyperbolic tangent, else in a clamp; `final_bias` gives the last convolution a bias.
    """

    mels: int
    rates: tuple[int, ...]
    kernels: tuple[int, ...]
    width: int = 1536
    stack_kernels: tuple[int, ...] = (3, 7, 11)
    dilations: tuple[int, ...] = (1, 3, 5)
    tanh: bool = False
    final_bias: bool = False


BIGVGAN = {
    "16k": BigVganConfig(80, (4, 4, 2, 2, 2, 2), (8, 8, 4, 4, 4, 4), tanh=True, final_bias=True),
    "44k": BigVganConfig(128, (8, 4, 2, 2, 2, 2), (16, 8, 4, 4, 4, 4)),
}


class SnakeBeta(nn.Module):
    """x + sin^2(e^alpha x) / e^beta, per channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> [B, width, T]."""
        alpha, beta = self.alpha.exp()[:, None], self.beta.exp()[:, None]
        return x + (alpha * x).sin().square() / (beta + 1e-9)


class Activation(nn.Module):
    """`SnakeBeta` at twice the rate, so that the overtones it makes do not alias."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.act = SnakeBeta(width)
        self.register_buffer("taps", lowpass_taps(), persistent=False)
        self.taps: Tensor

    def upsample(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, 2 T]."""
        reach = _TAPS // 2 - 1
        taps = self.taps.expand(x.shape[1], 1, -1)
        x = F.pad(x, (reach, reach), mode="replicate")
        x = 2 * F.conv_transpose1d(x, taps, stride=2, groups=x.shape[1])
        return x[..., 3 * reach : -3 * reach]

    def downsample(self, x: Tensor) -> Tensor:
        """[B, C, 2 T] -> [B, C, T]."""
        reach = _TAPS // 2
        x = F.pad(x, (reach - 1, reach), mode="replicate")
        return F.conv1d(x, self.taps.expand(x.shape[1], 1, -1), stride=2, groups=x.shape[1])

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T] -> [B, C, T]."""
        return self.downsample(self.act(self.upsample(x)))


class ResidualStack(nn.Module):
    """Pairs of convolutions, the first of each pair dilated, with an activation before every one."""

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()

        def convolution(dilation: int) -> nn.Conv1d:
            return nn.Conv1d(width, width, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)

        self.convs1 = nn.ModuleList(convolution(dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(convolution(1) for _ in dilations)
        self.activations = nn.ModuleList(Activation(width) for _ in range(2 * len(dilations)))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, T] -> [B, width, T]."""
        befores, betweens = self.activations[::2], self.activations[1::2]
        for before, dilated, between, plain in zip(befores, self.convs1, betweens, self.convs2, strict=True):
            x = x + plain(between(dilated(before(x))))
        return x


class BigVgan(nn.Module):
    """Log mel [B, mels, T] -> wave [B, T * product of the rates]; make one with `from_state`."""

    def __init__(self, config: BigVganConfig) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.conv_pre = nn.Conv1d(config.mels, width, 7, padding=3)
        self.ups = nn.ModuleList()
        self.resblocks = nn.ModuleList()
        for rate, kernel in zip(config.rates, config.kernels, strict=True):
            up = nn.ConvTranspose1d(width, width // 2, kernel, rate, padding=(kernel - rate) // 2)
            self.ups.append(nn.ModuleList([up]))
            width //= 2
            self.resblocks.extend(ResidualStack(width, size, config.dilations) for size in config.stack_kernels)
        self.activation_post = Activation(width)
        self.conv_post = nn.Conv1d(width, 1, 7, padding=3, bias=config.final_bias)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], config: BigVganConfig) -> BigVgan:
        """The generator of a file's tensors, in any spelling of weight normalisation or none.

        Raises:
            ModelMissing: the tensors are not those of this generator; all that is wrong is listed.
        """
        with torch.device("meta"):
            generator = cls(config)
        # The filters in the files are those of `lowpass_taps`.
        kept = {name: tensor for name, tensor in state.items() if not name.endswith(".filter")}
        load_strictly(generator, fold_weight_norm(kept), "BigVGAN generator")
        for module in generator.modules():
            if isinstance(module, Activation):
                module.taps = lowpass_taps()
        return generator.requires_grad_(False).eval()

    def forward(self, mel: Tensor) -> Tensor:
        """See the class."""
        x: Tensor = self.conv_pre(mel)
        stacks = len(self.config.stack_kernels)
        for stage, up in enumerate(self.ups):
            x = up.get_submodule("0")(x)
            beside = self.resblocks[stage * stacks : (stage + 1) * stacks]
            x = torch.stack([stack(x) for stack in beside]).mean(0)
        x = self.conv_post(self.activation_post(x)).squeeze(1)
        return x.tanh() if self.config.tanh else x.clamp(-1.0, 1.0)


def fold_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Replace magnitude and direction of every weight by the weight, g v / |v|, with the norm over all but dim 0."""
    folded: dict[str, Tensor] = {}
    halves: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if match := _WEIGHT_NORM.match(name):
            half = match[2] or "gv"[int(match[3])]
            halves.setdefault(f"{match[1]}.weight", {})[half] = tensor.float()
        else:
            folded[name] = tensor
    for name, pair in halves.items():
        if pair.keys() == {"g", "v"}:
            folded[name] = torch._weight_norm(pair["v"], pair["g"], 0)
    return folded


def lowpass_taps() -> Tensor:
    """Kaiser-windowed sinc [1, 1, 12] for resampling by two: cutoff 0.25, half-width of the transition 0.3 / 2."""
    attenuation = 2.285 * (_TAPS // 2 - 1) * math.pi * 4 * 0.3 + 7.95
    window = torch.kaiser_window(_TAPS, periodic=False, beta=0.1102 * (attenuation - 8.7), dtype=torch.float64)
    time = torch.arange(_TAPS, dtype=torch.float64) - (_TAPS - 1) / 2
    taps = window * 0.5 * torch.sinc(0.5 * time)
    return (taps / taps.sum()).float()[None, None]
