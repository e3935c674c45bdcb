"""The gate that keeps banned pictures out.

bank        the banned pictures, in one SQLite file
log         the lines of that file; it is only ever added to
entry       one flagged picture; it is in force until it is withdrawn
look        what is seen of a picture: frames, views, two fingerprints
memory      the entries in force, as they are searched
exchange    entries as a CSV file
"""
