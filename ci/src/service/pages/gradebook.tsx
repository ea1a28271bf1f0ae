/** For instructors: everyone's counting results, and one person's submissions. */
import type { Offer } from "../catalog.js";
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
          <a href="/gradebook.json">JSON</a>.
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
      </>
    ),
  });
}

function Cell({ entry: { counts, waiting, failed } }: { entry: Entry }) {
  return (
    <>
      {counts ? (
        <a href={`/submissions/${counts.id}`}>{counts.grade?.score}</a>
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
