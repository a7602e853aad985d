"""From a picture to an answer: propose frames, weigh the evidence, say where and when."""
