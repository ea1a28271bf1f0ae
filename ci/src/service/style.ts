/** The service's one style sheet: system fonts, two colour schemes by the reader's own setting, no images. */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --raised: #f6f8fa; --accent: #0b57d0; --on-accent: #ffffff; --good: #1a7f37; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa4af; --line: #3a424b; --paper: #0d1117; --raised: #161b22; --accent: #8ab4f8; --on-accent: #0d1117; --good: #56d364; --bad: #ff8a80; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: 1rem; top: .5rem; background: var(--paper); padding: .5rem 1rem; z-index: 1; }
header { border-bottom: 1px solid var(--line); background: var(--raised); }
header nav { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: center; max-width: 60rem; margin: 0 auto; padding: .6rem 1rem; }
header .course { font-weight: 700; color: var(--ink); text-decoration: none; }
header .who { margin-left: auto; color: var(--soft); }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .6rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 1.8rem 0 .6rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
form.card, .card { border: 1px solid var(--line); border-radius: .5rem; background: var(--raised); padding: 1rem; margin: 1rem 0; }
label, legend { display: block; font-weight: 600; margin: .8rem 0 .25rem; }
fieldset { border: 0; padding: 0; margin: 0; }
.help { color: var(--soft); font-size: .9rem; margin: .25rem 0; }
input[type="password"], input[type="text"], input[type="number"], input[type="file"], textarea, select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--soft); border-radius: .35rem; padding: .5rem .6rem; width: 100%; max-width: 32rem; }
button { font: inherit; font-weight: 600; color: var(--on-accent); background: var(--accent); border: 1px solid transparent; border-radius: .35rem; padding: .5rem 1.1rem; margin-top: 1rem; cursor: pointer; min-height: 2.5rem; }
button.plain { color: var(--accent); background: none; border-color: var(--line); margin: 0; padding: .2rem .7rem; min-height: 2rem; }
form.card > button { display: block; } form.card > button.plain { margin-top: .6rem; }
form.inline { display: inline; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding: .3rem 0; }
th, td { text-align: left; padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
progress { width: 100%; height: 1rem; accent-color: var(--accent); }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; } .soft { color: var(--soft); }
.score { font-size: 1.5rem; font-weight: 700; margin: .3rem 0; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dl.facts dt { color: var(--soft); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--paper); border: 1px solid var(--line); border-radius: .35rem; padding: .5rem; margin: .3rem 0; }
ul.tests { list-style: none; padding: 0; } ul.tests li { border-left: 4px solid var(--bad); padding: .1rem .8rem; margin: .6rem 0; } ul.tests li.passed { border-color: var(--good); }
blockquote { border-left: 4px solid var(--accent); margin: .4rem 0; padding: .1rem .8rem; font-weight: 400; white-space: pre-wrap; overflow-wrap: anywhere; }
.alert { border-left: 4px solid var(--bad); padding: .6rem 1rem; background: var(--raised); }
@media (max-width: 40rem) { header .who { margin-left: 0; width: 100%; } }
`;
