"""How an encoder's accuracy grows with training, from nothing and from day to day, and what a new video loses."""
