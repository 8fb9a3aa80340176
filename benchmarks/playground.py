"""What the playground's pictures cost: its speed beside that of `train`, and pictures a second."""

import time

from course_utils import Network, load_mnist, train
from course_utils.lab.playground import Playground

digits = load_mnist()
(X_train, y_train), test = digits
panel = Playground(X_train, y_train, *test)
pictures = []
panel.pictures[0].observe(lambda _: pictures.append(time.perf_counter()), "value")
print("batch size   share of train's speed   pictures a second")
for batch_size in (1, 5, 32, 100):
    panel.knobs["batch_size"].value = batch_size
    shares = []
    for _ in range(3):
        options = {"batch_size": batch_size, "validation": test, "progress": False}
        start = time.perf_counter()
        train(Network([784, 20, 10]), X_train, y_train, **options)
        by_train = time.perf_counter() - start
        panel.reset()
        pictures.clear()
        start = time.perf_counter()
        panel.start()
        panel.wait()
        in_panel = time.perf_counter() - start
        shares.append((by_train / in_panel, len(pictures) / in_panel))
    share, rate = sorted(shares)[1]  # the median
    print(f"{batch_size:10d}   {share:22.0%}   {rate:17.1f}")
