"""What it costs to watch: the playground's speed beside that of `train`, its bytes, its memory."""

import asyncio
import gc
import json
import time
import tracemalloc

from course_utils import Network, load_mnist, train
from course_utils.lab.playground import Playground

(X_train, y_train), test = load_mnist()
sent = []


def send(content, buffers=()):
    """Do what a kernel does to send a message, but for the wire."""
    sent.append(len(json.dumps(content)) + sum(len(bytes(buffer)) for buffer in buffers))


async def in_panel(**knobs):
    """Return the seconds of a run in a panel that is looked at, and the bytes that it sent."""
    panel = Playground(X_train, y_train, *test)
    panel.view.send = send
    hello = {"content": {"data": {"method": "custom", "content": {"type": "hello"}}}, "buffers": []}
    panel.view.comm.handle_msg(hello)
    for name, value in knobs.items():
        panel.knobs[name].value = value
    sent.clear()
    start = time.perf_counter()
    panel.train()
    while panel.training:
        await asyncio.sleep(0)
    seconds = time.perf_counter() - start
    panel.close()
    return seconds, sum(sent)


def by_train(batch_size):
    start = time.perf_counter()
    options = {"batch_size": batch_size, "validation": test, "progress": False}
    train(Network([784, 20, 10]), X_train, y_train, **options)
    return time.perf_counter() - start


print("batch size   train, s   panel, s   share of train's speed   MB sent")
for batch_size in (5, 32, 100):
    rounds = []
    for _ in range(3):
        alone, (shown, size) = by_train(batch_size), asyncio.run(in_panel(batch_size=batch_size))
        rounds.append((alone / shown, alone, shown, size))
    share, alone, shown, size = sorted(rounds)[1]  # the median
    print(f"{batch_size:10d}   {alone:8.2f}   {shown:8.2f}   {share:22.0%}   {size / 1e6:7.2f}")

X_train, y_train, test = X_train[:1000], y_train[:1000], tuple(part[:1000] for part in test)
tracemalloc.start()
for panels in range(1, 51):
    asyncio.run(in_panel(epochs=1))
    gc.collect()
    if panels in (1, 10, 50):
        print(f"memory after {panels:2d} panels: {tracemalloc.get_traced_memory()[0] / 1e6:.2f} MB")
