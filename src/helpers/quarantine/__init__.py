"""Files moved so that none is lost.

plan        a table: what stays, what may go, and why
moving      carry a plan out, or undo it
journal     what was begun and what was done, a line each
lines       what these lines say, and which of them can be true
"""
