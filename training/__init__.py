"""Training: fits an autoencoder on the catalogue's frames, judges it, registers it. The only TensorFlow.

`python -m training fit` does one training in a process of its own: dataset -> fit -> export -> judge -> register.
"""
