/** Where a learner hands in and sees what was handed in before. */
import type { Offer } from "../catalog.js";
import type { Submission } from "../submissions.js";
import { type PageProps, pageAsHtml, Time } from "./layout.js";

export interface HomeProps extends Pick<PageProps, "course" | "person"> {
  offers: readonly Offer[];
  submissions: readonly Submission[];
  /** Notebooks in the learner's folder; undefined where there are no folders. */
  shelf?: readonly string[];
  maxBytes: number;
  perHour: number;
  /** Names this form's request: sent twice, it hands in once. */
  request: string;
}

export function homePage(props: HomeProps): string {
  return pageAsHtml({
    ...props,
    title: "Hand in",
    children: (
      <>
        <HandIn {...props} />
        <h2>Your submissions</h2>
        {props.submissions.length === 0 ? (
          <p class="soft">None yet.</p>
        ) : (
          <SubmissionTable {...props} caption="The newest first" />
        )}
      </>
    ),
  });
}

function HandIn({ offers, shelf, maxBytes, perHour, request }: HomeProps) {
  return (
    <form class="card" method="post" action={`/submissions?request=${request}`} enctype="multipart/form-data">
      <label for="assignment">Assignment</label>
      <select id="assignment" name="assignment">
        <option value="">As the notebook says</option>
        {offers.map(({ slug, title, points }) => (
          <option key={slug} value={slug}>{`${title} (${points} points)`}</option>
        ))}
      </select>
      <label for="file">Notebook from your computer</label>
      <input
        id="file"
        name="file"
        type="file"
        accept=".ipynb"
        required={!shelf?.length}
        aria-describedby="file-help"
      />
      <p class="help" id="file-help">
        A file <code>.ipynb</code> of at most {Math.round(maxBytes / 1024 / 1024)} MiB, {perHour} an hour for
        each assignment. Save it first; its outputs are not needed.
      </p>
      {shelf !== undefined && shelf.length > 0 && (
        <>
          <label for="pick">Or one from your folder</label>
          <select id="pick" name="pick">
            <option value="">–</option>
            {shelf.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </>
      )}
      <button type="submit">Hand in</button>
    </form>
  );
}

export function SubmissionTable({
  submissions,
  offers,
  caption,
}: Pick<HomeProps, "submissions" | "offers"> & { caption: string }) {
  const titles = new Map(offers.map(({ slug, title }) => [slug, title]));
  return (
    <div class="scroll">
      <table>
        <caption>{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Assignment</th>
            <th scope="col">File</th>
            <th scope="col">Handed in</th>
            <th scope="col" class="number">
              Result
            </th>
          </tr>
        </thead>
        <tbody>
          {submissions.map((submission) => (
            <tr key={submission.id}>
              <th scope="row">
                <a href={`/submissions/${submission.id}`}>
                  {titles.get(submission.assignment) ?? submission.assignment}
                </a>
              </th>
              <td>{submission.file}</td>
              <td>
                <Time ms={submission.accepted} />
              </td>
              <td class="number">{resultOf(submission)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function resultOf({ grade }: Submission): string {
  if (!grade) return "being graded";
  if (grade.status === "graded") return `${grade.score} / ${grade.points}${grade.late ? ", late" : ""}`;
  return grade.status === "invalid" ? "not gradeable" : "the grader failed";
}
