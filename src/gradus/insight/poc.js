// Values at the pointer, one metric at a time, printing. Without it everything can still be read.
(() => {
  "use strict";
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const show = (mark) => {
    tip.textContent = mark.dataset.told;
    tip.hidden = false;
    const at = mark.getBoundingClientRect();
    const wide = document.documentElement.clientWidth;
    const left = Math.max(8, Math.min(at.left + at.width / 2 - tip.offsetWidth / 2, wide - tip.offsetWidth - 8));
    const above = at.top - tip.offsetHeight - 8;
    tip.style.left = `${left}px`;
    tip.style.top = `${above < 8 ? at.bottom + 8 : above}px`;
  };
  const hide = () => { tip.hidden = true; };

  for (const mark of document.querySelectorAll(".mark")) {
    const title = mark.querySelector("title");
    mark.dataset.told = title ? title.textContent : mark.title;
    mark.setAttribute("aria-label", mark.dataset.told);
    mark.setAttribute("role", "img");
    if (title) title.remove(); else mark.removeAttribute("title");
    mark.addEventListener("pointerenter", () => show(mark));
    mark.addEventListener("pointerleave", hide);
    mark.addEventListener("focus", () => show(mark));
    mark.addEventListener("blur", hide);
  }
  window.addEventListener("scroll", hide, { passive: true });

  for (const choice of document.querySelectorAll(".choice")) {
    const views = [...choice.querySelectorAll(":scope > .view")];
    const row = document.createElement("div");
    row.className = "buttons";
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", choice.dataset.choice);
    for (const view of views) {
      view.hidden = !("lead" in view.dataset);
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = view.dataset.name;
      button.translate = false;
      button.setAttribute("aria-pressed", String(!view.hidden));
      button.addEventListener("click", () => {
        for (const other of views) other.hidden = other !== view;
        for (const each of row.children) each.setAttribute("aria-pressed", String(each === button));
      });
      row.append(button);
    }
    choice.prepend(row);
  }

  const print = document.querySelector("button.print");
  print.hidden = false;
  print.addEventListener("click", () => window.print());
  const closed = [];
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; closed.push(part); }
  });
  window.addEventListener("afterprint", () => { for (const part of closed.splice(0)) part.open = false; });
})();
