/* The chart under a pointer and under the arrow keys: a note beside the day. Its days are links, with or without this. */
"use strict";

function behave(figure) {
  const days = [...figure.querySelectorAll(".hits a")];
  const tip = figure.querySelector(".tip");
  if (!days.length) return;

  function rove(day) {
    for (const each of days) each.setAttribute("tabindex", each === day ? "0" : "-1");
  }

  function show(day) {
    tip.replaceChildren(...day.getAttribute("aria-label").split(" · ").map(line));
    tip.hidden = false;
    const frame = figure.getBoundingClientRect();
    const bar = day.firstElementChild.getBoundingClientRect();
    const middle = bar.left - frame.left + bar.width / 2 - tip.offsetWidth / 2;
    const x = Math.max(0, Math.min(middle, frame.width - tip.offsetWidth));
    tip.style.transform = `translate(${Math.round(x)}px, ${-Math.round(tip.offsetHeight / 2)}px)`;
    for (const each of days) each.classList.toggle("on", each === day);
  }

  function hide() {
    tip.hidden = true;
    for (const each of days) each.classList.remove("on");
  }

  function line(text, number) {
    const element = document.createElement(number ? "span" : "b");
    element.textContent = text;
    return element;
  }

  const moves = {
    ArrowLeft: (at) => at - 1,
    ArrowRight: (at) => at + 1,
    Home: () => 0,
    End: () => days.length - 1,
  };

  figure.addEventListener("pointermove", (event) => {
    const day = event.target.closest(".hits a");
    if (day) show(day);
  });
  figure.addEventListener("pointerleave", hide);
  figure.addEventListener("focusin", (event) => {
    const day = event.target.closest(".hits a");
    if (day) { rove(day); show(day); }
  });
  figure.addEventListener("focusout", hide);
  figure.addEventListener("keydown", (event) => {
    const at = days.indexOf(event.target.closest(".hits a"));
    if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") return hide();
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    days[Math.max(0, Math.min(move(at), days.length - 1))].focus();
  });
  rove(days.find((day) => day.hasAttribute("aria-current")) || days[days.length - 1]);
}

for (const figure of document.querySelectorAll("[data-chart]")) behave(figure);
