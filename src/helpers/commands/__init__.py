"""The command line: a file a command, none of which knows another.

command     a module with `add`, which tells argparse its name and arguments, and the function that runs
terminal    what all commands share: printing one line, reading options, stopping when nobody reads
"""
