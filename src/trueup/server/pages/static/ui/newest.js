// What an event builds on: of two in one frame, the second would take away what the first changed, for it knows only what was drawn.
import { useRef } from "preact/hooks";

/** What is drawn, or what an event has put in its place already. @template T @param {T} drawn @returns {{current: T}} */
export function useNewest(drawn) {
  const held = useRef(drawn);
  held.current = drawn;
  return held;
}
