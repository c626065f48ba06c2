from __future__ import annotations

import pytest
import torch

from unison_train.precision import Precision, autocast, fast_dtype

CPU = torch.device("cpu")


@pytest.mark.parametrize("precision, expected", [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_products_are_computed_as_named(precision: Precision, expected: torch.dtype) -> None:
    matrix = torch.eye(4)
    with autocast(precision, CPU):
        assert (matrix @ matrix).dtype is expected


@pytest.mark.parametrize(
    "capabilities, expected",
    [({"avx2": True, "avx512_bf16": False}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16)],
)
def test_auto_avoids_emulation(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert fast_dtype(CPU) is expected
    with autocast("auto", CPU):
        assert (torch.eye(4) @ torch.eye(4)).dtype is expected
