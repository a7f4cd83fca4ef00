// Reloads the page when the service has started again. Only in pages of a service that runs with --reload.
(() => {
  "use strict";

  const EVERY = 1000; // Milliseconds.
  const { id, address } = document.currentScript.dataset;

  async function look() {
    try {
      const response = await fetch(address, { cache: "no-store" });
      if (response.ok && (await response.json()).app_id !== Number(id)) return location.reload();
    } catch {
      // The service is starting.
    }
    setTimeout(look, EVERY);
  }

  setTimeout(look, EVERY);
})();
