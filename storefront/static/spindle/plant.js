// The plant's live pages: parts that ask anew while somebody looks, a spoken line for what matters, and "Copy".
(function () {
  "use strict";
  const last = new WeakMap(); // what each live part was last filled with

  function tell(part) {
    const line = document.getElementById("told");
    const said = part.querySelector("[data-told]")?.dataset.told ?? "";
    if (line && said && line.textContent !== said) line.textContent = said;
  }

  // Nobody looks: nobody asks. Who comes back is shown at once what is true now.
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (event.target.matches("[data-live]") && document.hidden) event.preventDefault();
  });
  document.addEventListener("visibilitychange", function () {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((part) => htmx.trigger(part, "look"));
  });

  // What did not change stays as it is: a selection, a focus and a screen reader's place are not lost.
  document.addEventListener("htmx:beforeSwap", function (event) {
    const part = event.target;
    if (!part.matches("[data-live]") || event.detail.xhr.status !== 200) return;
    if (last.get(part) === event.detail.serverResponse) event.detail.shouldSwap = false;
    last.set(part, event.detail.serverResponse);
  });
  // What came new stands as the old one was left: scrolled sideways as far, and opened.
  let left = [];
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (!event.target.matches("[data-live]")) return;
    const kept = event.target.querySelectorAll(".scroll[id], details[id]");
    left = Array.from(kept, (part) => [part.id, part.scrollLeft, part.open, part === document.activeElement]);
  });
  document.addEventListener("htmx:afterSwap", function (event) {
    if (!event.target.matches("[data-live]")) return;
    for (const [id, sideways, open, focused] of left) {
      const part = document.getElementById(id);
      if (!part) continue;
      if (part.matches("details")) part.open = open;
      else part.scrollLeft = sideways;
      if (focused) part.focus({ preventScroll: true });
    }
    tell(event.target);
  });

  document.addEventListener("DOMContentLoaded", function () {
    for (const button of document.querySelectorAll("[data-copy]")) {
      if (!navigator.clipboard) continue; // only where the page came over TLS or from this machine
      button.hidden = false;
      button.addEventListener("click", async function () {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        button.textContent = "Copied";
      });
    }
  });
})();
