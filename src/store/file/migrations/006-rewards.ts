/**
 * Columns: which images were compared with each other, what a model said before it was calibrated, and a mark by which
 * a request that is sent again is not recorded again.
 */
export const rewards = `
ALTER TABLE verdicts ADD COLUMN item_group TEXT;
ALTER TABLE verdicts ADD COLUMN truncated INTEGER NOT NULL DEFAULT 0 CHECK (truncated IN (0, 1));
ALTER TABLE verdicts ADD COLUMN once TEXT; -- of the idempotency key, the scorer and the place in the request
ALTER TABLE aspects ADD COLUMN raw REAL;
ALTER TABLE aspects ADD COLUMN spread REAL;
ALTER TABLE aspects ADD COLUMN distribution TEXT; -- JSON: {"levels", "probabilities"}
CREATE UNIQUE INDEX verdicts_once ON verdicts (once) WHERE once IS NOT NULL;
`;
