// Where the shell holds the first steps: nothing at all, unless the server is one of `trueup up`; then they are loaded when they are shown.
import { html } from "../lib/html.js";
import { useEffect, useState } from "preact/hooks";
import { lang, t } from "../i18n/i18n.js";
import { askLocal, local, restart, show, tour } from "../live/tour.js";
import { me } from "../live/session.js";
import { Button } from "./basics.js";
import { useCommands } from "./palette.js";

export function FirstSteps() {
  const person = me.value?.name ?? "";
  useEffect(() => {
    if (person) void askLocal();
  }, [person]);
  return person && local.value?.up ? html`<${Here} />` : null;
}

function Here() {
  const [Tour, setTour] = useState(/** @type {any} */ (null));
  const shown = tour.value.shown !== "away";
  const again = { id: "tour", group: t("shell.help"), label: t("tour.restart"), icon: "map", run: restart };
  const goOn = { id: "tour.resume", group: t("shell.help"), label: t("tour.resume"), icon: "map", run: () => show("open") };
  useCommands(shown ? [again] : [goOn, again], [lang.value, shown]);
  useEffect(() => {
    if (shown) void import("../pages/tour.js").then((module) => setTour(() => module.Tour), console.error);
  }, [shown]);
  return shown && Tour && html`<${Tour} />`;
}

/** In the list of shortcuts. @param {{onClick: () => void}} props */
export const FirstStepsAgain = ({ onClick }) =>
  local.value?.up
    ? html`<p><${Button} icon="map" onClick=${() => {
        onClick();
        restart();
      }}>${t("tour.restart")}<//></p>`
    : null;
