/* Shows a text that grows: a build's log, what a request prints. No page needs it to be read. */
"use strict";

(function () {
  const PAUSE_MS = 1000;

  async function read(url) {
    const answer = await fetch(url, {
      credentials: "same-origin",
      headers: { "X-Requested-With": "XMLHttpRequest" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  }

  async function follow(section) {
    const output = section.querySelector("pre");
    const state = section.querySelector("[data-state]");
    try {
      for (;;) {
        const seen = await read(section.dataset.follow);
        if (output.textContent !== seen.text) output.textContent = seen.text;
        if (state.textContent !== seen.status) state.textContent = seen.status;
        if (seen.ended) break;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    } catch (error) {
      state.textContent = `${section.dataset.broken} (${error.message})`;
      return;
    }
    if (!leaving) window.location.reload();
  }

  // A reload would take back what the user has just asked for.
  let leaving = false;
  window.addEventListener("beforeunload", () => { leaving = true; });
  document.querySelectorAll("[data-follow]").forEach(follow);
})();
