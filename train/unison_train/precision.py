"""In which precision matrix products are computed."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch

Precision = Literal["auto", "bf16", "fp32"]


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device has instructions for it, else float32.

    A processor without them emulates bfloat16, tens of times slower than it computes float32.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        native = any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    else:
        native = False
    return torch.bfloat16 if native else torch.float32


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """Inside, matrix products run in bfloat16 with "bf16", and with "auto" where `fast_dtype` says so."""
    low = precision == "bf16" or (precision == "auto" and fast_dtype(device) is torch.bfloat16)
    return torch.autocast(device.type, dtype=torch.bfloat16) if low else nullcontext()
