// A text field that tells its value when it is left, or by Enter: what was typed until then stands there, whatever is drawn meanwhile.
import { html } from "../lib/html.js";
import { useState } from "preact/hooks";

/** @param {{shown: string, tell: (text: string) => void, rows?: number, [attribute: string]: any}} props `rows`: of several lines */
export function Typing({ shown, tell, rows, ...attributes }) {
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  const all = {
    class: "input",
    ...attributes,
    value: typed ?? shown,
    onInput: (/** @type {any} */ event) => setTyped(event.currentTarget.value),
    onChange: (/** @type {any} */ event) => {
      tell(event.currentTarget.value);
      setTyped(null);
    },
    onBlur: () => setTyped(null),
  };
  return rows ? html`<textarea rows=${rows} ...${all}></textarea>` : html`<input ...${all} />`;
}
