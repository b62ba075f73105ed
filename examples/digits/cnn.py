"""A small convolutional network in numpy: layers with their gradients, and the Adam optimiser.

Every layer has `forward(x)`, which remembers what its gradient needs, and `backward(dy)`, which returns the gradient
with respect to `x` and leaves those of its parameters in `grads`. Arrays are float32, images [N, C, H, W].
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class Layer:
    """A differentiable function; `params` and `grads` hold its arrays under the same names."""

    def __init__(self) -> None:
        self.params: dict[str, np.ndarray] = {}
        self.grads: dict[str, np.ndarray] = {}

    def forward(self, x: np.ndarray) -> np.ndarray:
        """The value of the layer at `x`."""
        raise NotImplementedError

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """The gradient at the last `x`, given the gradient `dy` of the result."""
        raise NotImplementedError


class Conv3x3(Layer):
    """Y[n, f] = sum_c W[f, c] * X[n, c] + b[f] with a 3x3 kernel, stride 1 and one pixel of zero padding."""

    def __init__(self, channels_in: int, channels_out: int, rng: np.random.Generator) -> None:
        super().__init__()
        scale = np.sqrt(2.0 / (channels_in * 9))
        self.params["weight"] = (rng.standard_normal((channels_out, channels_in, 3, 3)) * scale).astype(np.float32)
        self.params["bias"] = np.zeros(channels_out, np.float32)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """[N, C, H, W] to [N, F, H, W]."""
        n, c, h, w = x.shape
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        self.columns = windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * 9)
        self.shape = x.shape
        weight = self.params["weight"]
        y: np.ndarray = self.columns @ weight.reshape(len(weight), -1).T + self.params["bias"]
        return y.reshape(n, h, w, -1).transpose(0, 3, 1, 2)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """[N, F, H, W] to [N, C, H, W]."""
        n, c, h, w = self.shape
        weight = self.params["weight"]
        rows = dy.transpose(0, 2, 3, 1).reshape(-1, len(weight))
        self.grads["weight"] = (rows.T @ self.columns).reshape(weight.shape)
        self.grads["bias"] = rows.sum(axis=0)
        columns = (rows @ weight.reshape(len(weight), -1)).reshape(n, h, w, c, 3, 3)
        padded = np.zeros((n, c, h + 2, w + 2), np.float32)
        for i in range(3):
            for j in range(3):
                padded[:, :, i : i + h, j : j + w] += columns[..., i, j].transpose(0, 3, 1, 2)
        return padded[:, :, 1:-1, 1:-1]


class Relu(Layer):
    """Y = max(X, 0)."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """Any shape to the same shape."""
        self.positive = x > 0
        return x * self.positive

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """Any shape to the same shape."""
        return dy * self.positive


class MaxPool2x2(Layer):
    """The largest of each block of 2x2 pixels; height and width must be even."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """[N, C, H, W] to [N, C, H / 2, W / 2]."""
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.choice = blocks.argmax(axis=-1)[..., None]
        return np.take_along_axis(blocks, self.choice, axis=-1)[..., 0]

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """[N, C, H / 2, W / 2] to [N, C, H, W]."""
        n, c, h, w = dy.shape
        blocks = np.zeros((n, c, h, w, 4), np.float32)
        np.put_along_axis(blocks, self.choice, dy[..., None], axis=-1)
        return blocks.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h * 2, w * 2)


class Flatten(Layer):
    """Everything but the batch in one dimension."""

    def forward(self, x: np.ndarray) -> np.ndarray:
        """[N, ...] to [N, K]."""
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """[N, K] to [N, ...]."""
        return dy.reshape(self.shape)


class Dense(Layer):
    """Y = X W + b."""

    def __init__(self, size_in: int, size_out: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.params["weight"] = (rng.standard_normal((size_in, size_out)) / np.sqrt(size_in)).astype(np.float32)
        self.params["bias"] = np.zeros(size_out, np.float32)

    def forward(self, x: np.ndarray) -> np.ndarray:
        """[N, K] to [N, M]."""
        self.x = x
        y: np.ndarray = x @ self.params["weight"] + self.params["bias"]
        return y

    def backward(self, dy: np.ndarray) -> np.ndarray:
        """[N, M] to [N, K]."""
        self.grads["weight"] = self.x.T @ dy
        self.grads["bias"] = dy.sum(axis=0)
        dx: np.ndarray = dy @ self.params["weight"].T
        return dx


def build_network(rng: np.random.Generator) -> list[Layer]:
    """The layers of the digit classifier: [N, 1, 8, 8] to logits [N, 10]."""
    return [
        Conv3x3(1, 16, rng),
        Relu(),
        Conv3x3(16, 32, rng),
        Relu(),
        MaxPool2x2(),
        Conv3x3(32, 48, rng),
        Relu(),
        MaxPool2x2(),
        Flatten(),
        Dense(48 * 2 * 2, 10, rng),
    ]


def forward(layers: Sequence[Layer], x: np.ndarray) -> np.ndarray:
    """The logits [N, 10] of images [N, 1, 8, 8]."""
    for layer in layers:
        x = layer.forward(x)
    return x


def softmax(logits: np.ndarray) -> np.ndarray:
    """exp(x) / sum(exp(x)) over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: np.ndarray = shifted / shifted.sum(axis=-1, keepdims=True)
    return probabilities


def backward(layers: Sequence[Layer], logits: np.ndarray, labels: np.ndarray) -> float:
    """Leaves the gradient of the mean cross entropy in every layer and returns the loss."""
    probabilities = softmax(logits)
    rows = np.arange(len(labels))
    loss = -float(np.log(probabilities[rows, labels] + 1e-12).mean())
    gradient = probabilities
    gradient[rows, labels] -= 1
    gradient /= len(labels)
    for layer in reversed(layers):
        gradient = layer.backward(gradient)
    return loss


class Adam:
    """Adam with decoupled weight decay on the weights (Kingma and Ba 2015; Loshchilov and Hutter 2019)."""

    def __init__(self, layers: Sequence[Layer], weight_decay: float) -> None:
        self.layers = layers
        self.weight_decay = weight_decay
        self.steps = 0
        self.means = [{name: np.zeros_like(p) for name, p in layer.params.items()} for layer in layers]
        self.squares = [{name: np.zeros_like(p) for name, p in layer.params.items()} for layer in layers]

    def step(self, learning_rate: float) -> None:
        """Moves every parameter along its remembered gradient."""
        self.steps += 1
        rate = learning_rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for layer, means, squares in zip(self.layers, self.means, self.squares, strict=True):
            for name, grad in layer.grads.items():
                means[name] += 0.1 * (grad - means[name])
                squares[name] += 0.001 * (grad * grad - squares[name])
                if name == "weight":
                    layer.params[name] *= 1 - learning_rate * self.weight_decay
                layer.params[name] -= rate * means[name] / (np.sqrt(squares[name]) + 1e-8)
