/** What was run in a session and is not in the notebook's file: typed after it was saved. */

const DECLARED =
  /^(?:export\s+)?(?:async\s+)?(?:function\*?|class|const|let|var)\s+([\p{ID_Start}$_][\p{ID_Continue}$]*)/gmu;

/**
 * Names that the saved notebook declares and that were last run with another text.
 * @param saved sources of the file's code cells @param ran what was run, in order
 */
export function unsavedNames(saved: readonly string[], ran: readonly string[]): string[] {
  const texts = new Set(saved.map((source) => source.trim()));
  const newest = new Map<string, string>();
  for (const source of ran) for (const name of declared(source)) newest.set(name, source.trim());
  const names = new Set(saved.flatMap(declared));
  return [...names].filter((name) => newest.has(name) && !texts.has(newest.get(name)!));
}

/** At the start of a line: what a cell is for, in a cell as people write it. */
function declared(source: string): string[] {
  return [...source.matchAll(DECLARED)].map(([, name]) => name!);
}
