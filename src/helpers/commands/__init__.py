"""The command line: a file a command, none of which knows another.

command     a module with `add`, which tells argparse the name, the arguments and what runs
terminal    what all commands share: one line of text, options of reading, readers who leave
"""
