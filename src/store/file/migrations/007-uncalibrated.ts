/** A score of a scorer that is not calibrated has no percentile and no interval. SQLite drops no NOT NULL: the table is made anew. */
export const uncalibrated = `
CREATE TABLE aspects_7 (
  verdict INTEGER NOT NULL REFERENCES verdicts (id) ON DELETE CASCADE,
  aspect TEXT NOT NULL,
  score REAL NOT NULL,
  range_low REAL NOT NULL,
  range_high REAL NOT NULL,
  percentile REAL,
  interval_low REAL,
  interval_high REAL,
  coverage REAL,
  raw REAL,
  spread REAL,
  distribution TEXT, -- JSON: {"levels", "probabilities"}
  PRIMARY KEY (verdict, aspect)
) STRICT, WITHOUT ROWID;
INSERT INTO aspects_7
  SELECT verdict, aspect, score, range_low, range_high, percentile, interval_low, interval_high, coverage,
    raw, spread, distribution
  FROM aspects;
DROP TABLE aspects;
ALTER TABLE aspects_7 RENAME TO aspects;
`;
