/** For instructors: everyone's counting results, and one person's submissions. */
import type { Offer } from "../catalog.js";
import { EXPORTS } from "../exports.js";
import type { Entry, Keep } from "../gradebook.js";
import type { Person } from "../people.js";
import type { Submission } from "../submissions.js";
import { SubmissionTable } from "./home.js";
import { type PageProps, pageAsHtml } from "./layout.js";

export interface GradebookProps extends Pick<PageProps, "course" | "person"> {
  offers: readonly Offer[];
  entries: readonly Entry[];
  keep: Keep;
}

export function gradebookPage(props: GradebookProps): string {
  const { offers, entries, keep } = props;
  const people = [...new Map(entries.map(({ person }) => [person.id, person])).values()];
  const failed = entries.reduce((sum, entry) => sum + entry.failed, 0);
  const waiting = entries.reduce((sum, entry) => sum + entry.waiting, 0);
  return pageAsHtml({
    ...props,
    title: "Gradebook",
    children: (
      <>
        <p>
          The {keep} graded submission counts. Export: <a href="/gradebook.csv">CSV</a>,{" "}
          <a href="/gradebook.json">JSON</a>, <a href="#exports">more</a>.
        </p>
        {waiting > 0 && <p class="soft">{waiting} submissions are not graded yet.</p>}
        {failed > 0 && (
          <p class="alert" role="alert">
            The grader failed at {failed} submissions: no score is claimed for them. Look at the people marked
            “!”.
          </p>
        )}
        <div class="scroll">
          <table>
            <caption>Points; a link leads to the submission that counts</caption>
            <thead>
              <tr>
                <th scope="col">Person</th>
                {offers.map(({ slug, title, points }) => (
                  <th scope="col" class="number" key={slug}>
                    {title} ({points})
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {people.map((person) => (
                <tr key={person.id}>
                  <th scope="row">
                    <a href={`/people/${encodeURIComponent(person.id)}`}>{person.name}</a>
                  </th>
                  {entries
                    .filter((entry) => entry.person.id === person.id)
                    .map((entry) => (
                      <td class="number" key={entry.assignment}>
                        <Cell entry={entry} />
                      </td>
                    ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <Exports offers={offers} />
      </>
    ),
  });
}

function Exports({ offers }: Pick<GradebookProps, "offers">) {
  const choices = offers.map(({ slug, title }) => (
    <option key={slug} value={slug}>
      {title}
    </option>
  ));
  return (
    <section aria-labelledby="exports">
      <h2 id="exports">Exports</h2>
      <ul>
        {Object.entries(EXPORTS).map(([file, { title }]) => (
          <li key={file}>
            <a href={`/gradebook/export/${file}`}>{title}</a>
            {offers.length > 1 && (
              <>
                {" – of one assignment: "}
                {offers.map(({ slug }, i) => (
                  <>
                    {i > 0 && ", "}
                    <a
                      key={slug}
                      href={`/gradebook/export/${file}?assignment=${encodeURIComponent(slug)}`}
                      aria-label={`${title}, ${slug}`}
                    >
                      {slug}
                    </a>
                  </>
                ))}
              </>
            )}
          </li>
        ))}
      </ul>
      <form class="card" method="post" action="/gradebook/export/canvas.csv" enctype="multipart/form-data">
        <h3>For Canvas</h3>
        <label for="canvas-assignment">Assignment</label>
        <select id="canvas-assignment" name="assignment" required>
          {choices}
        </select>
        <label for="canvas-column">Its column in Canvas</label>
        <input id="canvas-column" name="column" type="text" required aria-describedby="canvas-help" />
        <p class="help" id="canvas-help">
          As in the table that Canvas exports, with the number: Exercise 3 (12345). Another name makes a new
          assignment there.
        </p>
        <label for="canvas-roster">The grades as Canvas exported them</label>
        <input id="canvas-roster" name="roster" type="file" accept=".csv" required />
        <button type="submit">Fill in</button>
      </form>
    </section>
  );
}

function Cell({ entry: { counts, waiting, failed } }: { entry: Entry }) {
  const { score, raw, late } = counts?.grade ?? {};
  return (
    <>
      {counts ? (
        <>
          <a href={`/submissions/${counts.id}`}>{score}</a>
          {(late || score !== raw) && (
            <span class="soft">
              {" "}
              (
              {[late && `late, −${late.percent} %`, score !== raw && `tests ${raw}`]
                .filter(Boolean)
                .join("; ")}
              )
            </span>
          )}
        </>
      ) : (
        <span class="soft">{waiting > 0 ? "being graded" : "–"}</span>
      )}
      {failed > 0 && (
        <strong class="bad" title="the grader failed">
          {" "}
          !
        </strong>
      )}
    </>
  );
}

export interface PersonProps extends Pick<PageProps, "course" | "person"> {
  whose: Person;
  offers: readonly Offer[];
  submissions: readonly Submission[];
}

export function personPage(props: PersonProps): string {
  const { whose, submissions } = props;
  return pageAsHtml({
    ...props,
    title: whose.name,
    children: (
      <>
        <p class="soft">
          {whose.id} {whose.email}
        </p>
        {submissions.length === 0 ? (
          <p class="soft">Nothing handed in yet.</p>
        ) : (
          <SubmissionTable {...props} caption="The newest first" />
        )}
      </>
    ),
  });
}
