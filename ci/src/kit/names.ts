/** What can be a name in the learner's code. */
const NAME = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

export function isName(text: string): boolean {
  return NAME.test(text);
}
