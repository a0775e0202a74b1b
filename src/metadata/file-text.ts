/** A text that an image file carries, or a place of one that could not be read. */
export interface FileText {
  /** For people: `PNG chunk parameters`. */
  place: string;
  /** Name of the chunk, tag or property. */
  key: string;
  text: string;
  /** Why the text is not there, though the file may have one. */
  unread?: string;
}

export const unread = (place: string, reason: string): FileText => ({
  ...{ place, key: '', text: '', unread: reason },
});

/** For what stands behind a damage. */
export const CUT = unread('the file', 'is damaged or cut short');
