// Whether there is no room for more than a phone shows; moves as the window does.
import { signal } from "@preact/signals";

const asked = typeof matchMedia === "undefined" ? null : matchMedia("(max-width: 700px)");
export const narrow = signal(asked?.matches ?? false);
asked?.addEventListener("change", () => (narrow.value = asked.matches));
