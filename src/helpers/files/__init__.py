"""Files that are whole or absent, tables as spreadsheets leave them, places, and work shared out.

atomic      a file or folder appears whole or not at all
download    a large file comes over a bad network, and goes on where it was broken off
exclusive   one process at a time works on a path
guard       what may be written by name, and what may be read whole
place       where a path really leads, and where the kit keeps its own data
table       a CSV file that may pass through a spreadsheet
worker      one of several processes that share a job
"""
