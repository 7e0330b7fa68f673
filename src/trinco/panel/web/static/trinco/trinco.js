/* Comfort on top of pages that work without it: copy buttons, the theme at once, the menu on phones, `/` for the search. */
"use strict";

const root = document.documentElement;
root.classList.add("script");

const YEAR = 31536000;

function setTheme(theme) {
  root.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${theme}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  for (const button of document.querySelectorAll("button[name=theme]")) {
    if (button.value === theme) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copyFrom);
  const text = button.dataset.copy || source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    return select(source || button.previousElementSibling);
  }
  button.classList.add("done");
  announce(button.dataset.copied);
  setTimeout(() => button.classList.remove("done"), 1600);
}

/* Without a clipboard (plain HTTP): mark the text, so that one key press copies it. */
function select(element) {
  if (element) getSelection().selectAllChildren(element);
}

function announce(text) {
  const live = document.getElementById("announce");
  if (!live || !text) return;
  live.textContent = "";
  setTimeout(() => { live.textContent = text; }, 50);
}

function toggleMenu(burger) {
  const open = document.body.classList.toggle("nav-open");
  burger.setAttribute("aria-expanded", String(open));
}

/* The mode card shows again what is in force when the confirmation is called off. */
function resetModes(button) {
  const form = document.getElementById("modes");
  if (!form) return;
  form.reset();
  document.getElementById("confirm").replaceChildren();
  form.querySelector("input:checked")?.focus();
}

const actions = {
  theme: (element, event) => { event.preventDefault(); setTheme(element.value); },
  copy: (element) => copy(element),
  burger: (element, event) => { event.preventDefault(); toggleMenu(element); },
  cancel: (element, event) => {
    if (!document.getElementById("modes")) return;
    event.preventDefault();
    resetModes(element);
  },
};

document.addEventListener("click", (event) => {
  const element = event.target.closest("[data-do]");
  if (element) actions[element.dataset.do]?.(element, event);
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("change", (event) => {
  const all = event.target.closest("[data-check-all]");
  if (all) {
    for (const box of document.querySelectorAll("tbody .check input")) box.checked = all.checked;
  }
  if (event.target.closest(".check")) countChecked();
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

function countChecked() {
  const label = document.getElementById("selected");
  if (label) label.textContent = document.querySelectorAll("tbody .check input:checked").length;
}

document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.getElementById("q");
    if (search) { event.preventDefault(); search.focus(); }
  }
  if (event.key === "Escape") closeMenus();
});

function closeMenus() {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (document.body.classList.contains("nav-open")) toggleMenu(document.querySelector("[data-do=burger]"));
}

/* What the page brings up by itself is read out when it says something new, and not each time it is asked for. */
const said = new Map();

function listen(first) {
  for (const element of document.querySelectorAll("[data-announce]")) {
    const place = element.closest("[id]").id;
    const text = element.textContent.trim();
    if (!first && said.get(place) !== text) announce(text);
    said.set(place, text);
  }
}

listen(true);
document.addEventListener("htmx:afterRequest", () => setTimeout(() => listen(false), 60));

/* A confirmation that has just appeared is where the keyboard goes on. */
document.addEventListener("htmx:afterSwap", (event) => {
  const form = event.detail.target.id === "confirm" && event.detail.target.querySelector("form");
  if (form) form.focus();
});
