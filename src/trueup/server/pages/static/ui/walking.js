// Walking long lists by arrow keys. The controls in their rows are no stops of Tab: there may be thousands, and no way out behind them.

const CONTROLS = "a[href], button:not(:disabled), input:not(:disabled)";

/** @param {Element | null | undefined} element */
const focus = (element) => element instanceof HTMLElement && element.focus({ preventScroll: true });

/** Right leads from a table into the controls of its row and along them, Left back, any other way out of them too. @param {KeyboardEvent} event @param {number} cursor @returns {boolean} whether it was a step of that kind */
export function walkRow(event, cursor) {
  const [box, target] = [event.currentTarget, event.target];
  if (!(box instanceof HTMLElement) || !(target instanceof Element)) return false;
  const row = target === box ? box.querySelector(`#row-${cursor}`) : target.closest('[role="row"]');
  const controls = [...(row?.querySelectorAll(CONTROLS) ?? [])];
  const at = controls.indexOf(target);
  if (target === box) {
    if (event.key !== "ArrowRight" || !controls.length) return false;
    focus(controls[0]);
  } else if (event.key === "ArrowRight") focus(controls[Math.min(at + 1, controls.length - 1)]);
  else if (event.key === "ArrowLeft" && at > 0) focus(controls[at - 1]);
  else if (["ArrowLeft", "ArrowUp", "ArrowDown", "Escape"].includes(event.key)) focus(box);
  else return false;
  event.preventDefault();
  event.stopPropagation();
  return true;
}

/** Left and Right along tiles and what is on them, Up and Down between their rows, Escape back to the list. @param {KeyboardEvent} event @param {number} columns */
export function walkTiles(event, columns) {
  const [box, target] = [event.currentTarget, event.target];
  if (!(box instanceof HTMLElement) || !(target instanceof Element)) return;
  const all = [...box.querySelectorAll(CONTROLS)];
  const tiles = all.filter((one) => one.matches(".tile"));
  const at = all.indexOf(target);
  const tile = tiles.indexOf(target.closest(".tile") ?? target);
  /** @type {Element | null | undefined} */ let to;
  if (target === box) to = ["ArrowRight", "ArrowDown"].includes(event.key) ? tiles.find((one) => one.getBoundingClientRect().top >= box.getBoundingClientRect().top) : null;
  else if (event.key === "ArrowRight") to = all[at + 1];
  else if (event.key === "ArrowLeft") to = at > 0 ? all[at - 1] : box;
  else if (event.key === "ArrowDown") to = tiles[tile + columns];
  else if (event.key === "ArrowUp") to = tile >= columns ? tiles[tile - columns] : box;
  else if (event.key === "Escape") to = box;
  if (!to) return;
  focus(to);
  to.scrollIntoView({ block: "nearest" });
  event.preventDefault();
  event.stopPropagation();
}
