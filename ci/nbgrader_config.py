"""nbgrader settings for courses whose notebooks run on the mlsys kernel.

Copy this file to the course folder (or import it from the course's own nbgrader_config.py). nbgrader knows stubs for
a few languages only and refuses others, so it is told ours; the text is the one that `mlsys-grade generate` writes.
"""

c = get_config()  # noqa: F821  (given by traitlets)

STUB = '// YOUR CODE HERE\nthrow new Error("Not implemented");'
c.ClearSolutions.code_stub = {"typescript": STUB, "javascript": STUB}

# Learners delete cells by accident; the kernel reads the "# This cell was missing" line that nbgrader adds.
c.OverwriteCells.add_missing_cells = True

# A test cell runs all its tests, each with time limits of its own.
c.Execute.timeout = 120
c.Execute.interrupt_on_timeout = True
