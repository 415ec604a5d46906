/* What htmx does not do by itself. Every page also works without this file. */
(() => {
  "use strict";

  const root = document.documentElement;
  root.classList.add("js");

  const announcer = () => document.getElementById("announcer");
  const polls = (element) => /\bevery\b/.test(element?.getAttribute?.("hx-trigger") ?? "");

  function announce(words) {
    const place = announcer();
    if (place && words) place.textContent = words;
  }

  /* Polling rests while nobody looks, and looks again at once when somebody does. */
  document.addEventListener("htmx:config:request", (event) => {
    const { sourceElement, sourceEvent, request } = event.detail.ctx;
    if (document.hidden && sourceEvent?.type === "every") event.preventDefault();
    if (request.method === "GET" && sourceElement.matches("form")) leaveOutTheEmpty(request.body);
  });

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("[hx-trigger*='every ']")) {
      htmx.trigger(element, "every", {}, false);
    }
  });

  /* A filter's address names only what is set. */
  function leaveOutTheEmpty(fields) {
    for (const [name, value] of [...fields]) if (value === "") fields.delete(name);
  }

  /* What changed in a live part is tinted for a moment and, where it says how, spoken once. */
  const before = new WeakMap();
  const rows = (part) => new Map([...part.querySelectorAll("[data-live]")].map((row) => [row.id, row.dataset.live]));

  document.addEventListener("htmx:before:swap", (event) => {
    const { sourceElement } = event.detail.ctx;
    if (polls(sourceElement)) before.set(sourceElement, rows(sourceElement));
  });

  document.addEventListener("htmx:after:swap", (event) => {
    const { ctx } = event.detail;
    const known = before.get(ctx.sourceElement) ?? before.get(ctx.target);
    if (!known || ctx.swap === "none") return;
    const part = document.getElementById(ctx.sourceElement.id);
    const spoken = [];
    for (const row of part?.querySelectorAll("[data-live]") ?? []) {
      if (known.get(row.id) === row.dataset.live) continue;
      row.dataset.changed = "";
      if (row.dataset.say) spoken.push(row.dataset.say);
    }
    announce(spoken.join(" "));
  });

  document.addEventListener("animationend", (event) => delete event.target.dataset.changed);

  /* A part that cannot be refreshed says so in its own place; a form that cannot be sent says so at the top. */
  const STALE = "[data-stale]";

  function mark(part, stale, reference = "") {
    const note = part.querySelector(STALE);
    if (!note || note.hidden === !stale) return;
    note.hidden = !stale;
    const place = note.querySelector("[data-reference]");
    if (place) place.textContent = reference && ` Reference ${reference}.`;
  }

  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (polls(sourceElement)) mark(sourceElement, response.status >= 400, response.headers.get("X-Request-Id") ?? "");
  });

  document.addEventListener("htmx:error", (event) => {
    const element = event.detail.ctx?.sourceElement;
    if (!element) return;
    if (polls(element)) mark(element, true);
    else sayUnreached();
  });

  function sayUnreached() {
    const words = document.getElementById("unreached");
    const alerts = document.getElementById("alerts");
    if (words && alerts) alerts.replaceChildren(words.content.cloneNode(true));
  }

  /* An old alert goes when the next request is made by hand. */
  document.addEventListener("htmx:before:request", (event) => {
    if (!polls(event.detail.ctx.sourceElement)) document.getElementById("alerts")?.replaceChildren();
  });

  /* A button that was disabled while its request ran loses the focus; it gets it back if it is still there. */
  document.addEventListener("htmx:finally:request", (event) => {
    const button = event.detail.ctx.request.submitter;
    setTimeout(() => {
      if (button?.isConnected && document.activeElement === document.body) button.focus();
    });
  });

  /* Plain forms: the second click of a double click goes nowhere; but a form that gives a file leaves the page there. */
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || "again" in form.dataset) return;
    if ("sent" in form.dataset) return event.preventDefault();
    form.dataset.sent = "";
    event.submitter?.setAttribute("aria-disabled", "true");
  });

  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const button of document.querySelectorAll("button[aria-disabled]")) button.removeAttribute("aria-disabled");
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-reveal], [data-print]");
    if (!button) return;
    if ("copy" in button.dataset) copy(button);
    else if ("reveal" in button.dataset) reveal(button);
    else window.print();
  });

  async function copy(button) {
    const label = button.querySelector("[data-label]");
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      return announce("Copying is not allowed here. Select the text instead.");
    }
    label.textContent = "Copied";
    button.dataset.copied = "";
    announce("Copied");
    setTimeout(() => {
      label.textContent = "Copy";
      delete button.dataset.copied;
    }, 2000);
  }

  function reveal(button) {
    const input = document.getElementById(button.dataset.reveal);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.textContent = shown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!shown));
  }

  /* A password shown to its owner is still sent as a password, so that browsers keep it as one. */
  document.addEventListener(
    "submit",
    (event) => {
      for (const button of event.target.querySelectorAll("[data-reveal][aria-pressed='true']")) reveal(button);
    },
    true,
  );
})();
