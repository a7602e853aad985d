"""The families of autoencoders that can be trained."""
