/** Columns: where the prompt of a verdict came from, and what was cut, guessed or skipped. */
export const provenance = `
ALTER TABLE verdicts ADD COLUMN prompt_source TEXT; -- JSON: {"from", "original", "certain", "reason"}
ALTER TABLE verdicts ADD COLUMN notes TEXT NOT NULL DEFAULT '[]'; -- JSON: [text]
`;
