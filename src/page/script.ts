// The script of all pages, as browsers get it. Pure. Every page is whole without it; it adds comfort alone: the reader's own
// time, buttons that copy, and the progress of what goes on.
export const script = `"use strict";
// Times: the reader's zone, with UTC at hand.
const DAY = { month: "short", day: "numeric" };
const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
const showTimes = (root) => {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime()) || element.title) continue;
    element.title = element.textContent;
    const year = moment.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
    element.textContent = moment.toLocaleString(undefined, { ...year, ...DAY, ...CLOCK });
  }
};

// Texts to copy: a button in each.
const addCopyButtons = (root) => {
  if (!navigator.clipboard) return;
  for (const box of root.querySelectorAll(".copy")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.setAttribute("aria-label", "Copy " + (box.dataset.name || "this text"));
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(box.querySelector("pre").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
    });
    box.append(button);
  }
};

// What goes on: an element with data-again is asked for once more, until it has none.
const AGAIN_MS = 2000;
const follow = (element, left) => {
  if (!element || !element.id || !element.dataset.again || left === 0) return;
  setTimeout(async () => {
    if (document.hidden) return follow(element, left);
    try {
      const response = await fetch(element.dataset.again, { credentials: "same-origin" });
      if (!response.ok || response.redirected) return;
      const next = new DOMParser().parseFromString(await response.text(), "text/html").getElementById(element.id);
      if (!next) return;
      showTimes(next);
      element.replaceWith(next);
      follow(next, left - 1);
    } catch {
      // The page can be loaded again by hand.
    }
  }, AGAIN_MS);
};

showTimes(document);
addCopyButtons(document);
for (const element of document.querySelectorAll("[data-again]")) follow(element, 30);
`;
