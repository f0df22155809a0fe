// The script of all pages, as browsers get it. Pure. Every page is whole without it. It shows times in the reader's zone with UTC
// at hand, adds buttons that copy, and asks again for an element with data-again, until it has none.
export const script = `"use strict";
const all = (root, selector, use) => root.querySelectorAll(selector).forEach(use);
const CLOCK = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const showTimes = (root) => all(root, "time:not([title])", (time) => {
  const moment = new Date(time.dateTime);
  time.title = time.textContent;
  const isThisYear = moment.getFullYear() === new Date().getFullYear();
  time.textContent = moment.toLocaleString(undefined, isThisYear ? CLOCK : { year: "numeric", ...CLOCK });
});
showTimes(document);

all(document, navigator.clipboard ? ".copy" : "no", (box) => {
  const button = document.createElement("button");
  button.textContent = "Copy";
  button.ariaLabel = "Copy " + box.dataset.name;
  button.onclick = () => navigator.clipboard.writeText(box.querySelector("pre").textContent).then(
    () => { button.textContent = "Copied"; },
    () => { button.textContent = "Not copied"; },
  );
  box.append(button);
});

const follow = (element, left) => element?.dataset.again && left && setTimeout(async () => {
  if (document.hidden) return follow(element, left);
  const answer = await fetch(element.dataset.again).catch(() => undefined);
  if (!answer?.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById(element.id);
  if (!next) return;
  showTimes(next);
  element.replaceWith(next);
  follow(next, left - 1);
}, 2000);
all(document, "[data-again]", (element) => follow(element, 30));
`;
