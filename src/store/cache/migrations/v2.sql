-- What a batch made of a file under some settings, so that it is not encoded again for nothing.
CREATE TABLE outcomes (
    path BLOB NOT NULL,
    settings_digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    when_s INTEGER NOT NULL,
    used_s INTEGER NOT NULL,
    PRIMARY KEY (path, settings_digest)
) STRICT;
