/** For instructors: what was decided about a person's assignment, and a form to decide more. */
import type { Override } from "../../batch/log.js";
import { Time } from "./layout.js";

export interface DecisionsProps {
  /** Of the submission from whose page it is decided. */
  id: string;
  person: string;
  /** Tasks, and cells that a person grades. */
  parts: readonly { name: string; title: string; points: number }[];
  decisions: readonly Override[];
}

export function Decisions(props: DecisionsProps) {
  const { id, person, parts, decisions } = props;
  const action = `/submissions/${id}/decisions`;
  return (
    <section aria-labelledby="decisions">
      <h2 id="decisions">Decisions</h2>
      <p class="help">
        They are about {person} and this assignment, whatever is handed in or graded again. Comments are shown
        to the learner.
      </p>
      {decisions.length > 0 && <Made {...props} />}
      <form class="card" method="post" action={action}>
        <label for="task">About</label>
        <select id="task" name="task">
          <option value="">the whole</option>
          {parts.map(({ name, title, points }) => (
            <option key={name} value={name}>{`${title} (${points} points)`}</option>
          ))}
        </select>
        <label for="score">Points for the task, instead of the tests'</label>
        <input id="score" name="score" type="number" min="0" step="any" />
        <label for="comment">Comment</label>
        <textarea id="comment" name="comment" rows={3} maxLength={4000} />
        <button type="submit">Decide</button>
        <button class="plain" type="submit" name="clear" value="1">
          Take earlier decisions about it back
        </button>
      </form>
    </section>
  );
}

function Made({ parts, decisions }: DecisionsProps) {
  const titles = new Map(parts.map(({ name, title }) => [name, title]));
  return (
    <div class="scroll">
      <table>
        <caption>The newest last; the last one counts</caption>
        <thead>
          <tr>
            <th scope="col">About</th>
            <th scope="col" class="number">
              Points
            </th>
            <th scope="col">Comment</th>
            <th scope="col">By</th>
            <th scope="col">When</th>
          </tr>
        </thead>
        <tbody>
          {decisions.map(({ task, score, comment, by, at }) => (
            <tr key={at}>
              <th scope="row">{task === undefined ? "the whole" : (titles.get(task) ?? task)}</th>
              <td class="number">{score === null ? "as tested" : score}</td>
              <td>{comment === null ? <span class="soft">earlier ones taken back</span> : comment}</td>
              <td>{by}</td>
              <td>
                <Time ms={Date.parse(at)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
