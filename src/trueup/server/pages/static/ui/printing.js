// Whether the page is being printed: then it says everything at once, and nothing that has to be moved or opened.
import { useEffect, useState } from "preact/hooks";

export function usePrinting() {
  const [printing, setPrinting] = useState(() => matchMedia("print").matches);
  useEffect(() => {
    const query = matchMedia("print");
    const changed = () => setPrinting(query.matches);
    const begin = () => setPrinting(true);
    const end = () => setPrinting(false);
    query.addEventListener("change", changed);
    addEventListener("beforeprint", begin);
    addEventListener("afterprint", end);
    return () => {
      query.removeEventListener("change", changed);
      removeEventListener("beforeprint", begin);
      removeEventListener("afterprint", end);
    };
  }, []);
  return printing;
}
