"""The tables, as they are after the newest migration.

Journals, runs and roll-ups are made to be read with the ``sqlite3`` shell by somebody who has never seen this program:
try ``SELECT * FROM readable_chunk``. Samples are compressed: ``linecontrol history samples TAG`` shows them. Times are
line time in microseconds since 1970, UTC. Every table carries the line, so several lines can share a database.
"""

from __future__ import annotations

import sqlalchemy as sa

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0008", "0009", "0010", "0011")
"""Every schema there has been, oldest first. The last is the one this program writes."""

VERSION_TABLE = "schema_version"

metadata = sa.MetaData()

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only INTEGER counts up by itself in SQLite
Real = sa.Double[float]()
Micros = sa.BigInteger()

line = sa.Table(
    "line",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(200), nullable=False, unique=True),
)

tag = sa.Table(
    "tag",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("alias", sa.String(200), nullable=False),
    sa.Column("station", sa.String(200), nullable=False),
    sa.Column("unit", sa.String(50), nullable=False),
    sa.Column("type", sa.String(20), nullable=False),
    sa.UniqueConstraint("line_id", "name", name="tag_once_per_line"),
)

tail = sa.Table(
    "tail",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("writer", sa.String(64), nullable=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("start_us", Micros, nullable=False),
    sa.Column("end_us", Micros, nullable=False),
    sa.Column("rows", sa.Integer, nullable=False),
    sa.Column("samples", sa.LargeBinary, nullable=False),
    sa.Column("texts", sa.Text),
    sa.Column("hash", sa.String(64)),
)
"""Fresh samples, as they were committed: a row for each commit, and nothing else is written for it. ``writer`` and
``number`` are the mark of the batch, as in ``spool_state``; ``hash`` covers the row and the one before it."""

block = sa.Table(
    "block",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("start_us", Micros, nullable=False),
    sa.Column("end_us", Micros, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("archive", sa.String(200)),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Index("block_by_time", "line_id", "start_us"),
)
"""Samples that were sealed together. ``archive``: the file they have been copied to. ``data``: the compressed columns
of its chunks, one after another: so a page holds nothing but data, and all tags of an hour are read as one row."""

axis = sa.Table(
    "axis",
    metadata,
    sa.Column("block_id", Id, primary_key=True, autoincrement=False),
    sa.Column("number", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("times", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
"""Times that the tags of one station share within a block."""

chunk = sa.Table(
    "chunk",
    metadata,
    sa.Column("line_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("block_id", Id, primary_key=True, autoincrement=False),
    sa.Column("tag_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start_us", Micros, nullable=False),
    sa.Column("end_us", Micros, nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("numbers", sa.Integer, nullable=False),
    sa.Column("low", Real),
    sa.Column("high", Real),
    sa.Column("weight_us", Micros, nullable=False),
    sa.Column("integral", Real, nullable=False),
    sa.Column("last", Real),
    sa.Column("last_status", sa.BigInteger, nullable=False),
    sa.Column("axis", sa.SmallInteger),
    sa.Column("offset", sa.Integer, nullable=False),
    sa.Column("times_bytes", sa.Integer, nullable=False),
    sa.Column("values_bytes", sa.Integer, nullable=False),
    sa.Column("notes_bytes", sa.Integer, nullable=False),
    sa.Index("chunk_by_tag", "tag_id", "start_us"),
)
"""One tag's samples of a block: their roll-up, and where in the block's ``data`` they lie, compressed (see ``series``).
In PostgreSQL a partition a line.

``numbers``: rows that are GOOD numbers; ``low``, ``high`` of these; ``weight_us``: how long such a value held, within
the chunk; ``integral``: of the held value over that time; ``last`` and ``last_status``: what holds after the chunk."""

event = sa.Table(
    "event",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("time_us", Micros, nullable=False),
    sa.Column("kind", sa.String(100), nullable=False),
    sa.Column("source", sa.String(200), nullable=False),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("active", sa.SmallInteger),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("data", sa.Text),
    sa.Index("event_by_time", "line_id", "time_us"),
)

command = sa.Table(
    "command",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("time_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("tag", sa.String(200), nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("expected", sa.Text),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("old", sa.Text),
    sa.Column("readback", sa.Text),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Index("command_by_time", "line_id", "time_us"),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.String(200), primary_key=True),
    sa.Column("recipe", sa.String(200), nullable=False),
    sa.Column("recipe_hash", sa.String(200), nullable=False),
    sa.Column("state", sa.String(50), nullable=False),
    sa.Column("started_us", Micros),
    sa.Column("ended_us", Micros),
    sa.Column("record", sa.Text, nullable=False),
    sa.Column("snapshot", sa.Text, nullable=False),
    sa.Column("updated_us", Micros, nullable=False),
    sa.Index("run_by_update", "line_id", "updated_us"),
)

run_version = sa.Table(
    "run_version",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.String(200), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("made_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("record", sa.Text, nullable=False),
)
"""Every version of a finished run's record. Only ever added to; the newest is also in ``run``."""

recipe = sa.Table(
    "recipe",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(200), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("saved_us", Micros, nullable=False),
)

lab = sa.Table(
    "lab",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("lab_id", sa.String(60), nullable=False),
    sa.Column("tag", sa.String(200), nullable=False),
    sa.Column("value", Real, nullable=False),
    sa.Column("u", Real, nullable=False),
    sa.Column("sampled_us", Micros, nullable=False),
    sa.Column("entered_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("run_id", sa.String(200)),
    sa.Column("replaces", sa.String(60)),
    sa.UniqueConstraint("line_id", "lab_id", name="lab_once_per_line"),
    sa.Index("lab_by_time", "line_id", "sampled_us"),
)
"""Values from the laboratory, each with the time of its sample. Only ever added to: a correction is a new row."""

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(200), primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("updated_us", Micros, nullable=False),
)
"""Where each alarm stands: shelved, out of service, acknowledged, commented. What happened to it is in ``event``."""

user_account = sa.Table(
    "user_account",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("name", sa.String(60), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("password_hash", sa.String(200), nullable=False),
    sa.Column("language", sa.String(5), nullable=False),
    sa.Column("is_enabled", sa.SmallInteger, nullable=False),
    sa.Column("created_us", Micros, nullable=False),
    sa.UniqueConstraint("line_id", "name", name="user_once_per_line"),
)
"""People. Times of this and of the next two tables are real time: a session does not idle faster on a fast plant."""

user_session = sa.Table(
    "user_session",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("user_id", sa.String(32), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("created_us", Micros, nullable=False),
    sa.Column("proved_us", Micros, nullable=False),
    sa.Column("seen_us", Micros, nullable=False),
    sa.Column("address", sa.String(60), nullable=False),
)
"""Sessions that have not ended. Of a token only its hash is known."""

api_token = sa.Table(
    "api_token",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("name", sa.String(60), nullable=False),
    sa.Column("token_hash", sa.String(64), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("created_us", Micros, nullable=False),
    sa.Column("expires_us", Micros),
)

recipe_version = sa.Table(
    "recipe_version",
    metadata,
    sa.Column("id", sa.String(120), primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("version", sa.String(20), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("based_on", sa.String(20), nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("made_us", Micros, nullable=False),
    sa.Column("judged_by", sa.String(200), nullable=False),
    sa.Column("judgement", sa.Text, nullable=False),
    sa.Column("judged_us", Micros),
    sa.Column("activated_by", sa.String(200), nullable=False),
    sa.Column("activation", sa.Text, nullable=False),
    sa.Column("activated_us", Micros),
    sa.Column("retired_us", Micros),
)
"""Versions of recipes that this site has made; the shipped originals are files. What a run ran is in ``recipe``."""

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("time_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("session", sa.String(100), nullable=False),
    sa.Column("address", sa.String(60), nullable=False),
    sa.Column("action", sa.String(200), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("old", sa.Text),
    sa.Column("new", sa.Text),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("audit_by_time", "line_id", "time_us"),
)
"""One row for every change that was asked for over the API, also when it was refused. Only ever added to."""

deviation = sa.Table(
    "deviation",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("deviation_id", sa.String(60), primary_key=True),
    sa.Column("run_id", sa.String(200), nullable=False),
    sa.Column("ccp", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("stage", sa.String(100), nullable=False),
    sa.Column("since_us", Micros, nullable=False),
    sa.Column("opened_us", Micros, nullable=False),
    sa.Column("until_us", Micros),
    sa.Column("value", Real),
    sa.Column("limit", Real),
    sa.Column("unit", sa.String(50), nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("text_zh", sa.Text, nullable=False),
    sa.Column("corrective_action", sa.Text, nullable=False),
    sa.Column("corrective_action_zh", sa.Text, nullable=False),
    sa.Column("responsible", sa.String(20), nullable=False),
    sa.Column("suspect_kg", Real, nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("acted_by", sa.String(200), nullable=False),
    sa.Column("acted_us", Micros),
    sa.Column("closed_by", sa.String(200), nullable=False),
    sa.Column("closed_us", Micros),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index("deviation_by_run", "line_id", "run_id"),
)
"""Limits that were broken: what is suspect (``since_us`` to ``until_us``, at ``stage``) and what was done about it."""

calibration = sa.Table(
    "calibration",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("calibration_id", sa.String(60), primary_key=True),
    sa.Column("item", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("tag", sa.String(200), nullable=False),
    sa.Column("done_us", Micros, nullable=False),
    sa.Column("due_us", Micros, nullable=False),
    sa.Column("entered_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("result", sa.String(20), nullable=False),
    sa.Column("found", sa.Text, nullable=False),
    sa.Column("certificate", sa.Text, nullable=False),
    sa.Index("calibration_by_item", "line_id", "item", "done_us"),
)
"""The register of calibrations, verifications and cleanings. Only ever added to."""

bypass = sa.Table(
    "bypass",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("bypass_id", sa.String(60), primary_key=True),
    sa.Column("interlock", sa.String(100), nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("since_us", Micros, nullable=False),
    sa.Column("until_us", Micros, nullable=False),
    sa.Column("ended_us", Micros),
    sa.Column("ended_by", sa.String(200), nullable=False),
)
"""Interlocks that a supervisor has set out of action for a time."""

lot = sa.Table(
    "lot",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("lot_id", sa.String(60), primary_key=True),
    sa.Column("species", sa.String(100), nullable=False),
    sa.Column("origin", sa.Text, nullable=False),
    sa.Column("grower", sa.Text, nullable=False),
    sa.Column("harvested", sa.String(10), nullable=False),
    sa.Column("received_kg", Real, nullable=False),
    sa.Column("received_us", Micros, nullable=False),
    sa.Column("season", sa.String(60), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
)
"""Root lots as they were received. Only ever added to."""

lot_use = sa.Table(
    "lot_use",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("use_id", sa.String(60), nullable=False),
    sa.Column("run_id", sa.String(200), nullable=False),
    sa.Column("lot_id", sa.String(60), nullable=False),
    sa.Column("from_us", Micros, nullable=False),
    sa.Column("entered_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.UniqueConstraint("line_id", "use_id", name="lot_use_once_per_line"),
    sa.Index("lot_use_by_run", "line_id", "run_id"),
)
"""From when a lot was tipped into the hopper, until the next row of its run. Only ever added to."""

bag = sa.Table(
    "bag",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("bag_id", sa.String(200), primary_key=True),
    sa.Column("run_id", sa.String(200), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("status", sa.String(20), nullable=False),
    sa.Column("opened_us", Micros, nullable=False),
    sa.Column("closed_us", Micros),
    sa.Column("weight_kg", Real, nullable=False),
    sa.Column("moisture_mean", Real),
    sa.Column("moisture_max", Real),
    sa.Column("temp_c", Real),
    sa.Column("aw", Real),
    sa.Column("aw_low", Real),
    sa.Column("aw_high", Real),
    sa.Column("suspect_kg", Real, nullable=False),
    sa.Column("lots", sa.Text, nullable=False),
    sa.Column("suspects", sa.Text, nullable=False),
    sa.Column("passage", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("updated_us", Micros, nullable=False),
    sa.Index("bag_by_run", "line_id", "run_id", "number"),
)
"""Bags of powder. ``lots``, ``suspects`` and ``passage`` are JSON; see linecontrol.history.lots.BagRow."""

bag_lot = sa.Table(
    "bag_lot",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("bag_id", sa.String(200), primary_key=True),
    sa.Column("lot_id", sa.String(60), primary_key=True),
    sa.Column("share", Real, nullable=False),
    sa.Column("kg", Real, nullable=False),
    sa.Index("bag_lot_by_lot", "line_id", "lot_id"),
)
"""``bag.lots`` once more, to be found by lot."""

signed_act = sa.Table(
    "signed_act",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("act_id", sa.String(60), nullable=False),
    sa.Column("run_id", sa.String(200), nullable=False),
    sa.Column("target", sa.String(200), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("time_us", Micros, nullable=False),
    sa.Column("who", sa.String(200), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("meaning", sa.Text, nullable=False),
    sa.UniqueConstraint("line_id", "act_id", name="signed_act_once_per_line"),
    sa.Index("signed_act_by_run", "line_id", "run_id"),
)
"""What people decided about bags and suspect powder, under their name. Only ever added to."""

chain = sa.Table(
    "chain",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(30), nullable=False),
    sa.Column("row_key", sa.Text, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
"""One link for each row of evidence, in the order they were written; see linecontrol.history.chain."""

chain_head = sa.Table(
    "chain_head",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("kinds", sa.Text, nullable=False),
    sa.Column("journal_count", sa.BigInteger, nullable=False),
    sa.Column("journal_hash", sa.String(64), nullable=False),
    sa.Column("tail_id", sa.BigInteger, nullable=False),
    sa.Column("tail_hash", sa.String(64), nullable=False),
)
"""Where the chain of a line ends. ``kinds``: what it covers. ``journal``: how many commands there are, and the hash
that runs through them. ``tail``: the newest row of fresh samples when the chain grew last; 0 = there was none."""

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", Id, primary_key=True),
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), nullable=False),
    sa.Column("time_us", Micros, nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("row", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

spool_state = sa.Table(
    "spool_state",
    metadata,
    sa.Column("line_id", sa.Integer, sa.ForeignKey("line.id"), primary_key=True, autoincrement=False),
    sa.Column("writer", sa.String(64), primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
)
"""The last batch of each writer that is in the database; what makes replay happen exactly once."""
