/** Column: when a person put a file back from the reject bin. */
export const restored = `
ALTER TABLE outputs ADD COLUMN restored_at INTEGER; -- Unix milliseconds
`;
