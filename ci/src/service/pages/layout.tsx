/** What every page of the service has: head, navigation, the way past it, one heading. */
import type { ComponentChildren } from "preact";
import { renderToString } from "preact-render-to-string";
import type { Person } from "../people.js";

export interface PageProps {
  title: string;
  course: string;
  person?: Person;
  /** The page follows a submission; without scripts it is loaded anew every few seconds. */
  live?: boolean;
  children: ComponentChildren;
}

const RELOAD_S = 3;

export function pageAsHtml(props: PageProps): string {
  return `<!doctype html>\n${renderToString(<Page {...props} />)}\n`;
}

function Page({ title, course, person, live, children }: PageProps) {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>{`${title} – ${course}`}</title>
        <link rel="stylesheet" href="/assets/style.css" />
        {live && <script type="module" src="/assets/live.js" />}
        {live && (
          <noscript>
            <meta http-equiv="refresh" content={String(RELOAD_S)} />
          </noscript>
        )}
      </head>
      <body>
        <a class="skip" href="#main">
          Skip to the content
        </a>
        <header>
          <nav aria-label="Course">
            <a class="course" href="/">
              {course}
            </a>
            {person?.role === "instructor" && <a href="/gradebook">Gradebook</a>}
            {person && (
              <span class="who">
                {person.name}{" "}
                <form class="inline" method="post" action="/signout">
                  <button class="plain" type="submit">
                    Sign out
                  </button>
                </form>
              </span>
            )}
          </nav>
        </header>
        <main id="main">
          <h1>{title}</h1>
          {children}
        </main>
      </body>
    </html>
  );
}

/** A moment for people, and its exact form for programs. @param ms since 1970 */
export function Time({ ms }: { ms: number }) {
  const iso = new Date(ms).toISOString();
  return <time dateTime={iso}>{`${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`}</time>;
}
