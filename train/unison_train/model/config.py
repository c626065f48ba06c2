"""Sizes of the network, published and our own."""

from __future__ import annotations

from dataclasses import dataclass

from unison_engine.errors import BadArguments
from unison_engine.layout import LatentLayout
from unison_engine.runtime.text import TextClock


@dataclass(frozen=True)
class DiTConfig:
    """Sizes that fix every tensor of the network.

    Attributes:
        latent_channels: C; the network sees 2C + 1 channels.
        width: h, the width of the blocks.
        heads: attention heads; `width / heads` is the head width.
        depth: number of blocks.
        rotary: leading dimensions of each head that rotate with the frame number.
        text_width: hidden size of the language model.
        patch_kernel: kernel of the gated convolutions of the patch embedding.
        mlp_ratio: inner width of a block's MLP in units of h; also sizes the patch embedding.
        rotary_base: base of the rotary rates.
        text_clock: when characters are spoken, for rotating text keys; None leaves text without position.
        phones: spoken words come as phones with their times, see `PhoneEncoder`, and not through the language model.
        timed_events: the tokens that tell of an event of a timeline stand at its time, see `PromptTokenizer`.

    Raises:
        BadArguments: heads do not divide the width, or `rotary` is odd or wider than a head.
    """

    latent_channels: int
    width: int
    heads: int
    depth: int
    rotary: int
    text_width: int
    patch_kernel: int = 7
    mlp_ratio: int = 4
    rotary_base: float = 10_000.0
    text_clock: TextClock | None = None
    phones: bool = False
    timed_events: bool = False

    def __post_init__(self) -> None:
        """Refuse sizes that no network can have."""
        if self.width % self.heads:
            raise BadArguments(f"width {self.width} is not divisible by {self.heads} heads; change either.")
        if self.rotary % 2 or self.rotary > self.head_width:
            raise BadArguments(f"rotary is {self.rotary}; it must be even and at most {self.head_width}.")

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads

    @property
    def places_text(self) -> bool:
        """Whether text keys rotate with the frame to which they belong."""
        return self.phones or self.timed_events or self.text_clock is not None

    @property
    def mlp_width(self) -> int:
        """Inner width of a block's MLP."""
        return self.mlp_ratio * self.width

    @property
    def patch_width(self) -> int:
        """Inner width of the patch embedding: two thirds of the MLP's, rounded up to a multiple of 256."""
        return -(-(2 * self.mlp_width // 3) // 256) * 256


@dataclass(frozen=True)
class Preset:
    """A network with the latent grid it works on."""

    network: DiTConfig
    layout: LatentLayout


PRESETS = {
    "nano": Preset(
        DiTConfig(
            latent_channels=32,
            width=320,
            heads=5,
            depth=8,
            rotary=48,
            text_width=576,
            patch_kernel=3,
            phones=True,
            timed_events=True,
        ),
        LatentLayout(sample_rate=24_000, hop=960, channels=32, max_seconds=10.0),
    ),
    "d20s0-44k": Preset(
        DiTConfig(latent_channels=40, width=1024, heads=8, depth=20, rotary=96, text_width=3584),
        LatentLayout(sample_rate=44_100, hop=1024, channels=40, max_seconds=10.0, whole_grid=True),
    ),
    "d24s0-16k": Preset(
        DiTConfig(latent_channels=20, width=1024, heads=8, depth=24, rotary=96, text_width=3584),
        LatentLayout(sample_rate=16_000, hop=512, channels=20, max_seconds=10.0, whole_grid=True),
    ),
}
