/** Two texts with what differs marked: by line where they have lines, else by word. */
import { type ChangeObject, diffLines, diffWordsWithSpace } from "diff";

/** Comparing takes time that grows with the number of differences; texts further apart are shown whole. */
const LIMITS = { maxEditLength: 400, timeout: 500 };

interface Props {
  got: string;
  expected: string;
}

export function Difference({ got, expected }: Props) {
  const parts = differences(got, expected);
  return (
    <div class="diff">
      <Side title="your answer" parts={parts.filter((part) => !part.added)} mark="got" />
      <Side title="expected" parts={parts.filter((part) => !part.removed)} mark="want" />
    </div>
  );
}

function Side({ title, parts, mark }: { title: string; parts: Part[]; mark: string }) {
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <pre>
        {parts.map((part, index) => {
          const key = `${index}`;
          if (!part.added && !part.removed) return part.value;
          return part.removed ? (
            <del key={key} class={mark}>
              {part.value}
            </del>
          ) : (
            <ins key={key} class={mark}>
              {part.value}
            </ins>
          );
        })}
      </pre>
    </figure>
  );
}

type Part = Pick<ChangeObject<string>, "value" | "added" | "removed">;

function differences(got: string, expected: string): Part[] {
  const byLine = got.includes("\n") || expected.includes("\n");
  const found = byLine ? diffLines(got, expected, LIMITS) : diffWordsWithSpace(got, expected, LIMITS);
  return (
    found ?? [
      { value: got, removed: true, added: false },
      { value: expected, removed: false, added: true },
    ]
  );
}
