"""A whole sampling run as one CUDA graph: the host launches it once for each batch, instead of kernel by kernel."""

from collections import deque
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from samplerbench.methods import Sampler
from samplerbench.networks.counted import CountedNetwork
from samplerbench.networks.loaded import LoadedNetwork
from samplerbench.sampling.generate import initial_noise, labels_for, states
from samplerbench.sampling.noise import ImageNoise

Run = Callable[[], Tensor]
Capture = Callable[[Run, torch.device], Run]


def cuda_graph(run: Run, device: torch.device) -> Run:
    """Record the work of `run` on a GPU; the result repeats it on the same memory, and returns the same tensor."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        run()  # libraries choose their kernels and take their memory, which they must not do while recording
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream), torch.cuda.graph(graph, stream=stream):
        last = run()

    def replay() -> Tensor:
        graph.replay()
        return last

    return replay


class StaticNoise:
    """The noise of a recorded run: a tensor for each draw, which stays where it is and is refilled."""

    def __init__(self) -> None:
        self._buffers: list[Tensor] = []
        self._draws = 0

    def __call__(self, x: Tensor) -> Tensor:
        """The tensor of the next draw, in the shape and dtype of x (B, C, H, W)."""
        if self._draws == len(self._buffers):
            self._buffers.append(torch.zeros_like(x))
        self._draws += 1
        return self._buffers[self._draws - 1]

    def rewind(self) -> None:
        """The next draw is the first one."""
        self._draws = 0

    def refill(self, noise: ImageNoise) -> None:
        """Draw all of it for these images, in the order in which a run would."""
        for buffer in self._buffers:
            buffer.copy_(noise(buffer))


class Recording:
    """The sampling run of a full batch, recorded once; only its noise and its labels change.

    evaluations: of single images in a run, counted while it was recorded.
    """

    evaluations: int

    def __init__(self, sampler: Sampler, network: LoadedNetwork, size: int, capture: Capture = cuda_graph):
        """size: of the batch. capture: records a run, with `capture(run, device)`, and returns what repeats it.

        Raises whatever the method or the device raises, as where the method waits for the device.
        """
        self._sampler, self._network = sampler, network
        any_images = ImageNoise(0, range(size))
        self._images, self._labels = initial_noise(network, any_images), labels_for(network, any_images)
        self._noise = StaticNoise()
        self._run()  # finds the draws: none may be new while recording
        self._repeat = capture(self._run, network.device)

    def _run(self) -> Tensor:
        counted = CountedNetwork(self._network.net, self._network.dtype)
        self._noise.rewind()
        made = states(self._sampler, self._network, counted, self._images, self._labels, self._noise)
        last = deque(made, maxlen=1).pop()
        self.evaluations = counted.evaluations
        return last

    def replay(
        self, counted: CountedNetwork, images: Tensor, labels: Tensor | None, noise: ImageNoise
    ) -> Iterator[Tensor]:
        """Repeat the run on noise and labels of its batch size; yields the last state (B, C, H, W) alone."""
        self._images.copy_(images)
        if self._labels is not None and labels is not None:
            self._labels.copy_(labels)
        self._noise.refill(noise)
        last = self._repeat().clone()  # the next replay overwrites it
        counted.evaluations += self.evaluations
        yield last
