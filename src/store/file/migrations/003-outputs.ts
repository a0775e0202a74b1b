/** Tables: the hosts that are watched, and one row a file of theirs that was scored. */
export const outputs = `
CREATE TABLE hosts (
  url TEXT PRIMARY KEY,
  watched_since INTEGER NOT NULL -- Unix milliseconds
) STRICT;

-- A name that the host gives to another image later keeps its row, which then tells of the newer image.
CREATE TABLE outputs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  host TEXT NOT NULL,
  type TEXT NOT NULL,
  subfolder TEXT NOT NULL,
  filename TEXT NOT NULL,
  prompt_id TEXT,
  node TEXT,
  sha256 TEXT, -- of the file as it is now; null when it could not be fetched
  next_sha256 TEXT, -- of the file as a tag that is being written makes it
  at INTEGER NOT NULL, -- Unix milliseconds when it was fetched
  verdict INTEGER REFERENCES verdicts (id) ON DELETE SET NULL,
  action TEXT NOT NULL CHECK (action IN ('keep', 'tag', 'move')),
  state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'failed')),
  reason TEXT,
  UNIQUE (host, type, subfolder, filename)
) STRICT;

CREATE INDEX outputs_by_verdict ON outputs (verdict) WHERE verdict IS NOT NULL;
CREATE INDEX outputs_pending ON outputs (host, id) WHERE state = 'pending';
`;
