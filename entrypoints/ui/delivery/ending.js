// Runs on every Gradio page, before its other scripts. When the session has ended, it shows a dialog over the page, which
// keeps everything that was typed, and holds the requests of the page until the same account has signed in again in
// another window.
const gradioappEnding = (() => {
  "use strict";

  const TRIES = "gradioapp-sign-ins";
  const MOST_TRIES = 3;
  const WITHIN = 30_000; // Milliseconds.
  const MOST_HELD = 100; // Requests. A page with a timer would hold more and more.
  const WINDOW = "popup,width=480,height=680";
  const ask = window.fetch;
  const channel = "BroadcastChannel" in window ? new BroadcastChannel("gradioapp") : null;

  let session = null; // The id of the session for which this page was made.
  let tab = null; // The address of this page's tab at the server, once it has one.
  let returning = null; // Resolved when the account is back: true if the server has kept the tab.
  let comesBack = null; // Resolves it.
  let isLost = false; // The dialog says that the tab is lost, and waits for the user.
  let held = 0;
  let checking = null;
  let isLeaving = false;
  const listeners = []; // Called with each answer of /api/v1/me, and with null if there is none.

  const bar = () => document.querySelector("gradioapp-bar");
  const account = () => bar()?.dataset.account;
  const base = () => bar()?.dataset.base ?? "";
  const dialog = () => bar()?.shadowRoot?.querySelector("dialog");
  const part = (name) => dialog().querySelector(`[data-${name}]`);

  // Stops a loop of redirects: a page may leave only a few times within a short time.
  function mayLeave() {
    try {
      const now = Date.now();
      const before = JSON.parse(sessionStorage.getItem(TRIES) || "[]");
      const recent = before.filter((then) => now - then < WITHIN);
      if (recent.length >= MOST_TRIES) return false;
      sessionStorage.setItem(TRIES, JSON.stringify([...recent, now]));
    } catch {
      // No storage: a loop would end at the sign-in page anyway.
    }
    return true;
  }

  const isSignIn = (address) => typeof address === "string" && /^\/[^/\\]/.test(address);

  function leave(login) {
    if (isLeaving || !isSignIn(login) || !mayLeave()) return;
    isLeaving = true;
    const here = location.pathname + location.search + location.hash;
    location.assign(`${login}?next=${encodeURIComponent(here)}`);
  }

  // Shows nothing more of the account for which this page was made, because another one has signed in.
  function startAnew() {
    document.documentElement.style.setProperty("display", "none", "important");
    isLeaving = true;
    if (mayLeave()) location.reload();
    else location.assign(`${base()}/`);
  }

  // Returns the problem document of a response if it says that the session has ended, otherwise null.
  async function endIn(response) {
    const type = response.headers.get("content-type") || "";
    const isOurs = response.status === 401 && type.startsWith("application/problem+json");
    if (!isOurs || new URL(response.url).origin !== location.origin) return null;
    try {
      const problem = await response.clone().json();
      return isSignIn(problem.login) ? problem : null;
    } catch {
      return null; // Not readable: the caller of fetch sees the 401.
    }
  }

  async function isKept() {
    if (tab === null) return true; // No event has run, so there was nothing to keep.
    try {
      const response = await ask.call(window, `${tab}/kept`, { cache: "no-store" });
      return response.ok ? (await response.json()).kept : true;
    } catch {
      return true; // Offline. The next event finds out.
    }
  }

  // Checks that the session is live, and that it still belongs to the account for which this page was made. Returns the
  // answer of /api/v1/me, or null if the session has ended or the service cannot be reached. With isActivity, the session's
  // idle timeout begins anew.
  function check({ isActivity = false } = {}) {
    if (checking && !isActivity) return checking;
    const asked = look(isActivity);
    checking = asked;
    asked.finally(() => (checking = checking === asked ? null : checking));
    return asked;
  }

  async function look(isActivity) {
    const me = await whoAmI(isActivity);
    for (const listener of listeners) listener(me);
    if (!me) return null;
    const isAnother = session !== null && session !== me.session.id;
    session = me.session.id;
    if (returning || isAnother) await goesOn();
    return me;
  }

  async function whoAmI(isActivity) {
    let response;
    try {
      const headers = { Accept: "application/json", ...(isActivity ? {} : { "X-Gradioapp-Passive": "1" }) };
      response = await ask.call(window, `${base()}/api/v1/me`, { headers, cache: "no-store" });
    } catch {
      return null; // Offline.
    }
    const problem = await endIn(response);
    if (problem) ends(problem);
    if (!response.ok) return null;
    const me = await response.json();
    if (!account() || me.id === account()) return me;
    startAnew();
    return null;
  }

  // Closes the dialog after a sign-in, or says in it what is lost.
  async function goesOn() {
    // Another check may have come meanwhile, and nothing but the user may close the dialog then.
    if (isLost) return;
    const kept = await isKept();
    if (isLost) return;
    if (kept) return finish(true);
    isLost = true;
    tab = null;
    returning ??= new Promise((done) => (comesBack = done));
    if (dialog()) shows("lost");
    else finish(false);
  }

  function finish(kept) {
    const done = comesBack;
    returning = comesBack = null;
    isLost = false;
    held = 0;
    if (dialog()?.open) dialog().close();
    done?.(kept);
  }

  // Begins to wait for a sign-in.
  function ends(problem) {
    if (isLeaving) return;
    // The proxy in front names another person now.
    if (problem.reason === "replaced") return startAnew();
    returning ??= new Promise((done) => (comesBack = done));
    if (dialog()?.open) return;
    // Without a cookie, somebody has signed out in this browser.
    if (problem.reason === "signed out" || !dialog()?.showModal) return leave(problem.login);
    part("link").href = signInAddress(problem.login);
    shows("ended");
  }

  const signInAddress = (login) => `${login}?next=${encodeURIComponent(`${login}/done`)}`;

  // Waits until the account has signed in again. Returns whether the server has kept the tab.
  async function signedInAgain(problem) {
    const back = (returning ??= new Promise((done) => (comesBack = done)));
    // The response may be older than a sign-in in another window.
    if (!dialog()?.open && !(await check()) && returning) ends(problem);
    return back;
  }

  const NOT_RUN = "This was not run, because the app no longer remembers this page. Try it again.";
  const TOO_MANY = "This was not run, because your session has ended.";

  function refused(sentence) {
    const body = { type: "urn:gradioapp:problem:session-ended", title: "Not run", status: 409, detail: sentence };
    return new Response(JSON.stringify(body), { status: 409, headers: { "content-type": "application/problem+json" } });
  }

  // Returns the response to `send()`. If the session has ended, waits for a sign-in and sends the request again; an event
  // is not sent again if the server has not kept the tab, which it needs.
  async function whileSignedIn(send, isEvent) {
    for (let tries = 0; ; tries++) {
      const response = await send();
      const problem = await endIn(response);
      if (!problem || tries >= MOST_TRIES) return response;
      if (held >= MOST_HELD) return refused(TOO_MANY);
      held++;
      const kept = await signedInAgain(problem);
      if (isEvent && !kept) return refused(NOT_RUN);
    }
  }

  // The dialog

  function shows(state) {
    const shown = dialog();
    shown.dataset.state = state;
    for (const each of shown.querySelectorAll("[data-in]")) each.hidden = each.dataset.in !== state;
    part("hint").textContent = "";
    part("link").hidden = true;
    if (!shown.open) shown.showModal();
    // Not a button: the next key of somebody who is typing must not press it.
    shown.focus();
  }

  function opensWindow() {
    const opened = window.open(part("link").href, "_blank", WINDOW);
    part("link").hidden = Boolean(opened);
    part("hint").textContent = opened
      ? "Sign in in the other window. This page then goes on by itself."
      : "Your browser has stopped the window. Use this link:";
    if (!opened) part("link").focus();
  }

  function prepares() {
    const shown = dialog();
    if (!shown) return;
    part("sign-in").addEventListener("click", opensWindow);
    part("link").addEventListener("click", () => {
      part("hint").textContent = "Sign in in the other tab. This page then goes on by itself.";
    });
    part("go-on").addEventListener("click", () => finish(false));
    part("reload").addEventListener("click", () => location.reload());
    // The dialog stays until the account is back, whatever closes it.
    shown.addEventListener("cancel", (event) => event.preventDefault());
    shown.addEventListener("close", () => {
      if (returning && !isLeaving) shows(shown.dataset.state);
    });
    shown.addEventListener("keydown", (event) => {
      event.stopPropagation(); // Shortcuts of the app would act behind the dialog.
      if (event.key === "Escape") event.preventDefault();
    });
  }

  // The page of the sign-in window sends a message, and so does every page that is opened.
  channel?.addEventListener("message", ({ data }) => {
    const isNewPage = data?.account && !data.name; // Perhaps of another session.
    if (returning || data?.signedIn || isNewPage) check();
  });

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") check();
  });

  // The browser shows a page from its back/forward cache.
  addEventListener("pageshow", (shown) => {
    if (shown.persisted) check();
  });

  return {
    ask,
    bar,
    account,
    check,
    prepares,
    onAnswer: (listener) => listeners.push(listener),
    whileSignedIn,
    isLeaving: () => isLeaving,
    isOver: () => Boolean(returning),
    leaves: () => (isLeaving = true),
    // Called with the address of this page's tab as soon as a stream of it has begun.
    hasTab: (address) => (tab = address),
    // Returns whether the session of a stream has ended, or another session has begun since.
    async hasEnded() {
      const before = session;
      await check();
      return Boolean(returning) || (before !== null && session !== before);
    },
  };
})();
