"""Of this folder pytest takes the test alone: the campaigns run in processes of their own."""

_OTHERS = (
    "harness run journals banks shelves pictures tables command_lines kills full_disks folders "
    "intervals cluster_kills"
)
collect_ignore = [f"{name}.py" for name in _OTHERS.split()]
