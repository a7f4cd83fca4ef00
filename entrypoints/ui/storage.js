// Before any other script of a Gradio page: what another account has left in this browser is removed. Over https the
// response to its sign-in has done so already (Clear-Site-Data), over http browsers ignore that header.
(() => {
  "use strict";

  const OWNER = "gradioapp.owner";
  const mine = document.currentScript.dataset.owner;
  const isOthers = (key) =>
    key.startsWith("gradioapp.") && key !== OWNER && !key.startsWith(`gradioapp.${mine}.`);

  // localStorage is the browser's, sessionStorage the tab's: each knows whose it is.
  function take(storage) {
    const before = storage.getItem(OWNER);
    if (before !== mine) {
      storage.clear();
      storage.setItem(OWNER, mine);
    }
    // What a tab of the other account has written since then.
    for (const key of Object.keys(storage)) if (isOthers(key)) storage.removeItem(key);
    return before;
  }

  async function removeDatabases() {
    for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
  }

  try {
    take(sessionStorage);
    const before = take(localStorage);
    if (before && before !== mine) removeDatabases().catch(() => {}); // Not in every browser.
  } catch {
    // No storage: nothing is kept in it.
  }

  // Another account has signed in in another tab: this page shows what is no longer here to be seen.
  addEventListener("storage", (change) => {
    if (change.key === OWNER && change.newValue && change.newValue !== mine) location.reload();
  });
})();
