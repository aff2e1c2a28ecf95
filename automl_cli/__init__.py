"""automl: a command-line experiment runner in which program, space and algorithm are independent.

Nothing is imported here: `automl --help` has to be quick.
"""

__version__ = "0.1.0"
