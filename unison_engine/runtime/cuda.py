"""The few calls of the CUDA runtime that it takes to run an engine: a stream, memory, copies."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from unison_engine.errors import BackendFailed

_INSTALL = "run: pip install 'unison-engine[tensorrt]', on a machine with an NVIDIA driver of version 580 or newer"


class Cuda:
    """The first graphics processor of the machine, and a stream on it in which all that is asked for happens in order.

    Attributes:
        stream: its handle.

    Raises:
        BackendFailed: the bindings, the driver or the processor is missing; and whenever a call fails, with its name.
    """

    def __init__(self) -> None:
        try:
            from cuda.bindings import runtime
        except ImportError as error:
            raise BackendFailed(f"CUDA cannot be used ({error}); {_INSTALL}.") from None
        self._api: Any = runtime
        try:
            count = self._call("cudaGetDeviceCount")
        except BackendFailed as error:
            raise BackendFailed(f"there is no graphics processor of NVIDIA here ({error}); {_INSTALL}.") from None
        if not count:
            raise BackendFailed(f"there is no graphics processor of NVIDIA here; {_INSTALL}.")
        self.stream = int(self._call("cudaStreamCreate"))

    @property
    def name(self) -> str:
        """Such as "NVIDIA H100 80GB HBM3"."""
        return bytes(self._call("cudaGetDeviceProperties", 0).name).partition(b"\0")[0].decode()

    @property
    def capability(self) -> str:
        """Compute capability, such as "SM90"."""
        kinds = self._api.cudaDeviceAttr
        major = self._call("cudaDeviceGetAttribute", kinds.cudaDevAttrComputeCapabilityMajor, 0)
        minor = self._call("cudaDeviceGetAttribute", kinds.cudaDevAttrComputeCapabilityMinor, 0)
        return f"SM{major}{minor}"

    def allocate(self, size: int) -> int:
        """Address of `size` bytes on the device, which are the caller's to free."""
        return int(self._call("cudaMalloc", size))

    def free(self, address: int) -> None:
        """Give memory of `allocate` back."""
        self._call("cudaFree", address)

    def send(self, array: NDArray[Any], address: int) -> None:
        """Copy a contiguous array to the device. It must stay as it is until `wait` returns."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call("cudaMemcpyAsync", address, array.ctypes.data, array.nbytes, kind, self.stream)

    def fetch(self, address: int, array: NDArray[Any]) -> None:
        """Copy from the device into a contiguous array, which is there once `wait` returns."""
        kind = self._api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call("cudaMemcpyAsync", array.ctypes.data, address, array.nbytes, kind, self.stream)

    def wait(self) -> None:
        """Until all that was asked for is done."""
        self._call("cudaStreamSynchronize", self.stream)

    def _call(self, name: str, *arguments: object) -> Any:
        """What a function of the runtime returns beside its error."""
        error, *returned = getattr(self._api, name)(*arguments)
        if error != self._api.cudaError_t.cudaSuccess:
            _, told = self._api.cudaGetErrorString(error)
            raise BackendFailed(f"{name} of CUDA failed: {told.decode()}")
        return returned[0] if returned else None


class Buffer:
    """Memory on the device that grows with what is put there, so that a loop of equal sizes allocates once."""

    def __init__(self, cuda: Cuda) -> None:
        self._cuda = cuda
        self._size = 0
        self.address = 0

    def hold(self, array: NDArray[Any]) -> int:
        """Make room for an array; returns where."""
        if array.nbytes > self._size:
            if self.address:
                self._cuda.free(self.address)
                # Where there is no room, what was freed must not be handed out again.
                self.address = self._size = 0
            self.address, self._size = self._cuda.allocate(array.nbytes), array.nbytes
        return self.address
