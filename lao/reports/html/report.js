// What the page can do beyond being read: copy a command, show tasks of one state, open and close all, open all for paper.
// Without it everything is there. Writes nothing and asks nobody.
"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  for (const place of all("[data-copy]")) {
    if (!navigator.clipboard) break; // browsers give none to a page that was opened over plain HTTP from elsewhere
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "copy";
    button.setAttribute("aria-label", `copy ${place.dataset.copy}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(place.dataset.copy);
        button.textContent = "copied";
      } catch {
        const range = document.createRange();
        range.selectNodeContents(place.querySelector("code"));
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        button.textContent = "selected: press Ctrl-C";
      }
    });
    place.append(button);
  }

  const show = (state, tools) => {
    for (const button of all("[data-show]", tools)) {
      button.setAttribute("aria-pressed", String(button.dataset.show === state));
    }
    for (const task of all(".tasks > li")) task.hidden = state !== "" && task.dataset.state !== state;
  };
  const fold = (open, within) => all("details", within).forEach((item) => { item.open = open; });

  for (const tools of all(".tools")) {
    tools.hidden = false;
    tools.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button?.dataset.show !== undefined) show(button.dataset.show, tools);
      if (button?.dataset.fold !== undefined) fold(button.dataset.fold === "open", tools.parentElement);
    });
  }

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((item) => { item.open = true; });
  });
  addEventListener("afterprint", () => {
    closed.forEach((item) => { item.open = false; });
  });
})();
