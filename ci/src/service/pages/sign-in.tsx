import { type PageProps, pageAsHtml } from "./layout.js";

/** @param wrong the token that was sent is nobody's */
export function signInPage(base: Pick<PageProps, "course">, wrong = false): string {
  return pageAsHtml({
    ...base,
    title: "Sign in",
    children: (
      <form class="card" method="post" action="/signin">
        {wrong && (
          <p class="alert" role="alert">
            This token is not known. Copy it whole, or ask your instructor for a new one.
          </p>
        )}
        <label for="token">Course token</label>
        <input
          id="token"
          name="token"
          type="password"
          autocomplete="current-password"
          required
          aria-describedby="token-help"
          aria-invalid={wrong || undefined}
        />
        <p class="help" id="token-help">
          Your instructor has sent it to you. It is yours alone: who has it hands in as you.
        </p>
        <button type="submit">Sign in</button>
      </form>
    ),
  });
}
