"""The log of a bank: one SQLite file that is only ever added to."""

from datetime import UTC, datetime

#: The number of the way in which the file is laid out.
FORMAT = 1

PATIENCE = 60  # seconds to wait while other processes write
NO_BANK = "{}: is not a bank; check the spelling, or choose a new name"
REPLACED = "{}: another file has taken its place, or it has gone; open the bank anew"

SETTINGS = "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL)"
SCHEMA = (
    SETTINGS,
    """CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    action TEXT NOT NULL,
    entry INTEGER NOT NULL,
    fingerprint TEXT NOT NULL CHECK (length(fingerprint) = 16 AND fingerprint NOT GLOB '*[^0-9a-f]*'),
    reason TEXT NOT NULL,
    source TEXT NOT NULL,
    CHECK (action = 'flag' AND entry = id OR action = 'unflag' AND entry < id)
)""",
    "CREATE UNIQUE INDEX withdrawn_once ON events (entry) WHERE action = 'unflag'",
    "CREATE TRIGGER never_changed BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END",
    "CREATE TRIGGER never_deleted BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'a log is only added to'); END",
)
INSERT = "INSERT INTO events (id, time, action, entry, fingerprint, reason, source) VALUES (?, ?, ?, ?, ?, ?, ?)"


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
