"""The interactive parts of the course, the search, and the diagrams.

``diagrams``      networks, matrix products, minibatches, bytes
``explorers``     softmax and the learning rate, by sliders
``network_view``  a network as a live picture: look inside, go back in time, draw a digit
``playground``    train a network, watch it, stop it, compare (with ``live_run``, ``settings``)
``handwriting``   from a photograph of paper to digits in MNIST's form (``photographs``, ``strokes``)
``photo_panel``   upload a photograph, and see how a network reads it
``augmentation``  digits as other hands might have written them
``sweep``         many trainings at once, on this computer or a cluster (with ``pools``)
``search_panel``  a sweep beside the notebook
"""
