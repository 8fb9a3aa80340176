"""PyTorch's side of the comparison."""

import time

import numpy as np
import torch
from sides import CORES, SOME_OR_ALL, Side, layers, note, stopwatch
from torch.nn import functional

from course_utils import Network


class Torch(Side):
    """A plain loop over one tensor: no DataLoader, and the quickest of three ways to update."""

    ways = tuple((cores, how) for cores in SOME_OR_ALL for how in ("by hand", "SGD", "fused SGD"))

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.way = (CORES, "by hand")

    def start(self, seed):
        cores, how = self.way
        torch.set_num_threads(cores)
        weights, biases = zip(*layers(Network(self.sizes, rng=seed)), strict=True)
        self.weights = [torch.tensor(W.T.copy(), requires_grad=True) for W in weights]
        self.biases = [torch.tensor(b, requires_grad=True) for b in biases]
        self.parameters = self.weights + self.biases
        self.velocity = [torch.zeros_like(p) for p in self.parameters]
        self.optimiser = None
        if how != "by hand":
            options = {"fused": True} if how == "fused SGD" else {}
            self.optimiser = torch.optim.SGD(
                self.parameters, lr=self.learning_rate, momentum=self.momentum, **options
            )

    def forward(self, X):
        for W, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            X = torch.relu(functional.linear(X, W, b))
        return functional.linear(X, self.weights[-1], self.biases[-1])

    def update(self, loss):
        if self.optimiser:
            self.optimiser.zero_grad()
            loss.backward()
            self.optimiser.step()
            return
        grads = torch.autograd.grad(loss, self.parameters)
        with torch.no_grad():
            if self.momentum:
                torch._foreach_mul_(self.velocity, self.momentum)
                torch._foreach_add_(self.velocity, grads)
                grads = self.velocity
            torch._foreach_add_(self.parameters, grads, alpha=-self.learning_rate)

    def go_through(self, X, y, rng, losses):
        """Train for one epoch."""
        order = torch.from_numpy(rng.permutation(len(X)))
        for start in range(0, len(X), self.batch_size):
            batch = order[start : start + self.batch_size]
            logits = self.forward(X.index_select(0, batch))
            loss = functional.cross_entropy(logits, y.index_select(0, batch))
            self.update(loss)
            losses.append(loss.item())

    def epoch(self, seed):
        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        self.start(seed)
        with stopwatch() as seconds:
            self.go_through(X, y, np.random.default_rng(seed), [])
        return seconds[0]

    def until(self, seed, X_test, y_test, goals, epochs):
        """Train until the last goal is reached; return the seconds to each."""
        X, y = torch.from_numpy(self.X), torch.from_numpy(self.y)
        rng, losses, reached = np.random.default_rng(seed), [], {}
        self.start(seed)
        start = time.perf_counter()
        for _ in range(epochs):
            self.go_through(X, y, rng, losses)
            note(reached, goals, self.accuracy(X_test, y_test), start)
            if len(reached) == len(goals):
                break
        return reached

    def predict(self, X):
        with torch.inference_mode():
            return self.forward(torch.from_numpy(X)).argmax(dim=1).numpy()

    def accuracy(self, X, y):
        return float((self.predict(X) == y).mean())


def predictor(network, cores):
    """Return a function that asks a copy of `network` for the labels of images."""
    pairs = [(torch.tensor(W.T.copy()), torch.tensor(b)) for W, b in layers(network)]
    activate = {"relu": torch.relu, "sigmoid": torch.sigmoid}[network.activation]

    def ask(X):
        torch.set_num_threads(cores)
        with torch.inference_mode():
            A = torch.from_numpy(X)
            for W, b in pairs[:-1]:
                A = activate(functional.linear(A, W, b))
            return functional.linear(A, *pairs[-1]).argmax(dim=1).numpy()

    return ask
