import type { Refusal } from "../problems.js";
import { type PageProps, pageAsHtml } from "./layout.js";

export function problemPage(
  base: Pick<PageProps, "course" | "person">,
  { status, message }: Refusal,
): string {
  return pageAsHtml({
    ...base,
    title: status === 404 ? "Not found" : status >= 500 ? "Something went wrong" : "This did not work",
    children: (
      <>
        <p class="alert" role="alert">
          {message}
        </p>
        <p>
          <a href="/">Back to the start</a>
        </p>
      </>
    ),
  });
}
