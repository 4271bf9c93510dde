-- Times end in _s: seconds since 1970 (UTC). used_s is when a row was last asked for, to within a day.

-- What was found out about a file, by the version of what found it; of the file as it was then.
CREATE TABLE facts (
    path BLOB NOT NULL,
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    json TEXT NOT NULL,
    used_s INTEGER NOT NULL,
    PRIMARY KEY (path, kind, version)
) STRICT;

-- The hash of all of a file.
CREATE TABLE hashes (
    path BLOB NOT NULL PRIMARY KEY,
    bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    used_s INTEGER NOT NULL
) STRICT;

-- What an encode of some frames came to. The key is a hash of all that decides it. Scores are doubles, little-endian.
CREATE TABLE scores (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    bytes INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    scores BLOB NOT NULL CHECK (length(scores) % 8 = 0),
    json TEXT NOT NULL,
    used_s INTEGER NOT NULL
) STRICT;

-- How long one core takes for a frame, smoothed. Steps of complexity are quarters of an octave around 1.
CREATE TABLE performance (
    stage TEXT NOT NULL,
    encoder TEXT NOT NULL,
    pixels INTEGER NOT NULL,
    preset INTEGER NOT NULL,
    complexity_step INTEGER NOT NULL,
    core_s REAL NOT NULL,
    count INTEGER NOT NULL,
    used_s INTEGER NOT NULL,
    PRIMARY KEY (stage, encoder, pixels, preset, complexity_step)
) STRICT;

-- One row a finished run.
CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    when_s INTEGER NOT NULL,
    input TEXT NOT NULL,
    output TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    bytes_in INTEGER NOT NULL,
    bytes_out INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    wall_s REAL NOT NULL,
    encode_s REAL NOT NULL,
    target REAL,
    crf REAL,
    score REAL,
    settings_digest TEXT NOT NULL,
    preset INTEGER NOT NULL
) STRICT;
