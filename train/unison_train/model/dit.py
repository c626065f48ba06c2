"""The network: latent, source and mask in, velocity of the flow out (UNISON, arXiv 2605.31530)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unison_engine.errors import BadArguments
from unison_train.model.blocks import Block, PatchEmbedding
from unison_train.model.config import DiTConfig
from unison_train.model.functional import layer_norm, modulate, rotation
from unison_train.model.modulation import BLOCK_PARTS, FINAL_PARTS, TimeModulation
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
        self.modulation = TimeModulation(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
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
        """Velocity [B, C, T] at times `time` [B], with one branch, `text_mask` [B, S]; the rest as in `evaluate`."""
        modulations = self.modulation(time)
        branch = text_mask[:, None]
        return self.evaluate(noisy, source, mask, modulations, text, branch, text_position, frame_mask)[:, 0]

    def evaluate(
        self,
        noisy: Tensor,
        source: Tensor,
        mask: Tensor,
        modulations: Tensor,
        text: Tensor,
        text_mask: Tensor,
        text_position: Tensor | None = None,
        frame_mask: Tensor | None = None,
    ) -> Tensor:
        """Velocity [B, G, C, T] of B sounds in G branches, which differ in the text they see.

        Args:
            noisy: latent between noise and sound, [B, C, T].
            source: latent of the source or reference, zeros where there is none, [B, C, T].
            mask: task mask (0 generate, 1 edit, 2 reference), [B, 1, T].
            modulations: of each sound's time, or of one that all share, from `modulation`, [B or 1, 8 depth + 2, h].
            text: tokens of every block from `TextFusion`, [depth, B, S, h].
            text_mask: 1 for tokens that count, [B, G, S]; a branch of zeros is the unconditional one.
            text_position: frame at which each token is spoken, [B, S]; ignored where `config.places_text` is not set.
            frame_mask: True on real frames, [B, T], for batches of unequal length; training only.

        Raises:
            BadArguments: the network places text in time and `text_position` is missing.
        """
        config = self.config
        x = self.patch(torch.cat([noisy, source, mask], dim=1), frame_mask)[:, None]
        frames = torch.arange(x.shape[2], device=x.device)
        rotary = rotation(frames, config.rotary, config.head_width, config.rotary_base)
        text_rotary = None
        if config.places_text:
            if text_position is None:
                raise BadArguments(
                    "text_position is missing; this network places text in time: give it, [B, S] in frames."
                )
            # The added dimensions are those of branches and heads.
            position = text_position[:, None, None]
            text_rotary = rotation(position, config.rotary, config.head_width, config.rotary_base)
        if frame_mask is None:
            frame_mask = torch.ones_like(mask[:, 0], dtype=torch.bool)
        seen = torch.cat([frame_mask[:, None].expand(-1, text_mask.shape[1], -1), text_mask > 0], dim=2)
        # The added dimensions are those of branches and frames.
        parts = modulations[:, :, None, None].split([BLOCK_PARTS] * config.depth + [FINAL_PARTS], dim=1)
        for block, tokens, part in zip(self.blocks, text[:, :, None], parts, strict=False):
            x = block(x, tokens, part, seen, rotary, text_rotary)
        velocity: Tensor = self.final(modulate(layer_norm(x), *parts[-1].unbind(1)))
        return velocity.transpose(2, 3)

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
        time = self.modulation
        for linear in (time.time_in, time.time_out):
            nn.init.normal_(linear.weight, std=0.02, generator=generator)
        assert self.patch.inward.bias is not None
        nn.init.zeros_(self.patch.inward.bias)
        for parts in (time.frames, time.text, time.final, self.final):
            for parameter in parts.parameters():
                nn.init.zeros_(parameter)
        return self
