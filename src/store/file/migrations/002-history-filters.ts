/** Indexes for the filters of the history. Each ends in the row id, so a page comes out in order, unsorted. */
export const historyFilters = `
CREATE INDEX verdicts_by_sha256 ON verdicts (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX verdicts_by_scorer ON verdicts (scorer);
CREATE INDEX verdicts_by_decision ON verdicts (decision);
CREATE INDEX verdicts_by_at ON verdicts (at);
CREATE INDEX verdicts_by_reward ON verdicts (reward) WHERE reward IS NOT NULL;
CREATE INDEX verdicts_failed ON verdicts (id) WHERE error_code IS NOT NULL;
`;
