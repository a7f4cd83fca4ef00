// Runs before any other script of a Gradio page, and removes what another account has stored in this browser. Over https,
// Clear-Site-Data in the response to the sign-in has done so already, unless the service shares its host with others; over
// http, browsers ignore that header.
(() => {
  "use strict";

  const { owner: mine, base } = document.currentScript.dataset;
  const OWNER = `gradioapp.owner${base}`;
  const STORED = `gradioapp.stored${base}`; // On a shared host: the names that this service's pages have stored.
  const isShared = base !== "";
  const isOthers = (key) =>
    key.startsWith("gradioapp.") && key !== OWNER && !key.startsWith(`gradioapp.${mine}.`);
  const setItem = Storage.prototype.setItem;

  const stored = (storage) => JSON.parse(storage.getItem(STORED) || "[]");

  // Removes everything, or on a shared host what this service's pages have stored.
  function empty(storage) {
    if (!isShared) return storage.clear();
    for (const key of stored(storage)) storage.removeItem(key);
    storage.removeItem(STORED);
  }

  // localStorage belongs to the browser, sessionStorage to the tab. Each stores the account that owns it.
  function take(storage) {
    const before = storage.getItem(OWNER);
    if (before !== mine) {
      empty(storage);
      setItem.call(storage, OWNER, mine);
    }
    // Remove what a tab of the other account has written since then.
    const keys = isShared ? stored(storage) : Object.keys(storage);
    for (const key of keys) if (isOthers(key)) storage.removeItem(key);
    return before;
  }

  // Notes the names that are stored from now on.
  function watch() {
    Storage.prototype.setItem = function (key, value) {
      setItem.call(this, key, value);
      const names = stored(this);
      if (key !== STORED && !names.includes(key)) setItem.call(this, STORED, JSON.stringify([...names, `${key}`]));
    };
    const open = indexedDB.open;
    indexedDB.open = function (name, ...more) {
      const names = stored(localStorage);
      const entry = `database:${name}`;
      if (!names.includes(entry)) setItem.call(localStorage, STORED, JSON.stringify([...names, entry]));
      return open.call(this, name, ...more);
    };
  }

  async function removeDatabases(named) {
    if (isShared) for (const name of named) indexedDB.deleteDatabase(name);
    else for (const { name } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
  }

  try {
    take(sessionStorage);
    const databases = stored(localStorage).filter((key) => key.startsWith("database:"));
    const before = take(localStorage);
    if (before && before !== mine)
      removeDatabases(databases.map((key) => key.slice("database:".length))).catch(() => {}); // Not every browser supports it.
    if (isShared) watch();
  } catch {
    // Storage is switched off, so there is nothing to remove.
  }

  // Another account has signed in in another tab: reload, because this page shows the former account's data.
  addEventListener("storage", (change) => {
    if (change.key === OWNER && change.newValue && change.newValue !== mine) location.reload();
  });
})();
