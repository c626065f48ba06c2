"""Graphs of networks too large to be traced with their weights in memory.

A graph is traced from a network without memory, on torch's meta device. The weights go from wherever they are mapped
straight to a file beside it, in the precision that they come in; a cast makes them float32 when a runtime loads the
graph, so that nothing is rounded.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import onnx_ir as ir
import onnxscript
import torch
from torch import Tensor, nn

from unison_engine.bundle import Graph
from unison_export.graphs import Export, describe, small_terms_kept, trace

_DTYPES = {
    torch.float32: ir.DataType.FLOAT,
    torch.float16: ir.DataType.FLOAT16,
    torch.bfloat16: ir.DataType.BFLOAT16,
    torch.int64: ir.DataType.INT64,
    torch.uint8: ir.DataType.UINT8,
}
# Runtimes map the file into memory, which tensors on the bounds of pages allow.
_PAGE = 4096


def write_mapped(name: str, export: Export, folder: Path) -> Graph:
    """Write the graph `NAME.onnx` and its weights `NAME.data` to a folder; returns its description.

    Parameters of `export.network` may have any precision; what is computed is float32 all the same.
    """
    hollow = dataclasses.replace(
        export,
        network=_hollow(export.network),
        inputs={key: value.to("meta") for key, value in export.inputs.items()},
    )
    model = trace(hollow, optimise=False).model
    tensors = dict(export.network.named_parameters()) | dict(export.network.named_buffers())
    data = folder / f"{name}.data"
    precisions = set()
    with data.open("wb") as file:
        for key, value in list(model.graph.initializers.items()):
            if not value.uses():
                del model.graph.initializers[key]
                continue
            tensor = tensors[key.removeprefix("network.")].detach()
            file.seek(-(-file.tell() // _PAGE) * _PAGE)
            start = file.tell()
            file.write(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
            dtype = _DTYPES[tensor.dtype]
            precisions.add(str(tensor.dtype).removeprefix("torch."))
            value.const_value = ir.ExternalTensor(
                data.name,
                start,
                file.tell() - start,
                dtype,
                shape=ir.Shape(tensor.shape),
                name=key,
                base_dir=str(folder),
            )
            if value.dtype != dtype:
                _cast(model.graph, value)
    # The optimiser would turn every weight round in memory and keep it in the graph; runtimes do so as they load it.
    with small_terms_kept(model):
        onnxscript.optimizer.optimize_ir(model, should_fold=lambda node: False if node.op_type == "Transpose" else None)
    written = folder / f"{name}.onnx"
    ir.save(model, written)
    onnx.checker.check_model(written)
    return describe(export, onnx.load(written, load_external_data=False), written.name, ", ".join(sorted(precisions)))


def _hollow(module: nn.Module) -> nn.Module:
    """A copy without memory, its floating tensors float32."""

    def like(tensor: Tensor) -> Tensor:
        dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
        empty = torch.empty(tensor.shape, dtype=dtype, device="meta")
        return nn.Parameter(empty, requires_grad=False) if isinstance(tensor, nn.Parameter) else empty

    return copy.deepcopy(module, {id(tensor): like(tensor) for tensor in (*module.parameters(), *module.buffers())})


def _cast(graph: ir.Graph, value: ir.Value) -> None:
    """Let what uses an initialiser of lower precision see it in the precision that it was traced in.

    Of a table of which rows are gathered, the rows are cast: a runtime would keep the whole table in float32 otherwise.
    """
    assert value.const_value is not None and value.dtype is not None
    uses, wanted = list(value.uses()), value.dtype
    value.dtype = value.const_value.dtype
    whole = [(user, index) for user, index in uses if user.op_type != "Gather"]
    if whole:
        _widen(value, wanted, whole, lambda cast: graph.insert_before(graph[0], cast))
    for user in dict.fromkeys(user for user, _ in uses if user.op_type == "Gather"):  # In an order that stays.
        rows = user.outputs[0]
        rows.dtype = value.dtype
        _widen(rows, wanted, list(rows.uses()), functools.partial(graph.insert_after, user))


def _widen(
    value: ir.Value, wanted: ir.DataType, uses: Sequence[tuple[ir.Node, int]], insert: Callable[[ir.Node], None]
) -> None:
    """Put a cast between a value and what uses it."""
    node = ir.node("Cast", [value], {"to": wanted})
    node.outputs[0].dtype, node.outputs[0].shape = wanted, value.shape
    for user, index in uses:
        user.replace_input_with(index, node.outputs[0])
    insert(node)
