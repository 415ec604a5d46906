/* The keys of the staff pages. What they reach are links and fields of the page; without this file those still work. */
(() => {
  "use strict";

  const OFF = "staff-keys-off";
  const PATIENCE = 1200; // ms between the g and the letter behind it

  const remembered = {
    get: () => {
      try {
        return localStorage.getItem(OFF) !== null;
      } catch {
        return false;
      }
    },
    set: (off) => {
      try {
        off ? localStorage.setItem(OFF, "") : localStorage.removeItem(OFF);
      } catch {
        /* it is off for this page, then */
      }
    },
  };

  const box = document.querySelector("[data-keys-off]");
  if (box) {
    box.checked = remembered.get();
    box.addEventListener("change", () => remembered.set(box.checked));
  }

  let first = "";
  let timer;

  function isTyping(element) {
    return element?.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element?.tagName);
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (box ? box.checked : remembered.get()) return;
    const pressed = first + event.key;
    first = "";
    clearTimeout(timer);
    if (event.key === "g" && pressed === "g") {
      first = "g ";
      timer = setTimeout(() => (first = ""), PATIENCE);
    } else if (pressed === "j" || pressed === "k") {
      step(pressed === "j" ? 1 : -1);
    } else if (!reach(pressed)) {
      return;
    }
    event.preventDefault();
  });

  function reach(pressed) {
    const target = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === pressed);
    if (!target) return false;
    if (target.matches("input")) target.select();
    else target.click();
    return true;
  }

  /* Down or up the rows of the list nearest to the focus, or of the first one. */
  function step(by) {
    const list = document.activeElement?.closest("[data-rows]") ?? document.querySelector("[data-rows]");
    const rows = [...(list?.querySelectorAll(".reach") ?? [])];
    if (!rows.length) return;
    const now = rows.indexOf(document.activeElement);
    rows[Math.min(Math.max(now < 0 ? 0 : now + by, 0), rows.length - 1)].focus();
  }
})();
