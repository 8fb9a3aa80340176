"""scikit-learn's side of the comparison."""

import warnings

import numpy as np
from sides import SOME_OR_ALL, Side, blas, layers, stopwatch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier


class ScikitLearn(Side):
    """One pass of `MLPClassifier.fit`, without momentum and without L2."""

    ways = tuple(SOME_OR_ALL)

    def epoch(self, seed):
        self.network = MLPClassifier(
            self.sizes[1:-1],
            solver="sgd",
            alpha=0,
            batch_size=min(self.batch_size, len(self.X)),
            learning_rate_init=self.learning_rate,
            momentum=self.momentum,
            nesterovs_momentum=False,
            max_iter=1,
            random_state=seed,
        )
        with blas().limit(limits=self.way, user_api="blas"), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one pass is all we ask for
            with stopwatch() as seconds:
                self.network.fit(self.X, self.y)
        return seconds[0]

    def accuracy(self, X, y):
        return self.network.score(X, y)


def predictor(network, cores):
    """Return a function that asks a copy of `network` for the labels of images."""
    hidden = network.layer_sizes[1:-1]
    activation = {"relu": "relu", "sigmoid": "logistic"}[network.activation]
    copied = MLPClassifier(hidden, activation=activation, batch_size=10, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        copied.fit(np.zeros((10, 784), np.float32), np.arange(10))
    copied.coefs_, copied.intercepts_ = map(list, zip(*layers(network), strict=True))

    def ask(X):
        with blas().limit(limits=cores, user_api="blas"):
            return copied.predict(X)

    return ask
