// Lines that people copy into a terminal. Whatever stands in them is one word for the shell: names come from whoever wrote the resource. Pure.

/** As a shell takes it for one word. @param {string} text */
export const quoted = (text) => (/^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

/** The branch that an App follows: as its revision names it, else as it is declared; "" where none is named, or git would read an option. @param {string} revision "refs/heads/main@sha1:3f2a…" @param {string} target */
export function branchOf(revision, target) {
  const named = revision.includes("@") ? revision.slice(0, revision.lastIndexOf("@")) : target;
  const branch = named.replace(/^refs\/heads\//, "");
  return branch === "HEAD" || branch.startsWith("-") ? "" : branch;
}

/** What undoes it where it is declared. @param {string} from @param {string} to two commits @param {string} branch "": the one that is checked out */
export const revertCommands = (from, to, branch) => [...(branch ? [`git switch ${quoted(branch)}`] : []), "git pull", `git revert --no-edit ${to.slice(0, 12)}..${from.slice(0, 12)}`, "git push"].join("\n");
