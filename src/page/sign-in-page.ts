// The form that takes a key. Pure.
import { html } from "hono/html";
import { hidden, type Html } from "./elements.ts";
import { publicPage } from "./layout.ts";

export const signInProblems = {
  unknown_key: "This is not a key of this Worker.",
  lacks_scope: "This key has neither the scope admin nor the scope health.",
  too_many: "Too many wrong keys were tried. Wait a minute; a right key is taken at any time.",
} as const;
export type SignInProblem = keyof typeof signInProblems;

interface SignInForm {
  nonce: string;
  csrf: string;
  next: string;
  problem?: SignInProblem | undefined;
}

export const signInPage = ({ nonce, csrf, next, problem }: SignInForm): Html =>
  publicPage(
    { title: "Sign in", nonce },
    html`<form class="sheet" method="post" action="/admin/sign-in">
${hidden(csrf)}<input type="hidden" name="next" value="${next}">
<div class="field"><label for="key">Your key</label>
<input id="key" name="key" type="password" required autofocus autocomplete="current-password" aria-describedby="problem hint"${
      problem && html` aria-invalid="true"`
    }>
<p class="problem" id="problem">${problem && html`<span role="alert">${signInProblems[problem]}</span>`}</p>
<p class="hint" id="hint">One of <code>API_KEYS</code> with the scope <code>admin</code>. With <code>health</code> you may look, and change nothing.</p></div>
<button class="primary">Sign in</button>
</form>
<p class="hint">You stay signed in for one hour. Nothing of the key is kept in this browser.</p>`,
  );
