// A part that is not looked into again while what it shows is the same. Words and signals that it reads itself still reach it.
// Never keep elements for that purpose: each holds the tree that it was drawn in, and through it all earlier ones.
import { h } from "preact";

/** @template {Record<string, any>} P @param {(props: P) => any} part @param {readonly (keyof P)[]} by the properties that decide; functions among the others must not change what they do @returns {(props: P) => any} */
export function memo(part, by) {
  /** @this {any} @param {P} props */
  function Memo(props) {
    this.shouldComponentUpdate = (/** @type {P} */ next) => by.some((name) => next[name] !== this.props[name]);
    return h(/** @type {any} */ (part), props);
  }
  return Memo;
}
