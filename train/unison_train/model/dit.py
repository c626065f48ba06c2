"""The network: latent, source and mask in, velocity of the flow out (UNISON, arXiv 2605.31530)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from unison_engine.errors import BadArguments
from unison_train.model.blocks import Block, Modulation, PatchEmbedding
from unison_train.model.config import DiTConfig
from unison_train.model.functional import SINUSOID_WIDTH, layer_norm, modulate, rotation, sinusoid
from unison_train.model.phones import PhoneEncoder


class TextFusion(nn.Module):
    """Language-model states into text tokens, one projector per block, with phones of spoken words behind them.

    It sees the prompt alone and so runs once per prompt; the blocks' text norm has no weights and is in it.
    """

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        linears = (nn.Linear(config.text_width, config.width) for _ in range(config.depth))
        self.projectors = nn.ModuleList(linears)
        self.phones = PhoneEncoder(config) if config.phones else None

    def forward(self, states: Tensor, phones: Tensor | None = None, phone_mask: Tensor | None = None) -> Tensor:
        """States [depth, B, S, text_width], phones and their mask [B, N] -> text [depth, B, S + N, h].

        Without a phone encoder, phones are ignored.
        """
        pairs = zip(self.projectors, states, strict=True)
        text = torch.stack([layer_norm(projector(x)) for projector, x in pairs])
        if self.phones is None or phones is None or phone_mask is None:
            return text
        return torch.cat([text, self.phones(phones, phone_mask).to(text.dtype)], dim=2)


class DiT(nn.Module):
    """Predicts noise - latent, the velocity of the flow at time t; t = 1 is noise."""

    def __init__(self, config: DiTConfig) -> None:
        """Sizes from the configuration."""
        super().__init__()
        self.config = config
        self.patch = PatchEmbedding(config)
        self.time_in = nn.Linear(SINUSOID_WIDTH, config.width)
        self.time_out = nn.Linear(config.width, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.final_modulation = Modulation(config.width, 2)
        self.final = nn.Linear(config.width, config.latent_channels)

    def forward(
        self,
        noisy: Tensor,
        source: Tensor,
        mask: Tensor,
        time: Tensor,
        text: Tensor,
        text_mask: Tensor,
        text_position: Tensor | None = None,
        frame_mask: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B, C, T].

        Args:
            noisy: latent between noise and sound, [B, C, T].
            source: latent of the source or reference, zeros where there is none, [B, C, T].
            mask: task mask (0 generate, 1 edit, 2 reference), [B, 1, T].
            time: t in [0, 1], [B].
            text: tokens of every block from `TextFusion`, [depth, B, S, h].
            text_mask: 1 for tokens that count, [B, S]; a row of zeros is the unconditional branch.
            text_position: frame at which each token is spoken, [B, S]; ignored where `config.places_text` is not set.
            frame_mask: True on real frames, [B, T], for batches of unequal length; training only.

        Raises:
            BadArguments: the network places text in time and `text_position` is missing.
        """
        config = self.config
        x = self.patch(torch.cat([noisy, source, mask], dim=1), frame_mask)
        vector = self.time_vector(time)
        frames = torch.arange(x.shape[1], device=x.device)
        rotary = rotation(frames, config.rotary, config.head_width, config.rotary_base)
        text_rotary = None
        if config.places_text:
            if text_position is None:
                raise BadArguments(
                    "text_position is missing; this network places text in time: give it, [B, S] in frames."
                )
            # The added dimension is that of the heads.
            position = text_position[:, None]
            text_rotary = rotation(position, config.rotary, config.head_width, config.rotary_base)
        if frame_mask is None:
            frame_mask = torch.ones_like(mask[:, 0], dtype=torch.bool)
        seen = torch.cat([frame_mask, text_mask > 0], dim=1)[:, None, None]
        for block, tokens in zip(self.blocks, text, strict=True):
            x = block(x, tokens, vector, seen, rotary, text_rotary)
        velocity: Tensor = self.final(modulate(layer_norm(x), *self.final_modulation(vector)))
        return velocity.transpose(1, 2)

    def time_vector(self, time: Tensor) -> Tensor:
        """The only global conditioning, [B] -> [B, h]."""
        vector: Tensor = self.time_out(F.silu(self.time_in(sinusoid(time))))
        return vector

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> DiT:
        """Draw all weights, so that training starts as plain denoising and the first output is exactly zero.

        - First convolution: Xavier uniform, bias zero, and zero for the source and mask channels.
        - Time MLP: normal weights of deviation 0.02.
        - Every modulation and the output projection: zero. Scales of the query and key norms: one.
        - The rest: uniform within 1 / sqrt(fan in), the framework's default.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Conv1d):
                bound = module.weight[0].numel() ** -0.5
                for parameter in module.parameters():
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)
        nn.init.xavier_uniform_(self.patch.inward.weight, generator=generator)
        self.patch.inward.weight[:, self.config.latent_channels :] = 0
        for linear in (self.time_in, self.time_out):
            nn.init.normal_(linear.weight, std=0.02, generator=generator)
        modulations = [module.linear for module in self.modules() if isinstance(module, Modulation)]
        for linear in (*modulations, self.final):
            nn.init.zeros_(linear.weight)
        for bias in (self.patch.inward.bias, *(linear.bias for linear in (*modulations, self.final))):
            assert bias is not None
            nn.init.zeros_(bias)
        return self
