/** The browser's part of a submission's page: hears how far it is, and shows the result when it is there. */
import type { Progress } from "../../submit/protocol.js";

/** The little of a browser that is used here: the project's other files must not see it. */
interface Element {
  textContent: string | null;
  dataset: Record<string, string>;
  max: number;
  value: number;
  querySelector(selector: string): Element | null;
}
declare const document: Element;
declare const location: { reload(): void };
declare const EventSource: new (
  url: string,
) => {
  readyState: number;
  close(): void;
  onmessage: (event: { data: string }) => void;
  onerror: () => void;
};
declare const setTimeout: (work: () => void, ms: number) => void;

const CLOSED = 2;
const AGAIN_MS = 3_000;

const section = document.querySelector("[data-live]");
if (section) listen(section);

function listen(section: Element): void {
  const source = new EventSource(section.dataset.live);
  // It tries again by itself when the line breaks, but not when a proxy answers that the service is away.
  source.onerror = () => {
    if (source.readyState === CLOSED) setTimeout(() => listen(section), AGAIN_MS);
  };
  source.onmessage = ({ data }) => {
    const { progress, words } = JSON.parse(data) as { progress: Progress; words: string };
    if (progress.state === "done") {
      source.close();
      location.reload();
      return;
    }
    // Only what has changed is read out.
    const line = section.querySelector("[data-words]");
    if (line && line.textContent !== words) line.textContent = words;
    const bar = section.querySelector("progress");
    if (bar && progress.state === "running" && progress.tasks > 0) {
      bar.max = progress.tasks;
      bar.value = Math.max(0, progress.task - 1);
    }
  };
}
