"""Other programs with this project's model and weights, each in a virtual environment of its own.

process.py         this side: starts a driver and asks it, line by line
driver.py          the other side: what every peer does alike
joeynmt_model.py   JoeyNMT 2.3: its layers, search and training step
opennmt_model.py   OpenNMT-py 3.5: the same

`driver.py` runs in the peer's environment, where this project is not installed: it and the two
models import nothing of it.
"""
