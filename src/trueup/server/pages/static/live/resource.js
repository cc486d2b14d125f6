// What a view shows of one call: waiting, an answer, or what went wrong; asked again when its key changes.
import { useEffect, useRef, useState } from "preact/hooks";
import { Problem } from "./api.js";
import { follow } from "./stream.js";

/** @template T @typedef {{data: T | null, problem: Problem | null, waiting: boolean, again: () => void, set: (data: T) => void}} Loaded */

/** @template T @param {string | null} key nothing is asked while it is null @param {(abort: AbortSignal) => Promise<T>} ask @returns {Loaded<T>} the last answer stays until the next one is there */
export function useLoaded(key, ask) {
  const [state, setState] = useState(/** @type {{key: string | null, data: T | null, problem: Problem | null, waiting: boolean}} */ ({ key: null, data: null, problem: null, waiting: key !== null }));
  const [turn, setTurn] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (key === null) return undefined;
    const abort = new AbortController();
    setState((was) => ({ ...was, waiting: true }));
    latest.current(abort.signal).then(
      (data) => abort.signal.aborted || setState({ key, data, problem: null, waiting: false }),
      (error) => {
        if (abort.signal.aborted) return;
        if (!(error instanceof Problem)) console.error(error);
        const problem = error instanceof Problem ? error : new Problem({ title: String(error), status: -1 });
        setState((was) => ({ key, data: was.key === key ? was.data : null, problem, waiting: false }));
      },
    );
    return () => abort.abort();
  }, [key, turn]);
  return { data: state.data, problem: state.problem, waiting: state.waiting, again: () => setTurn((n) => n + 1), set: (data) => setState({ key, data, problem: null, waiting: false }) };
}

const LATE = 1000; // so long one waits for a stream before one reads without it

/** @param {string} path a stream of the API @param {number} every milliseconds: at most so often @returns {number} 0 until the stream has begun (what is read after that misses nothing), then another one after news, to ask for the whole again by */
export function useNews(path, every) {
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    /** @type {ReturnType<typeof setTimeout> | undefined} */ let timer;
    const begin = () => setTurn((n) => n || 1);
    const late = setTimeout(begin, LATE);
    const stop = follow(path, {
      failed: begin,
      on: (event) => {
        if (event.event === "ready") begin();
        else
          timer ??= setTimeout(() => {
            timer = undefined;
            setTurn((n) => n + 1);
          }, every);
      },
    });
    return () => {
      stop();
      clearTimeout(timer);
      clearTimeout(late);
    };
  }, [path, every]);
  return turn;
}
