"""The network as training sees it: one module from noisy latents and language-model states to velocity."""

from __future__ import annotations

from torch import Tensor, nn

from unison_train.model.dit import DiT, TextFusion


class Denoiser(nn.Module):
    """Fusion and backbone behind one `forward`, which is what data-parallel wrappers need."""

    def __init__(self, dit: DiT, fusion: TextFusion) -> None:
        super().__init__()
        self.dit = dit
        self.fusion = fusion

    def forward(
        self,
        noisy: Tensor,
        source: Tensor,
        mask: Tensor,
        time: Tensor,
        states: Tensor,
        phones: Tensor,
        phone_mask: Tensor,
        text_mask: Tensor,
        text_position: Tensor | None,
        frame_mask: Tensor | None,
    ) -> Tensor:
        """Velocity [B, C, T], float32; `states` [depth, B, S, text_width] and phones [B, N] as in
        `TextFusion.forward`, the rest as in `DiT.forward`."""
        text = self.fusion(states, phones, phone_mask)
        velocity: Tensor = self.dit(noisy, source, mask, time, text, text_mask, text_position, frame_mask)
        return velocity.float()
