"""The interactive parts of the course, the search, and the diagrams.

``diagrams``      networks, matrix products, minibatches, bytes
``explorers``     softmax and the learning rate, by sliders
``playground``    train a network, watch it, stop it, compare (with ``runs`` and ``pictures``)
``drawing_pad``   draw a digit, and see what a network makes of it (with ``drawing``)
``sweep``         many trainings at once, on this computer or a cluster (with ``pools``)
``search_panel``  a sweep beside the notebook
"""
