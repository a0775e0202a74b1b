/** Tables: one row a verdict, one row an aspect of it, and the stamps of the weights that made them, each once. */
export const verdicts = `
CREATE TABLE stamps (
  id INTEGER PRIMARY KEY,
  version TEXT NOT NULL,
  variant TEXT NOT NULL,
  weights TEXT NOT NULL,
  calibration TEXT NOT NULL,
  UNIQUE (version, variant, weights, calibration)
) STRICT;

-- AUTOINCREMENT: a row id is never given twice, for cursors and whatever else refers to a verdict.
CREATE TABLE verdicts (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL, -- Unix milliseconds
  client TEXT NOT NULL,
  item TEXT NOT NULL,
  source TEXT,
  sha256 TEXT,
  width INTEGER,
  height INTEGER,
  prompt TEXT,
  scorer TEXT,
  stamp INTEGER REFERENCES stamps (id),
  reward REAL,
  decision TEXT CHECK (decision IN ('accept', 'reject', 'unsure')),
  guards TEXT NOT NULL, -- JSON: [{"guard", "message"}]
  reasons TEXT NOT NULL, -- JSON: [text]
  decode_ms REAL,
  queue_ms REAL,
  infer_ms REAL,
  total_ms REAL,
  error_code TEXT,
  error_message TEXT
) STRICT;

-- An aspect that is null in the result has no row.
CREATE TABLE aspects (
  verdict INTEGER NOT NULL REFERENCES verdicts (id) ON DELETE CASCADE,
  aspect TEXT NOT NULL,
  score REAL NOT NULL,
  range_low REAL NOT NULL,
  range_high REAL NOT NULL,
  percentile REAL NOT NULL,
  interval_low REAL NOT NULL,
  interval_high REAL NOT NULL,
  coverage REAL NOT NULL,
  PRIMARY KEY (verdict, aspect)
) STRICT, WITHOUT ROWID;
`;
