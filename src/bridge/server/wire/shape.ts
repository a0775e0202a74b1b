/** What no message needs more of, in either encoding. */

/** Nested containers; our deepest message has 4, a workflow in it some more. */
export const MAX_DEPTH = 32;
/** Values in one message, names of fields included; 4096 items of 8 fields have 70,000. */
export const MAX_VALUES = 80_000;
/** Text of one message beside its images: prompts and a workflow. Parsing it must not be felt by others. */
export const MAX_TEXT_BYTES = 8 * 2 ** 20;
/** What a value takes in memory beside its own bytes, roughly. */
export const VALUE_BYTES = 48;
