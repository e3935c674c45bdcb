"""Editions of the course: what each room can use, made from the chapters into ``editions/``.

learner   a copy to work in: no outputs, no answers; ``make lab`` opens it (`contents`)
teacher   the same with outputs, answers, what learners get wrong, and minutes (`contents`)
short     *Fingerprints in 45 minutes*: the cells with the tag ``short`` of chapters 0 to 4 (`contents`)
book      pages to read and search, from disk as well (`book`)
lite      chapters that run in a browser with nothing installed (`lite`, served by `serve`)
bundle    a zip a system, for a room without a network (`bundle`)

``python notebooks/run.py --edition NAME`` makes one, and git ignores them. The first three are copies
to work in: what somebody changed there is never overwritten (`copies`).
"""
