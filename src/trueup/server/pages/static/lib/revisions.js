// Revisions within what is written for people. Pure.

/** A message with its digests as short as people say them. @param {string} text */
export const shortened = (text) => text.replace(/(?:sha(?:1|256|512):)?\b([0-9a-f]{7})[0-9a-f]{33,121}\b/g, "$1");
